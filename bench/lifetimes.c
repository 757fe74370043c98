/* SPDX-License-Identifier: MIT
 *
 * lifetimes threads operations slots seed: blocks that live long and short, small and large, and go
 * from thread to thread.
 *
 * Each thread has `slots` slots.  An operation frees what is in one and allocates anew.  Which one
 * is chosen from all slots once in eight times, and from the first sixteenth of them otherwise: so
 * most blocks die young.  Once in sixteen times the block is then exchanged with one of a table
 * that all threads share, and dies somewhere else.  Sizes are 8 to 1024 bytes, once in 64 times up
 * to 32 KiB, once in 4096 times up to 1 MiB.  A server with requests, sessions and caches.
 *
 * Concurrency: a block in the table belongs to whoever exchanges it out.
 */
#include "common.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { SHARED = 256 };

static size_t operations = 5000000, slots = 1024;
static _Atomic(unsigned char *) shared[SHARED];

struct worker {
    _Alignas(128) uint32_t state;
};

static struct worker workers[BENCH_THREADS_MAX];

static size_t draw_size(uint32_t *state) {
    uint32_t draw = bench_xorshift32(state);
    if (draw % 4096 == 0) return bench_between(state, 32 << 10, 1 << 20);
    if (draw % 64 == 0) return bench_between(state, 1 << 10, 32 << 10);
    return bench_between(state, 8, 1024);
}

static size_t draw_slot(uint32_t *state) {
    uint32_t draw = bench_xorshift32(state);
    size_t some = slots / 16 ? slots / 16 : 1;
    return (draw >> 3) % (draw % 8 == 0 ? slots : some);
}

static void *work(void *argument) {
    struct worker *worker = argument;
    uint32_t state = worker->state;
    unsigned char **block = calloc(slots, sizeof *block);
    if (!block) bench_fail("out of memory");
    for (size_t i = 0; i < operations; i++) {
        unsigned char **slot = &block[draw_slot(&state)];
        if (*slot) bench_free(*slot);
        *slot = bench_malloc(draw_size(&state));
        uint32_t draw = bench_xorshift32(&state);
        if (draw % 16 == 0) {
            /* acquire and release: the contents go with the block */
            *slot = atomic_exchange_explicit(&shared[(draw >> 4) % SHARED], *slot,
                                             memory_order_acq_rel);
        }
    }
    for (size_t i = 0; i < slots; i++)
        if (block[i]) bench_free(block[i]);
    free(block);
    return NULL;
}

int main(int argc, char **argv) {
    size_t threads = 2, seed = 1;
    const struct bench_argument arguments[] = {{"threads", &threads, 1},
                                               {"operations", &operations, 1},
                                               {"slots", &slots, 1},
                                               {"seed", &seed, 0}};
    bench_start(argc, argv, arguments, sizeof arguments / sizeof *arguments);
    for (size_t i = 0; i < BENCH_THREADS_MAX; i++) workers[i].state = bench_thread_seed(seed, i);

    struct bench_run run = {0};
    bench_begin(&run);
    bench_threads(threads, work, workers, sizeof *workers);
    bench_end(&run);
    for (size_t i = 0; i < SHARED; i++)
        if (shared[i]) bench_free(shared[i]);
    bench_print("lifetimes", &run, (uint64_t)threads * operations, NULL);
    return 0;
}
