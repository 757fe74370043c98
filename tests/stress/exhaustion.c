/* SPDX-License-Identifier: MIT
 *
 * Fills memory with blocks of one size, frees them in random order, and sees the memory come back.
 *
 * One size after the other, in random order, `mebibytes` of each: all blocks written, checked,
 * freed in shuffled order, then the free memory is asked for: by hak_collect where there is one,
 * or with trim=1 by malloc_trim.  Resident memory must be back at the start + 1 MiB every time.
 * Single-threaded.
 */
#include "stress.h"

#include <stdio.h>

enum { GROWTH_KIB = 1024 };

static const size_t sizes[] = {16,   48,    112,   320,    1024,    2048,
                               5000, 16384, 65536, 200000, 1 << 20, 3 << 20};
enum { SIZES = sizeof sizes / sizeof *sizes };

static void shuffle_sizes(size_t *order, uint64_t *state) {
    for (size_t i = 0; i < SIZES; i++) order[i] = sizes[i];
    for (size_t i = SIZES - 1; i > 0; i--) {
        size_t other = stress_below(state, i + 1), size = order[i];
        order[i] = order[other];
        order[other] = size;
    }
}

static void shuffle_blocks(void **blocks, size_t count, uint64_t *state) {
    for (size_t i = count - 1; i > 0; i--) {
        size_t other = stress_below(state, i + 1);
        void *block = blocks[i];
        blocks[i] = blocks[other];
        blocks[other] = block;
    }
}

static void fill_and_free(void **blocks, size_t count, size_t size, uint64_t *state) {
    for (size_t i = 0; i < count; i++) {
        blocks[i] = stress_need(family.malloc(size), size);
        stress_write(blocks[i], size, stress_key(blocks[i], size, count));
    }
    shuffle_blocks(blocks, count, state);
    for (size_t i = 0; i < count; i++) {
        stress_check(blocks[i], size, stress_key(blocks[i], size, count), "before free");
        family.free(blocks[i]);
    }
}

int main(int argc, char **argv) {
    size_t mebibytes = 64, trim = 0, seed = 1;
    const struct stress_argument arguments[] = {
        {"mebibytes", &mebibytes}, {"trim", &trim}, {"seed", &seed}};
    stress_start(argc, argv, arguments, sizeof arguments / sizeof *arguments);
    size_t bytes = mebibytes << 20;
    uint64_t state = seed;
    if (bytes == 0) stress_fail("arguments out of range");
    void **blocks = stress_map(bytes / sizes[0] * sizeof *blocks);
    size_t order[SIZES];
    shuffle_sizes(order, &state);

    family.free(stress_need(family.malloc(1), 1));
    long start_kib = stress_resident_kib(), worst_kib = -1;
    const char *function = "malloc_trim";
    for (size_t i = 0; i < SIZES; i++) {
        size_t count = bytes / order[i] > 0 ? bytes / order[i] : 1;
        char what[80];
        fill_and_free(blocks, count, order[i], &state);
        if (trim) family.trim(0);
        else function = family.give_back();
        snprintf(what, sizeof what, "%zu blocks of %zu bytes, freed, %s", count, order[i],
                 function);
        long growth_kib = stress_check_growth(start_kib, GROWTH_KIB, what);
        if (growth_kib > worst_kib) worst_kib = growth_kib;
    }
    printf("exhaustion mebibytes=%zu sizes=%d growth_kib=%ld after %s seed=%zu: passed\n",
           mebibytes, (int)SIZES, worst_kib, function, seed);
    return 0;
}
