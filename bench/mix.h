/* SPDX-License-Identifier: MIT
 *
 * The cycles of random_mixed and soak: blocks in random slots are freed and allocated.
 *
 * Each cycle draws one 32-bit xorshift number r; the slot is r mod ws.  A full slot is freed; an
 * empty one gets min(max, max(min, 16 + (r AND 1023))) bytes, whose first byte is written.  One
 * cycle is one operation.
 */
#ifndef BENCH_MIX_H
#define BENCH_MIX_H

#include "common.h"

#include <inttypes.h>
#include <stdlib.h>

struct mix {
    unsigned char **slots;
    uint32_t slot_count;
    size_t least, most;
};

static inline size_t mix_size(const struct mix *mix, uint32_t draw) {
    size_t size = 16 + (draw & 1023);
    if (size < mix->least) size = mix->least;
    return size > mix->most ? mix->most : size;
}

__attribute__((noinline)) static void mix_run(struct mix *mix, uint64_t cycles, uint32_t state) {
    unsigned char **slots = mix->slots;
    for (uint64_t i = 0; i < cycles; i++) {
        uint32_t draw = bench_xorshift32(&state);
        uint32_t slot = draw % mix->slot_count;
        if (slots[slot]) {
            free(slots[slot]);
            slots[slot] = NULL;
        } else {
            unsigned char *block = malloc(mix_size(mix, draw));
            if (!block) bench_fail("out of memory after %" PRIu64 " cycles", i);
            block[0] = (unsigned char)draw;
            slots[slot] = block;
        }
    }
}

__attribute__((noinline)) static void mix_drain(struct mix *mix) {
    for (uint32_t slot = 0; slot < mix->slot_count; slot++) {
        free(mix->slots[slot]);
        mix->slots[slot] = NULL;
    }
}

#endif /* BENCH_MIX_H */
