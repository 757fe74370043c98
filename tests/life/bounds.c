/* SPDX-License-Identifier: MIT
 *
 * Bounds on the memory of a process, which its environment sets (CMakeLists.txt):
 *   bounds held MIB   it frees what it has used for a moment, again and again: no more than MIB are
 *                     resident soon after
 *   bounds hard MIB   allocations fail, with ENOMEM, before more than MIB are in use; and work
 *                     again when something was freed, wherever it is kept
 */
#include "life.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LIVE = 8192, ROUNDS = 5, BURST = 64 << 20, SLACK_KIB = 1024 };

static void *live[LIVE]; /* of 512 bytes on average: 4 MiB */

static void churn(uint32_t *random, unsigned count) {
    while (count--) {
        uint32_t at = life_random(random) % LIVE;
        life_give(live[at]);
        live[at] = life_take(LIFE_BLOCK_MIN + life_random(random) % 1000, count);
    }
}

static void burst(uint32_t *random, size_t size) {
    size_t count = BURST / size;
    void **block = malloc(count * sizeof *block);
    for (size_t i = 0; i < count; i++) block[i] = life_take(size, (uint32_t)i);
    for (size_t i = 0; i < count; i++) life_give(block[(i * 7919) % count]);
    for (size_t i = 0; i < count; i++) block[i] = NULL;
    free(block);
    churn(random, 1000);
}

static uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* It goes on working; what is said is not how long that takes, but that it comes (life_start). */
static void held(size_t kib) {
    static const size_t sizes[] = {97, 1009, 10007, 100003, 3000017};
    uint32_t random = 1;
    uint64_t longest = 0;
    churn(&random, 10 * LIVE);
    for (unsigned round = 0; round < ROUNDS; round++) {
        burst(&random, sizes[round % (sizeof sizes / sizeof *sizes)]);
        uint64_t begin = now_ms();
        while (life_resident_kib() > kib + SLACK_KIB) churn(&random, 1000);
        uint64_t took = now_ms() - begin;
        if (took > longest) longest = took;
    }
    life_say("%zu KiB, at the latest after %u ms", life_resident_kib(), (unsigned)longest);
}

enum { SIZES = 12 };

/* Buffers of the sizes `first` to `last` come and go, sixteen of each at a time. */
static void come_and_go(unsigned first, unsigned last) {
    enum { TOGETHER = 16, TURNS = 8 };
    static void *block[SIZES][TOGETHER];
    for (unsigned turn = 0; turn < TURNS; turn++) {
        for (unsigned i = 0; i < TOGETHER; i++)
            for (unsigned one = first; one <= last; one++)
                block[one][i] = life_take(40000 + one * 9000, i);
        for (unsigned i = 0; i < TOGETHER; i++)
            for (unsigned one = first; one <= last; one++) life_give(block[one][i]);
    }
}

/* Their thread keeps some of each. */
static void keep_large(void) {
    for (unsigned one = 0; one < SIZES; one++) come_and_go(one, one);
    come_and_go(0, SIZES - 1);
}

static void hard(size_t mib) {
    enum { MANY = 100000 };
    static void *block[MANY];
    static const size_t sizes[] = {100, 5000, 100000, 3000000};
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t count = 0, size = sizes[i];
        while (count < MANY && (block[count] = life_try_take(size, (uint32_t)count))) count++;
        size_t taken = count * size >> 20;
        if (taken > mib) life_fail("%zu MiB of %zu bytes each", taken, size);
        if (taken < mib / 2 && count < MANY) life_fail("only %zu MiB of %zu bytes", taken, size);
        while (count) life_give(block[--count]);
    }
    life_give(life_take((mib << 20) / 2, 1));
    life_give(life_take((mib << 20) / 2, 1));
    keep_large();
    life_give(life_take((mib - 8) << 20, 1));
}

int main(int argc, char **argv) {
    life_start(120);
    size_t mib = (size_t)life_argument(argc, argv, 2, 64);
    if (argc < 3) life_fail("held|hard MIB");
    if (strcmp(argv[1], "hard") == 0) {
        hard(mib);
    } else {
        if (!life_has_proc() || life_emulated()) life_skip("resident memory is not known");
        held(mib << 10);
    }
    return 0;
}
