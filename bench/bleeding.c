/* SPDX-License-Identifier: MIT
 *
 * bleeding phases live_kib seed: what is left over from phases of other sizes.
 *
 * Each phase allocates blocks of its own size, with a little variation, until `live_kib` are live,
 * then frees nine tenths of all blocks, chosen at random.  So a tenth of each phase stays,
 * scattered over the memory that was its, and the next phase, which needs another size, can't use
 * the gaps.  Sizes go through 16 to 8192 bytes in an order that depends on the seed.  A process
 * that works on one kind of data after the other.
 *
 * Memory is read at the end of the last filling, when exactly `live_kib` are live.  One operation
 * is one block: its malloc and its free.
 */
#include "common.h"

#include <inttypes.h>
#include <stdlib.h>

static uint32_t state;

struct pile {
    unsigned char **block;
    size_t count, room;
    size_t bytes;
};

static uint64_t pile_fill(struct pile *pile, size_t size, size_t bytes) {
    uint64_t added = 0;
    for (; pile->bytes < bytes && pile->count < pile->room; added++) {
        size_t some = bench_between(&state, size - size / 8, size + size / 8);
        pile->block[pile->count++] = bench_malloc(some);
        pile->bytes += some;
    }
    return added;
}

static void pile_bleed(struct pile *pile) {
    size_t kept = 0;
    for (size_t i = 0; i < pile->count; i++) {
        if (bench_xorshift32(&state) % 10 == 0) {
            pile->block[kept++] = pile->block[i];
        } else {
            pile->bytes -= bench_check(pile->block[i]);
            free(pile->block[i]);
        }
    }
    pile->count = kept;
}

int main(int argc, char **argv) {
    size_t phases = 100, live_kib = 64 << 10, seed = 1;
    const struct bench_argument arguments[] = {
        {"phases", &phases, 1}, {"live_kib", &live_kib, 64}, {"seed", &seed, 0}};
    bench_start(argc, argv, arguments, sizeof arguments / sizeof *arguments);
    state = bench_seed(seed);
    /* Static would be too large: the array is a mapping of the allocator's, and counts for all. */
    struct pile pile = {.room = live_kib * 1024 / 14 + 1};
    pile.block = malloc(pile.room * sizeof *pile.block);
    if (!pile.block) bench_fail("no memory for %zu pointers", pile.room);

    uint64_t operations = 0;
    struct bench_run run = {0};
    for (size_t phase = 0; phase < phases; phase++) {
        size_t size = (size_t)16 << bench_xorshift32(&state) % 10;
        size += size / 8 * (bench_xorshift32(&state) % 8);
        bench_begin(&run);
        operations += pile_fill(&pile, size > 8192 ? 8192 : size, live_kib * 1024);
        bench_end(&run);
        if (phase + 1 < phases) {
            bench_begin(&run);
            pile_bleed(&pile);
            bench_end(&run);
        }
    }
    double ratio = (double)run.resident_kib / ((double)pile.bytes / 1024);
    for (size_t i = 0; i < pile.count; i++) bench_free(pile.block[i]);
    free(pile.block);
    bench_print("bleeding", &run, operations, "resident_to_live=%.3f", ratio);
    return 0;
}
