/* SPDX-License-Identifier: MIT
 *
 * Random operations with every byte of every block checked.
 *
 * Each thread has slots.  A step picks one: an empty slot gets a block by any function of the
 * family; a full one is checked and freed by any function that may free it, or resized, or
 * exchanged with a block in a table that all threads share, so that blocks are freed by threads
 * that did not allocate them. The distribution of sizes changes from phase to phase; `budget`
 * bounds the live bytes of a thread.
 *
 * Concurrency: slots belong to their thread; an entry of the shared table to whoever holds its
 * lock.
 */
#include "stress.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { PHASES = 8, SHARED = 64, SENTINEL_ERRNO = 4242 };

enum origin { FROM_MALLOC, FROM_ALIGNED, FROM_POSIX };

struct slot {
    void *block;
    size_t size;      /* as asked for */
    size_t written;   /* as written: to the usable size, now and then */
    size_t alignment; /* FROM_ALIGNED */
    uint64_t key;
    enum origin origin;
};

struct worker {
    uint64_t state, seed;
    struct slot *slots;
    size_t live_bytes;
    uint64_t blocks;
};

static struct {
    pthread_mutex_t lock;
    struct slot slot; /* lock */
} shared[SHARED];

static struct {
    size_t operations, slots, most, budget;
} run = {.operations = 1000000, .slots = 2000, .most = 8 << 20};

/* ---- Allocating -------------------------------------------------------------------------- */

static size_t choose_size(struct worker *worker, size_t phase) {
    switch (phase % 4) {
    case 0:
        return stress_below(&worker->state, 257);
    case 1:
        return stress_size(&worker->state, run.most < 32768 ? run.most : 32768);
    case 2:
        return stress_below(&worker->state, 1200);
    default:
        return stress_size(&worker->state, run.most);
    }
}

static size_t choose_alignment(struct worker *worker) {
    unsigned last = stress_below(&worker->state, 64) == 0 ? 22 : 13;
    return (size_t)8 << stress_below(&worker->state, last - 2);
}

static void write_slot(struct worker *worker, struct slot *slot) {
    size_t usable = family.usable_size(slot->block);
    if (usable < slot->size)
        stress_fail("block %p of %zu bytes says that it has %zu", slot->block, slot->size, usable);
    slot->written = stress_below(&worker->state, 4) == 0 ? usable : slot->size;
    slot->key = stress_key(slot->block, slot->written, worker->seed);
    stress_write(slot->block, slot->written, slot->key);
}

static void check_alignment(const struct slot *slot, size_t alignment) {
    if ((uintptr_t)slot->block % alignment != 0)
        stress_fail("block %p of %zu bytes is not aligned to %zu", slot->block, slot->size,
                    alignment);
}

static void allocate(struct worker *worker, struct slot *slot, size_t size) {
    unsigned way = (unsigned)stress_below(&worker->state, 16);
    slot->size = size;
    slot->origin = FROM_MALLOC;
    slot->alignment = 16;
    if (way < 9) {
        slot->block = stress_need(family.malloc(size), size);
    } else if (way < 12) {
        size_t count = 1 + stress_below(&worker->state, 8);
        slot->size = size / count * count;
        slot->block = stress_need(family.calloc(count, size / count), size);
        stress_check_zero(slot->block, slot->size);
    } else if (way < 13) {
        slot->block = stress_need(family.realloc(NULL, size), size);
    } else {
        slot->alignment = choose_alignment(worker);
        if (way < 15) {
            slot->origin = FROM_ALIGNED;
            slot->block = stress_need(family.aligned_alloc(slot->alignment, size), size);
        } else {
            slot->origin = FROM_POSIX;
            int error = family.posix_memalign(&slot->block, slot->alignment, size);
            if (error)
                stress_fail("posix_memalign(%zu, %zu): %s", slot->alignment, size, strerror(error));
        }
    }
    check_alignment(slot, slot->alignment);
    write_slot(worker, slot);
    worker->live_bytes += slot->size;
    worker->blocks++;
}

/* ---- Freeing, resizing, exchanging ------------------------------------------------------- */

static void release(struct worker *worker, struct slot *slot) {
    stress_check(slot->block, slot->written, slot->key, "before free");
    worker->live_bytes -= slot->size;
    errno = SENTINEL_ERRNO;
    if (stress_below(&worker->state, 4) != 0 || slot->origin == FROM_POSIX)
        family.free(slot->block);
    else if (slot->origin == FROM_MALLOC) family.free_sized(slot->block, slot->size);
    else family.free_aligned_sized(slot->block, slot->alignment, slot->size);
    if (errno != SENTINEL_ERRNO) stress_fail("free(%p) changed errno to %d", slot->block, errno);
    *slot = (struct slot){0};
}

static void resize(struct worker *worker, struct slot *slot, size_t size) {
    if (size == 0) size = 1; /* realloc(p, 0) frees */
    size_t kept = slot->size < size ? slot->size : size;
    void *block = stress_need(family.realloc(slot->block, size), size);
    stress_check(block, kept, slot->key, "after realloc");
    worker->live_bytes += size - slot->size;
    slot->block = block;
    slot->size = size;
    slot->origin = FROM_MALLOC;
    check_alignment(slot, 16);
    write_slot(worker, slot);
}

/* The blocks change their worker, and so the count of live bytes that they are part of. */
static void exchange(struct worker *worker, struct slot *slot) {
    size_t index = stress_below(&worker->state, SHARED);
    pthread_mutex_lock(&shared[index].lock);
    struct slot theirs = shared[index].slot;
    shared[index].slot = *slot;
    pthread_mutex_unlock(&shared[index].lock);
    worker->live_bytes += theirs.size - slot->size;
    *slot = theirs;
}

static void step(struct worker *worker, size_t phase) {
    struct slot *slot = &worker->slots[stress_below(&worker->state, run.slots)];
    size_t size = choose_size(worker, phase);
    unsigned choice = (unsigned)stress_below(&worker->state, 16);
    bool room = worker->live_bytes + size < run.budget;
    if (choice == 0) exchange(worker, slot);
    else if (!slot->block && room) allocate(worker, slot, size);
    else if (slot->block && choice < 4 && room) resize(worker, slot, size);
    else if (slot->block && choice < 6)
        stress_check(slot->block, slot->written, slot->key, "while live");
    else if (slot->block) release(worker, slot);
}

static void *work(void *argument) {
    struct worker *worker = argument;
    for (size_t i = 0; i < run.operations; i++) step(worker, i * PHASES / run.operations);
    for (size_t i = 0; i < run.slots; i++)
        if (worker->slots[i].block) release(worker, &worker->slots[i]);
    return NULL;
}

int main(int argc, char **argv) {
    size_t threads = 4, budget_mib = 32, seed = 1;
    const struct stress_argument arguments[] = {
        {"threads", &threads}, {"operations", &run.operations}, {"slots", &run.slots},
        {"most", &run.most},   {"budget_mib", &budget_mib},     {"seed", &seed}};
    stress_start(argc, argv, arguments, sizeof arguments / sizeof *arguments);
    run.budget = budget_mib << 20;
    struct worker *workers = stress_map(threads * sizeof *workers);
    for (size_t i = 0; i < SHARED; i++) pthread_mutex_init(&shared[i].lock, NULL);
    for (size_t i = 0; i < threads; i++) {
        workers[i].state = stress_mix(seed, i);
        workers[i].seed = stress_mix(i, seed);
        workers[i].slots = stress_map(run.slots * sizeof *workers[i].slots);
    }
    stress_run_threads(threads, work, workers, sizeof *workers);
    uint64_t blocks = 0;
    for (size_t i = 0; i < SHARED; i++)
        if (shared[i].slot.block) release(&workers[0], &shared[i].slot);
    for (size_t i = 0; i < threads; i++) blocks += workers[i].blocks;
    printf("random_ops threads=%zu operations=%zu blocks=%" PRIu64 " seed=%zu: passed\n", threads,
           run.operations, blocks, seed);
    return 0;
}
