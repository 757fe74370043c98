/* SPDX-License-Identifier: MIT
 *
 * Producers that only allocate and one thread that only frees:
 *   free_only SECONDS PRODUCERS
 *
 * The blocks on their way are bounded by a ring, and every page of them is written, so peak resident
 * memory ought to be little more than what was live at most.
 */
#include "life.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum { RING = 1 << 16, PRODUCERS_MAX = 16 };

static _Atomic(void *) ring[RING];
static _Atomic uint64_t produced, consumed;
static _Atomic long live_bytes;
static _Atomic bool stop;

static size_t draw_size(uint32_t draw) {
    return 16 + (draw >> 8) % ((size_t)32 << (draw % 8));
}

static void *produce(void *argument) {
    uint32_t random = *(uint32_t *)argument;
    while (!atomic_load(&stop)) {
        uint32_t draw = life_random(&random);
        size_t size = draw_size(draw);
        void *block = life_take(size, draw);
        atomic_fetch_add(&live_bytes, (long)size);
        _Atomic(void *) *slot = &ring[atomic_fetch_add(&produced, 1) % RING];
        void *expected = NULL;
        while (!atomic_compare_exchange_weak(slot, &expected, block)) {
            expected = NULL;
            sched_yield(); /* the ring is full */
        }
    }
    return NULL;
}

/* Frees everything, without ever allocating; returns the most that was live. */
static void *consume(void *argument) {
    long *most = argument;
    for (uint64_t i = 0;; i++) {
        void *block;
        while (!(block = atomic_exchange(&ring[i % RING], NULL))) {
            if (atomic_load(&stop) && atomic_load(&produced) == i)
                return NULL;
            sched_yield();
        }
        long live = atomic_load(&live_bytes);
        if (live > *most)
            *most = live;
        size_t size = life_size(block);
        life_give(block);
        atomic_fetch_sub(&live_bytes, (long)size);
        atomic_store(&consumed, i + 1);
    }
}

int main(int argc, char **argv) {
    life_start(600);
    long seconds = life_argument(argc, argv, 1, 10), producers = life_argument(argc, argv, 2, 8);
    static uint32_t seeds[PRODUCERS_MAX];
    pthread_t threads[PRODUCERS_MAX], consumer;
    long most_live = 0;
    if (producers > PRODUCERS_MAX)
        return 2;
    size_t before = life_resident_kib();
    consumer = life_thread(consume, &most_live);
    for (long i = 0; i < producers; i++) {
        seeds[i] = (uint32_t)i + 1;
        threads[i] = life_thread(produce, &seeds[i]);
    }
    struct timespec pause = {seconds, 0};
    nanosleep(&pause, NULL);
    atomic_store(&stop, true);
    for (long i = 0; i < producers; i++)
        life_join(threads[i]);
    life_join(consumer);
    size_t peak = life_status_kib("VmHWM"), live = (size_t)most_live / 1024;
    double ratio = (double)(peak - before) / (double)live;
    life_say("%llu blocks, live at most %zu KiB, peak resident %zu KiB: %.2f times live (at most 1.5)",
             (unsigned long long)consumed, live, peak - before, ratio);
    return ratio > 1.5;
}
