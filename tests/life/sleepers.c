/* SPDX-License-Identifier: MIT
 *
 * Threads that work in bursts and sleep in between, while the background thread visits their heaps.
 *   sleepers rest THREADS           what they have freed goes back while they sleep
 *   sleepers storm THREADS SECONDS  they wake up at any moment; some are copied by fork meanwhile
 */
#define _GNU_SOURCE
#include "life.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS_MAX = 64, BLOCKS = 4000, KEPT = 100, EXCHANGE = 256 };
enum { ALARM = 240 }; /* seconds, beyond those that a storm is to last */

static void pause_ms(long ms) {
    const struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* Mostly small, one in eight up to 16 KiB, one in 64 up to 256 KiB. */
static size_t some_size(uint32_t *random) {
    uint32_t kind = life_random(random) % 64;
    size_t most = !kind ? 256 << 10 : kind < 8 ? 16 << 10 : 1000;
    return LIFE_BLOCK_MIN + life_random(random) % most;
}

/* ---- Rest ------------------------------------------------------------------------------------ */

static pthread_barrier_t barrier;

static void *burst_and_sleep(void *argument) {
    static __thread void *blocks[BLOCKS];
    uint32_t random = (uint32_t)(uintptr_t)argument + 1;
    for (uint32_t i = 0; i < BLOCKS; i++) blocks[i] = life_take(some_size(&random), i);
    for (uint32_t i = BLOCKS; i > 1; i--) {
        uint32_t j = life_random(&random) % i;
        void *other = blocks[j];
        blocks[j] = blocks[i - 1];
        blocks[i - 1] = other;
    }
    pthread_barrier_wait(&barrier); /* all of it is in use */
    for (uint32_t i = KEPT; i < BLOCKS; i++) life_give(blocks[i]);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier); /* has slept */
    for (uint32_t i = KEPT; i < BLOCKS; i++) blocks[i] = life_take(some_size(&random), i);
    for (uint32_t i = 0; i < BLOCKS; i++) life_give(blocks[i]);
    return NULL;
}

/* The alarm of life_start ends what never comes: kept blocks, a page for each size, stacks. */
static void rest(unsigned threads) {
    pthread_t thread[THREADS_MAX];
    size_t before = life_resident_kib();
    pthread_barrier_init(&barrier, NULL, threads + 1);
    for (uintptr_t i = 0; i < threads; i++) thread[i] = life_thread(burst_and_sleep, (void *)i);
    pthread_barrier_wait(&barrier);
    size_t full = life_resident_kib() - before;
    pthread_barrier_wait(&barrier);
    while (life_resident_kib() - before > full / 4) pause_ms(20);
    life_say("%zu KiB in use, %zu KiB after", full, life_resident_kib() - before);
    pthread_barrier_wait(&barrier);
    for (unsigned i = 0; i < threads; i++) life_join(thread[i]);
}

/* ---- Storm ----------------------------------------------------------------------------------- */

static _Atomic(void *) exchange[EXCHANGE]; /* acq_rel: blocks go from thread to thread */
static _Atomic bool stop;                  /* relaxed */

static void give_to_others(uint32_t *random) {
    void *block = life_take(some_size(random), life_random(random));
    life_give(atomic_exchange_explicit(&exchange[life_random(random) % EXCHANGE], block,
                                       memory_order_acq_rel));
}

static void work(void **blocks, uint32_t *random) {
    for (uint32_t left = life_random(random) % 2000; left; left--) {
        uint32_t at = life_random(random) % BLOCKS;
        life_give(blocks[at]);
        blocks[at] = left % 4 ? life_take(some_size(random), left) : NULL;
        if (left % 8 == 0) give_to_others(random);
    }
}

/* The child frees what its thread had, and works. */
static void copy(void **blocks, uint32_t *random) {
    pid_t child = fork();
    if (child < 0) return;
    if (!child) {
        alarm(60);
        for (uint32_t i = 0; i < BLOCKS; i += 2) {
            life_give(blocks[i]);
            blocks[i] = NULL;
        }
        work(blocks, random);
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (status) life_fail("a child ended with status %#x", (unsigned)status);
}

static void *storm_thread(void *argument) {
    uint32_t random = (uint32_t)(uintptr_t)argument * 7919 + 1;
    void **blocks = calloc(BLOCKS, sizeof *blocks);
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        work(blocks, &random);
        pause_ms(life_random(&random) % 4 ? life_random(&random) % 400 : 0);
        if (life_random(&random) % 16 == 0) copy(blocks, &random);
    }
    for (uint32_t i = 0; i < BLOCKS; i++) life_give(blocks[i]);
    free(blocks);
    return NULL;
}

static void storm(unsigned threads, long seconds) {
    pthread_t thread[THREADS_MAX];
    alarm((unsigned)seconds + ALARM);
    for (uintptr_t i = 0; i < threads; i++) thread[i] = life_thread(storm_thread, (void *)i);
    pause_ms(seconds * 1000);
    atomic_store_explicit(&stop, true, memory_order_relaxed);
    for (unsigned i = 0; i < threads; i++) life_join(thread[i]);
    for (unsigned i = 0; i < EXCHANGE; i++) life_give(atomic_load(&exchange[i]));
}

int main(int argc, char **argv) {
    life_start(ALARM);
    long threads = life_argument(argc, argv, 2, 4);
    if (argc < 2 || threads < 1 || threads > THREADS_MAX) life_fail("rest|storm THREADS [SECONDS]");
    if (strcmp(argv[1], "rest") == 0) {
        if (!life_has_proc() || life_emulated()) life_skip("resident memory is not known");
        rest((unsigned)threads);
    } else {
        storm((unsigned)threads, life_argument(argc, argv, 3, 5));
    }
    return 0;
}
