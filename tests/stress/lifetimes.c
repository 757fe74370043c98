/* SPDX-License-Identifier: MIT
 *
 * Blocks of all lifetimes at once, over generations of threads.
 *
 * Each thread of a generation allocates blocks that die at once, with the thread, after some
 * generations (handed over in a table from which any thread takes them), or at the end of the
 * program.  So slabs are held by a few long-lived blocks while the threads that made them are
 * long gone.  When everything is freed, all memory must come back, up to 1 MiB and what the heaps
 * of as many threads keep for themselves, their magazines (docs/decisions/0010).
 *
 * Concurrency: entries of the table change hands by atomic exchange.  The permanent blocks of a
 * thread are kept in its context, which the main thread reads after joining it.
 */
#include "stress.h"

#include <stdatomic.h>
#include <stdio.h>

enum { TABLE = 4096, WITH_THREAD = 512, PERMANENT_MAX = 1 << 16 };
enum { GROWTH_KIB = 1024, HEAP_KIB = 24 };

/* A block is its own record. */
struct record {
    size_t size;
    uint64_t key;
    unsigned char content[];
};

struct worker {
    uint64_t state;
    size_t permanent_count;
    struct record **permanent;
};

static struct {
    size_t steps, most, seed;
    _Atomic(struct record *) table[TABLE];
    atomic_ulong blocks;
} run = {.steps = 20000, .most = 32768, .seed = 1};

static struct record *make(uint64_t *state, size_t most) {
    size_t content = stress_size(state, most), size = sizeof(struct record) + content;
    struct record *record = stress_need(family.malloc(size), size);
    record->size = content;
    record->key = stress_key(record, content, run.seed);
    stress_write(record->content, content, record->key);
    return record;
}

static void discard(struct record *record) {
    if (!record) return;
    if (record->key != stress_key(record, record->size, run.seed))
        stress_fail("block %p: its head was overwritten", (void *)record);
    stress_check(record->content, record->size, record->key, "before free");
    family.free(record);
}

static void *work(void *argument) {
    struct worker *worker = argument;
    struct record *mine[WITH_THREAD] = {0};
    for (size_t i = 0; i < run.steps; i++) {
        size_t lifetime = stress_below(&worker->state, 100);
        if (lifetime < 50) {
            discard(make(&worker->state, 1024));
        } else if (lifetime < 80) {
            size_t slot = stress_below(&worker->state, WITH_THREAD);
            discard(mine[slot]);
            mine[slot] = make(&worker->state, run.most);
        } else if (lifetime < 99 || worker->permanent_count == PERMANENT_MAX) {
            size_t slot = stress_below(&worker->state, TABLE);
            discard(atomic_exchange(&run.table[slot], make(&worker->state, run.most)));
        } else {
            worker->permanent[worker->permanent_count++] = make(&worker->state, 512);
        }
    }
    for (size_t i = 0; i < WITH_THREAD; i++) discard(mine[i]);
    atomic_fetch_add(&run.blocks, run.steps);
    return NULL;
}

int main(int argc, char **argv) {
    size_t threads = 4, generations = 20;
    const struct stress_argument arguments[] = {{"threads", &threads},
                                                {"generations", &generations},
                                                {"steps", &run.steps},
                                                {"most", &run.most},
                                                {"seed", &run.seed}};
    stress_start(argc, argv, arguments, sizeof arguments / sizeof *arguments);
    struct worker *workers = stress_map(threads * sizeof *workers);
    for (size_t i = 0; i < threads; i++) {
        workers[i].state = stress_mix(run.seed, i);
        workers[i].permanent = stress_map(PERMANENT_MAX * sizeof(struct record *));
    }
    long start_kib = stress_resident_kib();
    for (size_t i = 0; i < generations; i++)
        stress_run_threads(threads, work, workers, sizeof *workers);

    for (size_t i = 0; i < threads; i++)
        for (size_t j = 0; j < workers[i].permanent_count; j++) discard(workers[i].permanent[j]);
    for (size_t i = 0; i < TABLE; i++) discard(atomic_exchange(&run.table[i], NULL));
    const char *function = family.give_back();
    long allowed_kib = GROWTH_KIB + HEAP_KIB * (long)threads;
    long growth_kib = stress_check_growth(start_kib, allowed_kib, "after everything was freed");
    printf("lifetimes threads=%zu generations=%zu blocks=%lu growth_kib=%ld after %s seed=%zu: "
           "passed\n",
           threads, generations, atomic_load(&run.blocks), growth_kib, function, run.seed);
    return 0;
}
