/* SPDX-License-Identifier: MIT
 *
 * Workers that replace random blocks and hand them over to successors, all contents checked.
 *
 * As the benchmark of that name: in each lane a worker does rounds × chunks replacements, starts
 * its successor, and ends; here for a number of generations, or for a time if milliseconds is not
 * 0.
 *
 * Concurrency: a lane belongs to the worker that runs it; starting the successor hands it over.
 * Workers are detached; the main thread waits until no lane runs.
 */
#include "stress.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

struct chunk {
    void *block;
    size_t size;
    uint64_t key;
};

struct lane {
    uint64_t state;
    struct chunk *chunks;
    size_t generations, replaced;
};

static struct {
    size_t chunks, rounds, least, most, generations; /* const once workers run */
    size_t seed;
    double end; /* const: when to stop; 0: after `generations` */
    pthread_mutex_t lock;
    pthread_cond_t ended;
    size_t running; /* lock */
} run = {.chunks = 1024,
         .rounds = 100,
         .least = 8,
         .most = 1000,
         .generations = 5,
         .seed = 1,
         .lock = PTHREAD_MUTEX_INITIALIZER,
         .ended = PTHREAD_COND_INITIALIZER};

static void fill(struct lane *lane, struct chunk *chunk) {
    chunk->size = run.least + stress_below(&lane->state, run.most - run.least + 1);
    chunk->block = stress_need(family.malloc(chunk->size), chunk->size);
    chunk->key = stress_key(chunk->block, chunk->size, run.seed);
    stress_write(chunk->block, chunk->size, chunk->key);
}

static void empty(struct chunk *chunk) {
    stress_check(chunk->block, chunk->size, chunk->key, "before free");
    family.free(chunk->block);
}

static void start_worker(struct lane *lane);

static bool out_of_time(void) {
    return run.end > 0 && stress_now() >= run.end;
}

static void *work(void *argument) {
    struct lane *lane = argument;
    for (size_t round = 0; round < run.rounds && !out_of_time(); round++) {
        for (size_t i = 0; i < run.chunks; i++) {
            struct chunk *chunk = &lane->chunks[stress_below(&lane->state, run.chunks)];
            empty(chunk);
            fill(lane, chunk);
        }
        lane->replaced += run.chunks;
    }
    lane->generations++;
    if (run.end > 0 ? !out_of_time() : lane->generations < run.generations) {
        start_worker(lane);
        return NULL;
    }
    pthread_mutex_lock(&run.lock);
    if (--run.running == 0) pthread_cond_signal(&run.ended);
    pthread_mutex_unlock(&run.lock);
    return NULL;
}

static void start_worker(struct lane *lane) {
    pthread_attr_t detached;
    pthread_t thread;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    int error = pthread_create(&thread, &detached, work, lane);
    if (error) stress_fail("pthread_create: %s", strerror(error));
    pthread_attr_destroy(&detached);
}

static void run_lanes(struct lane *lanes, size_t threads) {
    run.running = threads;
    for (size_t i = 0; i < threads; i++) start_worker(&lanes[i]);
    pthread_mutex_lock(&run.lock);
    while (run.running > 0) pthread_cond_wait(&run.ended, &run.lock);
    pthread_mutex_unlock(&run.lock);
}

int main(int argc, char **argv) {
    size_t threads = 4, milliseconds = 0;
    const struct stress_argument arguments[] = {
        {"threads", &threads},           {"chunks", &run.chunks}, {"rounds", &run.rounds},
        {"least", &run.least},           {"most", &run.most},     {"generations", &run.generations},
        {"milliseconds", &milliseconds}, {"seed", &run.seed}};
    stress_start(argc, argv, arguments, sizeof arguments / sizeof *arguments);
    if (milliseconds > 0) run.end = stress_now() + (double)milliseconds * 1e-3;
    if (threads < 1 || run.chunks < 1 || run.least > run.most)
        stress_fail("arguments out of range");
    struct lane *lanes = stress_map(threads * sizeof *lanes);
    for (size_t i = 0; i < threads; i++) {
        lanes[i].state = stress_mix(run.seed, i);
        lanes[i].chunks = stress_map(run.chunks * sizeof *lanes[i].chunks);
        for (size_t j = 0; j < run.chunks; j++) fill(&lanes[i], &lanes[i].chunks[j]);
    }
    run_lanes(lanes, threads);
    size_t replaced = 0, workers = 0;
    for (size_t i = 0; i < threads; i++) {
        replaced += lanes[i].replaced;
        workers += lanes[i].generations;
        for (size_t j = 0; j < run.chunks; j++) empty(&lanes[i].chunks[j]);
    }
    printf("larson threads=%zu chunks=%zu rounds=%zu workers=%zu replaced=%zu seed=%zu: passed\n",
           threads, run.chunks, run.rounds, workers, replaced, run.seed);
    return 0;
}
