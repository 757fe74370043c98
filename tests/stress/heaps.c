/* SPDX-License-Identifier: MIT
 *
 * First-class heaps, used by many threads at once.
 *
 * Threads allocate in heaps that they pick at random, check and free blocks by hak_free in
 * whatever thread, and now and then destroy a heap with all the blocks in it and make a new one.
 * The contents of the other heaps' blocks must survive.  At the end every heap is destroyed and
 * memory must come back.
 *
 * Concurrency: using a heap holds its lock for reading, so that calls on it run at the same time;
 * destroying holds it for writing.  A thread has slots of its own in every heap.
 */
#include "stress.h"

#include "hakmem.h"

#include <pthread.h>
#include <stdio.h>

enum { HEAPS = 8, THREADS_MAX = 16, SLOTS = 256, GROWTH_KIB = 1024 };

struct slot {
    void *block;
    size_t size;
    uint64_t key;
};

struct shared_heap {
    pthread_rwlock_t lock;
    struct hak_heap *heap;                 /* lock */
    struct slot slots[THREADS_MAX][SLOTS]; /* the thread's, under the lock for reading */
};

struct worker {
    uint64_t state;
    size_t index;
    size_t blocks, destroyed;
};

static struct {
    size_t steps, most, seed;
    struct shared_heap *heaps;
} run = {.steps = 500000, .most = 65536, .seed = 1};

static struct hak_heap *new_heap(void) {
    struct hak_heap *heap = hak_heap_new();
    if (!heap) stress_fail("hak_heap_new: no memory");
    return heap;
}

static void *allocate(struct hak_heap *heap, uint64_t *state, size_t size) {
    size_t way = stress_below(state, 8);
    if (way == 0) {
        void *block = stress_need(hak_heap_calloc(heap, 1, size), size);
        stress_check_zero(block, size);
        return block;
    }
    if (way == 1) {
        size_t alignment = (size_t)16 << stress_below(state, 9);
        void *block = stress_need(hak_heap_aligned_alloc(heap, alignment, size), size);
        if ((uintptr_t)block % alignment != 0)
            stress_fail("block %p is not aligned to %zu", block, alignment);
        return block;
    }
    return stress_need(hak_heap_malloc(heap, size), size);
}

static void use(struct worker *worker, struct shared_heap *shared) {
    struct slot *slot = &shared->slots[worker->index][stress_below(&worker->state, SLOTS)];
    if (slot->block) {
        stress_check(slot->block, slot->size, slot->key, "before free");
        hak_free(slot->block);
        slot->block = NULL;
        return;
    }
    slot->size = stress_size(&worker->state, run.most);
    slot->block = allocate(shared->heap, &worker->state, slot->size);
    slot->key = stress_key(slot->block, slot->size, run.seed);
    stress_write(slot->block, slot->size, slot->key);
    worker->blocks++;
}

/* The lock is held for writing.  All blocks are checked before they go with their heap. */
static void destroy(struct shared_heap *shared) {
    for (size_t i = 0; i < THREADS_MAX; i++) {
        for (size_t j = 0; j < SLOTS; j++) {
            struct slot *slot = &shared->slots[i][j];
            if (slot->block)
                stress_check(slot->block, slot->size, slot->key, "before the heap is destroyed");
            slot->block = NULL;
        }
    }
    hak_heap_destroy(shared->heap);
    shared->heap = NULL;
}

static void *work(void *argument) {
    struct worker *worker = argument;
    for (size_t i = 0; i < run.steps; i++) {
        struct shared_heap *shared = &run.heaps[stress_below(&worker->state, HEAPS)];
        if (stress_below(&worker->state, 5000) == 0) {
            pthread_rwlock_wrlock(&shared->lock);
            destroy(shared);
            shared->heap = new_heap();
            worker->destroyed++;
        } else {
            pthread_rwlock_rdlock(&shared->lock);
            use(worker, shared);
        }
        pthread_rwlock_unlock(&shared->lock);
    }
    return NULL;
}

int main(int argc, char **argv) {
    size_t threads = 4;
    const struct stress_argument arguments[] = {
        {"threads", &threads}, {"steps", &run.steps}, {"most", &run.most}, {"seed", &run.seed}};
    stress_start(argc, argv, arguments, sizeof arguments / sizeof *arguments);
    if (threads < 1 || threads > THREADS_MAX) stress_fail("arguments out of range");
    struct shared_heap *heaps = run.heaps = stress_map(HEAPS * sizeof *heaps);
    struct worker *workers = stress_map(threads * sizeof *workers);
    for (size_t i = 0; i < threads; i++)
        workers[i] = (struct worker){.state = stress_mix(run.seed, i), .index = i};

    long start_kib = stress_resident_kib();
    for (size_t i = 0; i < HEAPS; i++) {
        pthread_rwlock_init(&heaps[i].lock, NULL);
        heaps[i].heap = new_heap();
    }
    stress_run_threads(threads, work, workers, sizeof *workers);
    for (size_t i = 0; i < HEAPS; i++) destroy(&heaps[i]);
    family.give_back();
    long growth_kib = stress_check_growth(start_kib, GROWTH_KIB, "after every heap was destroyed");
    size_t blocks = 0, destroyed = 0;
    for (size_t i = 0; i < threads; i++) {
        blocks += workers[i].blocks;
        destroyed += workers[i].destroyed;
    }
    printf("heaps threads=%zu blocks=%zu destroyed=%zu growth_kib=%ld seed=%zu: passed\n", threads,
           blocks, destroyed, growth_kib, run.seed);
    return 0;
}
