/* SPDX-License-Identifier: MIT
 *
 * random_mixed cycles ws seed [min max]: one thread frees and allocates blocks in random slots.
 *
 * The cycles are those of mix.h.  cycles/10 of them with seed + 0xDEADBEEF come first, untimed, and
 * leave their blocks in the slots.  The final freeing of all slots is timed.
 *
 * The clock stops between the last cycle and the final freeing, while resident memory is read
 * with the working set live.  After it has stopped for good, more cycles with whole blocks
 * written and checked show whether the allocator hands out memory twice.
 */
#include "mix.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool filled_with(const unsigned char *block, unsigned char byte, size_t size) {
    return block[0] == byte && memcmp(block, block + 1, size - 1) == 0;
}

/* The same cycles, with every byte written and checked. */
static void check_cycles(struct mix *mix, uint64_t cycles, uint32_t state) {
    size_t *sizes = calloc(mix->slot_count, sizeof *sizes);
    if (!sizes) bench_fail("no memory for the check");
    for (uint64_t i = 0; i < cycles; i++) {
        uint32_t draw = bench_xorshift32(&state);
        uint32_t slot = draw % mix->slot_count;
        unsigned char *block = mix->slots[slot];
        unsigned char byte = (unsigned char)(slot * 31 + 7);
        if (block) {
            if (!filled_with(block, byte, sizes[slot]))
                bench_fail("block %p of %zu bytes was overwritten", (void *)block, sizes[slot]);
            free(block);
            mix->slots[slot] = NULL;
        } else {
            sizes[slot] = mix_size(mix, draw);
            mix->slots[slot] = malloc(sizes[slot]);
            if (!mix->slots[slot]) bench_fail("out of memory in the check");
            memset(mix->slots[slot], byte, sizes[slot]);
        }
    }
    mix_drain(mix);
    free(sizes);
}

int main(int argc, char **argv) {
    size_t cycles = 10000000, slots = 8192, seed = 1234567;
    struct mix mix = {.least = 16, .most = 1039};
    const struct bench_argument arguments[] = {{"cycles", &cycles, 1},
                                               {"ws", &slots, 1},
                                               {"seed", &seed, 0},
                                               {"min", &mix.least, 1},
                                               {"max", &mix.most, 1}};
    bench_start(argc, argv, arguments, sizeof arguments / sizeof *arguments);
    mix.slot_count = (uint32_t)slots;
    if (slots > UINT32_MAX || mix.least > mix.most)
        bench_fail("ws must fit in 32 bits, and min must not exceed max");
    mix.slots = calloc(mix.slot_count, sizeof *mix.slots);
    if (!mix.slots) bench_fail("no memory for %" PRIu32 " slots", mix.slot_count);

    mix_run(&mix, cycles / 10, bench_seed(seed + 0xDEADBEEF));
    struct bench_run run = {0};
    bench_begin(&run);
    mix_run(&mix, cycles, bench_seed(seed));
    bench_end(&run);
    long live_kib = run.resident_kib;
    bench_begin(&run);
    mix_drain(&mix);
    bench_end(&run);

    check_cycles(&mix, cycles / 20 < 500000 ? cycles / 20 : 500000, bench_seed(seed + 1));
    bench_print("random_mixed", &run, cycles, "live_kib=%ld", live_kib);
    free(mix.slots);
    return 0;
}
