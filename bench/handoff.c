/* SPDX-License-Identifier: MIT
 *
 * handoff pipe|ring producers consumers blocks seed min max depth: blocks are freed by other
 * threads than those that allocated them.
 *
 *   pipe   producers ─► one queue ─► consumers: a server that parses here and answers there.  With
 *          one consumer or one producer, all blocks are freed, or allocated, by one thread.
 *   ring   each of `producers` threads frees what its predecessor sends and allocates for its
 *          successor: a chain of filters.  `consumers` is not looked at.
 *
 * Blocks travel in batches of 64, so that the queues take little of the time.  There are `depth`
 * (eight) batches for each thread and no more: a producer waits for consumers that fall behind, and
 * the live memory is bounded.  One operation is one block: its malloc, its way, its free.
 *
 * Concurrency: a batch belongs to the thread that took it from a queue; a queue's lock hands it
 * over.
 */
#include "common.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_BLOCKS = 64, BATCHES_MAX = 8192 };

struct batch {
    struct batch *next; /* lock of the queue it is in */
    size_t count;
    unsigned char *block[BATCH_BLOCKS];
};

struct queue {
    _Alignas(128) pthread_mutex_t lock;
    pthread_cond_t filled;
    struct batch *first, *last; /* lock */
    bool closed;                /* lock: nothing will come any more */
};

struct worker {
    _Alignas(128) struct queue *from, *to;
    uint32_t state;
    size_t blocks; /* to be allocated; ring: to be passed on */
};

static struct {
    size_t least, most;
    size_t producers;
    size_t depth; /* batches a thread */
    pthread_mutex_t lock;
    size_t producing; /* lock: producers that have not ended */
} handoff = {.least = 16, .most = 1024, .depth = 8, .lock = PTHREAD_MUTEX_INITIALIZER};

/* Static, so that they take no memory of the allocator. */
static struct queue queues[BENCH_THREADS_MAX];
static struct worker workers[BENCH_THREADS_MAX];
static struct batch batches[BATCHES_MAX];

static void queue_put(struct queue *queue, struct batch *batch) {
    batch->next = NULL;
    pthread_mutex_lock(&queue->lock);
    if (queue->first) queue->last->next = batch;
    else queue->first = batch;
    queue->last = batch;
    pthread_cond_signal(&queue->filled);
    pthread_mutex_unlock(&queue->lock);
}

/* NULL: the queue is empty, and closed. */
static struct batch *queue_get(struct queue *queue) {
    pthread_mutex_lock(&queue->lock);
    while (!queue->first && !queue->closed) pthread_cond_wait(&queue->filled, &queue->lock);
    struct batch *batch = queue->first;
    if (batch) queue->first = batch->next;
    pthread_mutex_unlock(&queue->lock);
    return batch;
}

static void queue_close(struct queue *queue) {
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_cond_broadcast(&queue->filled);
    pthread_mutex_unlock(&queue->lock);
}

static size_t batch_fill(struct batch *batch, uint32_t *state, size_t most) {
    batch->count = most < BATCH_BLOCKS ? most : BATCH_BLOCKS;
    for (size_t i = 0; i < batch->count; i++)
        batch->block[i] = bench_malloc(bench_between(state, handoff.least, handoff.most));
    return batch->count;
}

static void batch_empty(struct batch *batch) {
    for (size_t i = 0; i < batch->count; i++) bench_free(batch->block[i]);
    batch->count = 0;
}

static void check_depth(size_t threads) {
    if (handoff.depth > BATCHES_MAX / threads)
        bench_fail("%zu threads: at most %zu batches each", threads, BATCHES_MAX / threads);
}

/* ---- Pipe ---------------------------------------------------------------------------------- */

static void *produce(void *argument) {
    struct worker *worker = argument;
    while (worker->blocks > 0) {
        struct batch *batch = queue_get(worker->from);
        worker->blocks -= batch_fill(batch, &worker->state, worker->blocks);
        queue_put(worker->to, batch);
    }
    pthread_mutex_lock(&handoff.lock);
    bool last = --handoff.producing == 0;
    pthread_mutex_unlock(&handoff.lock);
    if (last) queue_close(worker->to);
    return NULL;
}

static void *consume(void *argument) {
    struct worker *worker = argument;
    struct batch *batch;
    while ((batch = queue_get(worker->from))) {
        batch_empty(batch);
        queue_put(worker->to, batch);
    }
    return NULL;
}

static void *pipe_work(void *argument) {
    struct worker *worker = argument;
    return worker < &workers[handoff.producers] ? produce(worker) : consume(worker);
}

static size_t pipe_start(size_t producers, size_t consumers, size_t blocks) {
    struct queue *empty = &queues[0], *full = &queues[1];
    size_t threads = producers + consumers;
    if (consumers == 0 || threads > BENCH_THREADS_MAX)
        bench_fail("1 to %d producers and consumers", BENCH_THREADS_MAX);
    for (size_t i = 0; i < threads; i++) {
        bool producer = i < producers;
        workers[i].from = producer ? empty : full;
        workers[i].to = producer ? full : empty;
        workers[i].blocks = producer ? blocks / producers + (i < blocks % producers) : 0;
    }
    check_depth(threads);
    for (size_t i = 0; i < threads * handoff.depth; i++) queue_put(empty, &batches[i]);
    handoff.producing = producers;
    return threads;
}

/* ---- Ring ---------------------------------------------------------------------------------- */

/* All threads pass on as many batches, so none waits for one that has ended. */
static void *ring_work(void *argument) {
    struct worker *worker = argument;
    while (worker->blocks > 0) {
        struct batch *batch = queue_get(worker->from);
        batch_empty(batch);
        worker->blocks -= batch_fill(batch, &worker->state, worker->blocks);
        queue_put(worker->to, batch);
    }
    return NULL;
}

static size_t ring_start(size_t threads, size_t blocks) {
    if (threads > BENCH_THREADS_MAX) bench_fail("at most %d threads", BENCH_THREADS_MAX);
    check_depth(threads);
    for (size_t i = 0; i < threads; i++) {
        workers[i].from = &queues[i];
        workers[i].to = &queues[(i + 1) % threads];
        workers[i].blocks = blocks / threads;
        for (size_t k = 0; k < handoff.depth; k++)
            queue_put(&queues[i], &batches[i * handoff.depth + k]);
    }
    return threads;
}

/* What the last threads have sent, and nobody has taken. */
static void ring_drain(size_t threads) {
    for (size_t i = 0; i < threads * handoff.depth; i++) batch_empty(&batches[i]);
}

int main(int argc, char **argv) {
    size_t ring = 0, producers = 1, consumers = 1, blocks = 10000000, seed = 1;
    const struct bench_argument arguments[] = {
        {"shape=pipe|ring", &ring, 0}, {"producers", &producers, 1}, {"consumers", &consumers, 0},
        {"blocks", &blocks, 1},        {"seed", &seed, 0},           {"min", &handoff.least, 8},
        {"max", &handoff.most, 8},     {"depth", &handoff.depth, 1}};
    bench_start(argc, argv, arguments, sizeof arguments / sizeof *arguments);
    if (handoff.least > handoff.most) bench_fail("min must not exceed max");
    handoff.producers = producers;
    for (size_t i = 0; i < BENCH_THREADS_MAX; i++) {
        pthread_mutex_init(&queues[i].lock, NULL);
        pthread_cond_init(&queues[i].filled, NULL);
        workers[i].state = bench_thread_seed(seed, i);
    }
    size_t threads = ring ? ring_start(producers, blocks)
                          : pipe_start(producers, consumers, blocks);
    if (ring) blocks = blocks / threads * threads;

    struct bench_run run = {0};
    bench_begin(&run);
    bench_threads(threads, ring ? ring_work : pipe_work, workers, sizeof *workers);
    bench_end(&run);
    if (ring) ring_drain(threads);
    bench_print("handoff", &run, blocks, NULL);
    return 0;
}
