/* SPDX-License-Identifier: MIT
 *
 * Threads that end and leave their blocks, which other threads free, over and over:
 *   orphans THREADS
 */
#include "life.h"

#include <stdatomic.h>

enum { LEFT = 30, SHARED = 3000, WARM_UP = 2000, GROWTH_KIB = 1024 };

static _Atomic(void *) shared[SHARED];

/* Each block takes the place of one that an ended thread left. */
static void *run(void *argument) {
    uint32_t random = *(uint32_t *)argument * 2654435761u + 1;
    for (int i = 0; i < LEFT; i++) {
        uint32_t draw = life_random(&random);
        size_t size = 16 + (draw >> 10) % ((size_t)64 << (draw % 7));
        life_give(atomic_exchange(&shared[draw % SHARED], life_take(size, draw)));
    }
    return NULL;
}

int main(int argc, char **argv) {
    life_start(1200);
    uint32_t threads = (uint32_t)life_argument(argc, argv, 1, 10000);
    size_t before = 0;
    for (uint32_t i = 0; i < WARM_UP + threads; i++) {
        if (i == WARM_UP) before = life_resident_kib();
        life_join(life_thread(run, &i));
    }
    size_t after = life_resident_kib();
    long growth = (long)after - (long)before;
    for (size_t i = 0; i < SHARED; i++) life_give(atomic_load(&shared[i]));
    life_say("%u threads left %u blocks each: resident %zu KiB, grew by %ld KiB (at most %d)",
             threads, LEFT, after, growth, GROWTH_KIB);
    return life_verdict(growth > GROWTH_KIB);
}
