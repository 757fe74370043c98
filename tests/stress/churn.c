/* SPDX-License-Identifier: MIT
 *
 * Threads come and go, and memory stays flat.
 *
 * Threads run a few at a time, each allocates, writes, checks and frees blocks, and ends.  By mode:
 *   0  plain: each thread frees all that it allocated
 *   1  the same again in destructors of thread keys, in several rounds of them
 *   2  left: each thread leaves blocks behind, which later threads check and free
 *   3  ending: each thread's blocks are freed by another that runs while it ends
 * Resident memory is read a hundred times on the way.  With give_back=1 free memory is given back
 * before each reading: what grows then is lost.  The maximum in the last fifth may be 1 MiB above
 * the maximum in the first two: single readings differ by what the threads of the moment hold.
 * Without, it may be by all the slabs that threads which run at once can have, as it depends on how
 * many of them the machine stops in the middle of their work.
 *
 * Concurrency: left[] entries change hands by atomic exchange.  In mode 3 the main thread frees
 * what a worker posted while that worker is on its way out.
 */
#include "stress.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum mode { PLAIN, DESTRUCTORS, LEFT, ENDING, MODES };
enum { BLOCKS = 64, LEFT_SLOTS = 512, AT_ONCE_MAX = 64, GROWTH_KIB = 1024, READINGS = 100 };
enum { SLAB_KIB = 64 };

/* A block that can check itself: it is its own record. */
struct left {
    size_t size;
    uint64_t key;
    unsigned char content[];
};

struct worker {
    pthread_t thread;
    uint64_t state;
    _Atomic(struct left *) posted[BLOCKS];
};

static struct {
    enum mode mode;
    bool give_back;
    size_t rounds, seed;
    pthread_key_t first_key, second_key;
    _Atomic(struct left *) left[LEFT_SLOTS];
    atomic_ulong blocks, destructors;
} run = {.rounds = 4, .seed = 1};

static struct left *make(uint64_t *state) {
    size_t content = stress_size(state, 4096);
    size_t size = sizeof(struct left) + content;
    struct left *block = stress_need(family.malloc(size), size);
    block->size = content;
    block->key = stress_key(block, content, run.seed);
    stress_write(block->content, content, block->key);
    return block;
}

static void check_and_free(struct left *block) {
    if (!block) return;
    if (block->key != stress_key(block, block->size, run.seed))
        stress_fail("block %p: its head was overwritten", (void *)block);
    stress_check(block->content, block->size, block->key, "before free");
    family.free(block);
}

static void allocate_and_free(uint64_t *state) {
    struct left *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) blocks[i] = make(state);
    for (size_t i = 0; i < BLOCKS; i++) check_and_free(blocks[i]);
    atomic_fetch_add(&run.blocks, BLOCKS);
}

/* The value of a key is a block with the number of rounds to go. */
static void destroy(void *value) {
    pthread_key_t key = *(pthread_key_t *)value;
    uint64_t *words = value;
    uint64_t rounds = words[1], state = stress_mix(rounds, run.seed);
    family.free(value);
    allocate_and_free(&state);
    atomic_fetch_add(&run.destructors, 1);
    if (rounds == 0) return;
    uint64_t *again = stress_need(family.malloc(2 * sizeof *again), 2 * sizeof *again);
    memcpy(again, &key, sizeof key);
    again[1] = rounds - 1;
    pthread_setspecific(key, again);
}

static void set_key(pthread_key_t key) {
    uint64_t *words = stress_need(family.malloc(2 * sizeof *words), 2 * sizeof *words);
    memcpy(words, &key, sizeof key);
    words[1] = run.rounds - 1;
    pthread_setspecific(key, words);
}

static void leave_blocks(uint64_t *state) {
    for (size_t i = 0; i < BLOCKS / 4; i++) {
        size_t slot = stress_below(state, LEFT_SLOTS);
        check_and_free(atomic_exchange(&run.left[slot], make(state)));
    }
    atomic_fetch_add(&run.blocks, BLOCKS / 4);
}

static void post_blocks(struct worker *worker) {
    for (size_t i = 0; i < BLOCKS; i++) atomic_store(&worker->posted[i], make(&worker->state));
    atomic_fetch_add(&run.blocks, BLOCKS);
}

static void *work(void *argument) {
    struct worker *worker = argument;
    if (run.mode == DESTRUCTORS) {
        set_key(run.first_key);
        set_key(run.second_key);
    }
    if (run.mode == LEFT) leave_blocks(&worker->state);
    else if (run.mode == ENDING) post_blocks(worker);
    else allocate_and_free(&worker->state);
    return NULL;
}

/* Frees the blocks one by one as they are posted: the last ones while their thread ends. */
static void free_posted(struct worker *worker) {
    for (size_t i = 0; i < BLOCKS; i++) {
        struct left *block;
        while (!(block = atomic_exchange(&worker->posted[i], NULL))) sched_yield();
        check_and_free(block);
    }
}

/* One round of threads that overlap. */
static void run_round(struct worker *workers, size_t count) {
    for (size_t i = 0; i < count; i++) {
        int error = pthread_create(&workers[i].thread, NULL, work, &workers[i]);
        if (error) stress_fail("pthread_create: %s", strerror(error));
    }
    for (size_t i = 0; run.mode == ENDING && i < count; i++) free_posted(&workers[i]);
    for (size_t i = 0; i < count; i++) pthread_join(workers[i].thread, NULL);
}

static long larger(long a, long b) {
    return a > b ? a : b;
}

/* All rounds.  Returns by how much the maximum of resident memory grew; -1: not known. */
static long run_all(struct worker *workers, size_t threads, size_t at_once) {
    long first_kib = -1, last_kib = -1;
    size_t done = 0;
    for (size_t reading = 0; reading < READINGS; reading++) {
        for (; done * READINGS < threads * (reading + 1); done += at_once)
            run_round(workers, at_once);
        if (run.give_back) family.give_back();
        if (reading < READINGS * 2 / 5) first_kib = larger(first_kib, stress_resident_kib());
        else if (reading >= READINGS * 4 / 5) last_kib = larger(last_kib, stress_resident_kib());
    }
    if (first_kib < 0) return -1;
    long allowed_kib = GROWTH_KIB;
    if (!run.give_back) allowed_kib += (long)at_once * BLOCKS * SLAB_KIB;
    if (last_kib - first_kib > allowed_kib)
        stress_fail(
            "resident memory grew by %ld KiB over %zu threads, from at most %ld to %ld; %ld are "
            "allowed",
            last_kib - first_kib, threads, first_kib, last_kib, allowed_kib);
    return last_kib - first_kib;
}

int main(int argc, char **argv) {
    size_t mode = PLAIN, threads = 5000, at_once = 4, give_back = 0;
    const struct stress_argument arguments[] = {{"mode", &mode},         {"threads", &threads},
                                                {"at_once", &at_once},   {"give_back", &give_back},
                                                {"rounds", &run.rounds}, {"seed", &run.seed}};
    stress_start(argc, argv, arguments, sizeof arguments / sizeof *arguments);
    if (mode >= MODES || run.rounds < 1 || at_once < 1 || at_once > AT_ONCE_MAX)
        stress_fail("arguments out of range");
    run.mode = (enum mode)mode;
    run.give_back = give_back != 0;
    pthread_key_create(&run.first_key, destroy);
    pthread_key_create(&run.second_key, destroy);
    struct worker *workers = stress_map(at_once * sizeof *workers);
    for (size_t i = 0; i < at_once; i++) workers[i].state = stress_mix(run.seed, i);

    long growth_kib = run_all(workers, threads, at_once);
    for (size_t i = 0; i < LEFT_SLOTS; i++) check_and_free(atomic_exchange(&run.left[i], NULL));
    if (run.mode == DESTRUCTORS && atomic_load(&run.destructors) < threads * 2 * run.rounds)
        stress_fail("only %lu destructors ran", atomic_load(&run.destructors));
    printf("churn mode=%d threads=%zu blocks=%lu growth_kib=%ld seed=%zu: passed\n", (int)run.mode,
           threads, atomic_load(&run.blocks), growth_kib, run.seed);
    return 0;
}
