/* SPDX-License-Identifier: MIT
 *
 * Blocks allocated by some threads and freed by others.
 *
 * Producers allocate and write blocks and put them into the bounded queues of the consumers,
 * which check and free them: 1 to 1, many to 1, 1 to many.  With ring=N instead, N threads in a
 * circle each allocate, pass blocks on to the next for a few hops, and free what has arrived.
 *
 * Resident memory must stay within `percent` (150) of the largest number of live bytes so far
 * + 16 MiB + what it was at the start, however many blocks pass: a consumer that never allocates
 * must not strand them.
 *
 * Concurrency: a queue is a ring buffer under its lock.  Live bytes are counted in one atomic
 * number, raised before they are allocated and lowered after they are freed.  The contents of a
 * parcel belong to whoever took it from a queue.
 */
#include "stress.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum { BATCH = 32, THREADS_MAX = 64, DEPTH_MAX = 1 << 16, SLACK_KIB = 16 << 10 };

struct parcel {
    void *block;
    uint64_t key;
    uint32_t size;
    uint16_t from; /* the thread that allocated it */
    uint16_t hops; /* threads still to pass it on */
};

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t head, count, producers; /* lock */
    size_t held[THREADS_MAX];      /* lock: of each thread's parcels */
    struct parcel *parcels;        /* lock */
};

struct worker {
    uint64_t state;
    size_t index;
};

static struct {
    /* const once threads run */
    size_t producers, consumers, ring, blocks, least, most, depth, share, percent;
    size_t seed;
    struct queue queues[THREADS_MAX];
    atomic_long live_bytes, peak_bytes, freed, handed;
    atomic_bool done;
    long start_kib, worst_kib; /* the watcher's; main reads them after joining it */
} run = {.producers = 1,
         .consumers = 1,
         .blocks = 1000000,
         .least = 16,
         .most = 1024,
         .depth = 4096,
         .percent = 150,
         .seed = 1};

/* ---- Queues ------------------------------------------------------------------------------ */

static void open_queue(struct queue *queue, size_t producers) {
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->changed, NULL);
    queue->producers = producers;
    queue->parcels = stress_map(run.depth * sizeof *queue->parcels);
}

/* A thread's parcels take up no more than its share of a queue: else one that runs while the others
 * wait would fill it, and the next one, and live blocks would not bound what the threads hold. */
static bool has_room(const struct queue *queue, size_t from) {
    return queue->count < run.depth && queue->held[from] < run.share;
}

/* Waits for room for at least one parcel if `wait`.  Returns how many of them were put. */
static size_t put(struct queue *queue, const struct parcel *parcels, size_t count, bool wait) {
    size_t done = 0;
    pthread_mutex_lock(&queue->lock);
    while (wait && !has_room(queue, parcels[0].from))
        pthread_cond_wait(&queue->changed, &queue->lock);
    for (; done < count && has_room(queue, parcels[done].from); done++) {
        queue->held[parcels[done].from]++;
        queue->parcels[(queue->head + queue->count++) % run.depth] = parcels[done];
    }
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
    return done;
}

static void put_all(struct queue *queue, const struct parcel *parcels, size_t count) {
    for (size_t done = 0; done < count;) done += put(queue, parcels + done, count - done, true);
}

/* Up to BATCH parcels.  Waits for one if `wait`; 0 then means that all producers have finished. */
static size_t take(struct queue *queue, struct parcel *parcels, bool wait) {
    pthread_mutex_lock(&queue->lock);
    while (wait && queue->count == 0 && queue->producers > 0)
        pthread_cond_wait(&queue->changed, &queue->lock);
    size_t done = 0;
    for (; done < BATCH && queue->count > 0; done++, queue->count--) {
        parcels[done] = queue->parcels[queue->head];
        queue->held[parcels[done].from]--;
        queue->head = (queue->head + 1) % run.depth;
    }
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
    return done;
}

static void finish(struct queue *queue) {
    pthread_mutex_lock(&queue->lock);
    queue->producers--;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

/* ---- Parcels ----------------------------------------------------------------------------- */

static void count_live(long bytes) {
    long live = atomic_fetch_add(&run.live_bytes, bytes) + bytes;
    long peak = atomic_load(&run.peak_bytes);
    while (live > peak && !atomic_compare_exchange_weak(&run.peak_bytes, &peak, live))
        ;
}

static struct parcel make(struct worker *worker) {
    size_t size = run.least + stress_size(&worker->state, run.most - run.least);
    count_live((long)size);
    void *block = stress_need(family.malloc(size), size);
    struct parcel parcel = {block, stress_key(block, size, run.seed), (uint32_t)size,
                            (uint16_t)worker->index, 0};
    stress_write(block, size, parcel.key);
    return parcel;
}

static void make_batch(struct worker *worker, struct parcel *parcels, size_t count) {
    for (size_t i = 0; i < count; i++) parcels[i] = make(worker);
}

static void free_batch(const struct parcel *parcels, size_t count) {
    long bytes = 0;
    for (size_t i = 0; i < count; i++) {
        stress_check(parcels[i].block, parcels[i].size, parcels[i].key, "received");
        bytes += parcels[i].size;
        family.free(parcels[i].block);
    }
    count_live(-bytes);
    atomic_fetch_add(&run.freed, (long)count);
}

/* ---- Threads ----------------------------------------------------------------------------- */

static void produce(struct worker *worker) {
    struct parcel parcels[BATCH] = {0};
    size_t left = run.blocks / run.producers;
    for (size_t batch = worker->index; left > 0; batch++) {
        size_t count = left < BATCH ? left : BATCH;
        make_batch(worker, parcels, count);
        put_all(&run.queues[batch % run.consumers], parcels, count);
        atomic_fetch_add(&run.handed, (long)count);
        left -= count;
    }
    for (size_t i = 0; i < run.consumers; i++) finish(&run.queues[i]);
}

static void consume(struct worker *worker) {
    struct parcel parcels[BATCH] = {0};
    struct queue *queue = &run.queues[worker->index - run.producers];
    for (size_t count; (count = take(queue, parcels, true)) > 0;) free_batch(parcels, count);
}

/* Sends parcels to the next of the ring.  What finds no room in a while is freed here: all queues
 * of a ring may be full, and then waiting would be for ever. */
static void send_on(struct worker *worker, const struct parcel *parcels, size_t count) {
    struct queue *next = &run.queues[(worker->index + 1) % run.ring];
    size_t sent = put(next, parcels, count, false);
    for (unsigned patience = 0; sent < count && patience < 16; patience++) {
        sched_yield();
        sent += put(next, parcels + sent, count - sent, false);
    }
    atomic_fetch_add(&run.handed, (long)sent);
    free_batch(parcels + sent, count - sent);
}

/* Frees what has arrived for good and passes the rest on. */
static void pass_on(struct worker *worker, struct parcel *parcels, size_t count) {
    struct parcel onward[BATCH] = {0};
    size_t staying = 0, leaving = 0;
    for (size_t i = 0; i < count; i++) {
        if (parcels[i].hops == 0) {
            parcels[staying++] = parcels[i];
        } else {
            onward[leaving] = parcels[i];
            onward[leaving++].hops--;
        }
    }
    free_batch(parcels, staying);
    send_on(worker, onward, leaving);
}

static void circle(struct worker *worker) {
    struct parcel parcels[BATCH] = {0};
    struct queue *mine = &run.queues[worker->index];
    for (size_t left = run.blocks / run.ring; left > 0;) {
        size_t count = left < BATCH ? left : BATCH;
        make_batch(worker, parcels, count);
        for (size_t i = 0; i < count; i++)
            parcels[i].hops = (uint16_t)stress_below(&worker->state, run.ring + 2);
        send_on(worker, parcels, count);
        left -= count;
        pass_on(worker, parcels, take(mine, parcels, false));
    }
    finish(&run.queues[(worker->index + 1) % run.ring]);
    for (size_t count; (count = take(mine, parcels, true)) > 0;) free_batch(parcels, count);
}

static void *work(void *argument) {
    struct worker *worker = argument;
    if (run.ring) circle(worker);
    else if (worker->index < run.producers) produce(worker);
    else consume(worker);
    return NULL;
}

static void *watch(void *argument) {
    (void)argument;
    while (!atomic_load(&run.done)) {
        long limit_kib = atomic_load(&run.peak_bytes) / 1024 * (long)run.percent / 100 + SLACK_KIB;
        long growth_kib = stress_check_growth(run.start_kib, limit_kib, "while blocks pass");
        if (growth_kib > run.worst_kib) run.worst_kib = growth_kib;
        struct timespec pause = {.tv_nsec = 10000000};
        nanosleep(&pause, NULL);
    }
    return NULL;
}

int main(int argc, char **argv) {
    const struct stress_argument arguments[] = {
        {"producers", &run.producers}, {"consumers", &run.consumers}, {"ring", &run.ring},
        {"blocks", &run.blocks},       {"least", &run.least},         {"most", &run.most},
        {"depth", &run.depth},         {"percent", &run.percent},     {"seed", &run.seed}};
    stress_start(argc, argv, arguments, sizeof arguments / sizeof *arguments);
    size_t queues = run.ring ? run.ring : run.consumers;
    size_t threads = run.ring ? run.ring : run.producers + run.consumers;
    if (queues < 1 || threads > THREADS_MAX || (!run.ring && run.producers < 1) ||
        run.least > run.most || run.depth < 1 || run.depth > DEPTH_MAX)
        stress_fail("arguments out of range");
    run.share = run.ring || run.depth < run.producers ? run.depth : run.depth / run.producers;
    for (size_t i = 0; i < queues; i++) open_queue(&run.queues[i], run.ring ? 1 : run.producers);
    struct worker *workers = stress_map(threads * sizeof *workers);
    for (size_t i = 0; i < threads; i++)
        workers[i] = (struct worker){.state = stress_mix(run.seed, i), .index = i};

    run.start_kib = stress_resident_kib();
    pthread_t watcher;
    if (pthread_create(&watcher, NULL, watch, NULL) != 0) stress_fail("pthread_create");
    stress_run_threads(threads, work, workers, sizeof *workers);
    atomic_store(&run.done, true);
    pthread_join(watcher, NULL);
    if (atomic_load(&run.live_bytes) != 0)
        stress_fail("%ld live bytes are left in the queues", atomic_load(&run.live_bytes));
    printf("handoff producers=%zu consumers=%zu ring=%zu freed=%ld handed=%ld live_kib=%ld "
           "growth_kib=%ld seed=%zu: passed\n",
           run.producers, run.consumers, run.ring, atomic_load(&run.freed),
           atomic_load(&run.handed), atomic_load(&run.peak_bytes) / 1024, run.worst_kib, run.seed);
    return 0;
}
