/* SPDX-License-Identifier: MIT
 *
 * larson run_seconds min max chunks rounds seed threads: a server whose workers inherit blocks.
 *
 * Each worker owns `chunks` blocks of min to max bytes.  It frees a random one and allocates a
 * random size in its place, rounds × chunks times; then it starts its successor, hands its blocks
 * over, and ends.  So blocks are freed by threads that did not allocate them, and threads come
 * and go.  One operation is one free with one malloc.  With few rounds this measures the creation
 * of threads: use 100 or more.
 *
 * Concurrency: a lane (its blocks, its random state, its count) belongs to the one worker that
 * runs it; starting the successor hands it over.  Workers are detached; the main thread waits
 * until the count of running lanes is zero, which every last worker of a lane lowers under the
 * lock, after its last write.
 */
#include "common.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct lane {
    _Alignas(128) unsigned char **blocks; /* owner: the running worker */
    uint64_t operations;
    uint64_t workers;
    uint32_t state;
};

static struct {
    size_t least, most, chunks, rounds; /* const once workers run */
    atomic_bool stop;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    size_t running; /* lock */
} larson = {.least = 8,
            .most = 1000,
            .chunks = 1024,
            .rounds = 100,
            .lock = PTHREAD_MUTEX_INITIALIZER,
            .ended = PTHREAD_COND_INITIALIZER};

static unsigned char *new_block(uint32_t *state, size_t slot) {
    size_t size = bench_between(state, larson.least, larson.most);
    unsigned char *block = malloc(size);
    if (!block) bench_fail("out of memory");
    block[0] = (unsigned char)slot;
    return block;
}

static void start_worker(struct lane *lane);

static void *work(void *argument) {
    struct lane *lane = argument;
    uint32_t state = lane->state;
    uint64_t operations = 0;
    for (size_t round = 0; round < larson.rounds; round++) {
        for (size_t i = 0; i < larson.chunks; i++) {
            size_t slot = bench_xorshift32(&state) % larson.chunks;
            free(lane->blocks[slot]);
            lane->blocks[slot] = new_block(&state, slot);
        }
        operations += larson.chunks;
        if (atomic_load_explicit(&larson.stop, memory_order_relaxed)) break;
    }
    lane->state = state;
    lane->operations += operations;
    lane->workers++;
    if (!atomic_load_explicit(&larson.stop, memory_order_relaxed)) {
        start_worker(lane);
        return NULL;
    }
    pthread_mutex_lock(&larson.lock);
    if (--larson.running == 0) pthread_cond_signal(&larson.ended);
    pthread_mutex_unlock(&larson.lock);
    return NULL;
}

static void start_worker(struct lane *lane) {
    pthread_attr_t detached;
    pthread_t thread;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    int error = pthread_create(&thread, &detached, work, lane);
    pthread_attr_destroy(&detached);
    if (error) bench_fail("pthread_create: %s", strerror(error));
}

static void fill_lane(struct lane *lane, uint32_t seed) {
    lane->state = seed;
    lane->blocks = malloc(larson.chunks * sizeof *lane->blocks);
    if (!lane->blocks) bench_fail("no memory for %zu chunks", larson.chunks);
    for (size_t i = 0; i < larson.chunks; i++) lane->blocks[i] = new_block(&lane->state, i);
}

static void empty_lane(struct lane *lane) {
    for (size_t i = 0; i < larson.chunks; i++) {
        if (lane->blocks[i][0] != (unsigned char)i)
            bench_fail("block %p was overwritten", (void *)lane->blocks[i]);
        free(lane->blocks[i]);
    }
    free(lane->blocks);
}

static void run_lanes(struct lane *lanes, size_t threads, size_t seconds) {
    larson.running = threads;
    for (size_t i = 0; i < threads; i++) start_worker(&lanes[i]);
    for (unsigned left = (unsigned)seconds; left > 0;) left = sleep(left);
    atomic_store_explicit(&larson.stop, true, memory_order_relaxed);
    pthread_mutex_lock(&larson.lock);
    while (larson.running > 0) pthread_cond_wait(&larson.ended, &larson.lock);
    pthread_mutex_unlock(&larson.lock);
}

int main(int argc, char **argv) {
    size_t run_seconds = 5, seed = 4141, threads = 4;
    const struct bench_argument arguments[] = {
        {"run_seconds", &run_seconds, 1}, {"min", &larson.least, 1},     {"max", &larson.most, 1},
        {"chunks", &larson.chunks, 1},    {"rounds", &larson.rounds, 1}, {"seed", &seed, 0},
        {"threads", &threads, 1}};
    bench_start(argc, argv, arguments, sizeof arguments / sizeof *arguments);
    if (larson.least > larson.most) bench_fail("min must not exceed max");
    struct lane *lanes = aligned_alloc(_Alignof(struct lane), threads * sizeof *lanes);
    if (!lanes) bench_fail("no memory for %zu threads", threads);
    memset(lanes, 0, threads * sizeof *lanes);
    for (size_t i = 0; i < threads; i++) fill_lane(&lanes[i], bench_thread_seed(seed, i));

    struct bench_run run = {0};
    bench_begin(&run);
    run_lanes(lanes, threads, run_seconds);
    bench_end(&run);
    uint64_t operations = 0, workers = 0;
    for (size_t i = 0; i < threads; i++) {
        operations += lanes[i].operations;
        workers += lanes[i].workers;
        empty_lane(&lanes[i]);
    }
    bench_print("larson", &run, operations, "workers=%" PRIu64, workers);
    free(lanes);
    return 0;
}
