/* SPDX-License-Identifier: MIT
 *
 * Producers that only allocate and one thread that only frees:
 *   free_only SECONDS PRODUCERS
 *
 * Each producer has a ring of its own to the freeing thread, so what it has live is
 * bounded, and every byte of it is written.  Peak resident memory ought to be little more
 * than what was live at most.
 */
#include "life.h"

#include <sched.h>
#include <stdatomic.h>
#include <time.h>

enum { RING = 1 << 13, PRODUCERS_MAX = 16 };

struct ring {
    _Atomic(void *) slots[RING];
    uint32_t seed;
};

static struct ring rings[PRODUCERS_MAX];
static long producers;
static _Atomic long live_bytes, producing;
static _Atomic bool stop;
static unsigned long blocks_freed;

static size_t draw_size(uint32_t draw) {
    return 16 + (draw >> 8) % ((size_t)32 << (draw % 8));
}

static void *produce(void *argument) {
    struct ring *ring = argument;
    uint32_t random = ring->seed;
    for (size_t i = 0; !atomic_load(&stop); i++) {
        while (atomic_load(&ring->slots[i % RING])) sched_yield(); /* the ring is full */
        uint32_t draw = life_random(&random);
        size_t size = draw_size(draw);
        void *block = life_take(size, draw);
        atomic_fetch_add(&live_bytes, (long)size);
        atomic_store(&ring->slots[i % RING], block);
    }
    atomic_fetch_sub(&producing, 1);
    return NULL;
}

/* Frees everything, without ever allocating; returns the most that was live. */
static void *consume(void *argument) {
    long *most = argument;
    for (size_t i = 0, empty = 0; empty < (size_t)producers || atomic_load(&producing); i++) {
        empty = 0;
        for (long k = 0; k < producers; k++) {
            void *block = atomic_exchange(&rings[k].slots[i % RING], NULL);
            while (!block && atomic_load(&producing)) {
                sched_yield();
                block = atomic_exchange(&rings[k].slots[i % RING], NULL);
            }
            if (!block) {
                empty++;
                continue;
            }
            long live = atomic_load(&live_bytes);
            if (live > *most) *most = live;
            atomic_fetch_sub(&live_bytes, (long)life_size(block));
            life_give(block);
            blocks_freed++;
        }
    }
    return NULL;
}

int main(int argc, char **argv) {
    life_start(600);
    struct timespec pause = {life_argument(argc, argv, 1, 10), 0};
    producers = life_argument(argc, argv, 2, 8);
    pthread_t threads[PRODUCERS_MAX], consumer;
    long most_live = 0;
    if (producers > PRODUCERS_MAX) return 2;
    size_t before = life_resident_kib();
    atomic_store(&producing, producers);
    consumer = life_thread(consume, &most_live);
    for (long i = 0; i < producers; i++) {
        rings[i].seed = (uint32_t)i + 1;
        threads[i] = life_thread(produce, &rings[i]);
    }
    nanosleep(&pause, NULL);
    atomic_store(&stop, true);
    for (long i = 0; i < producers; i++) life_join(threads[i]);
    life_join(consumer);
    size_t peak = life_status_kib("VmHWM"), live = (size_t)most_live / 1024;
    double ratio = (double)(peak - before) / (double)live;
    life_say(
        "%lu blocks, live at most %zu KiB, peak resident %zu KiB: %.2f times live (at most 1.5)",
        blocks_freed, live, peak - before, ratio);
    return life_verdict(ratio > 1.5);
}
