/* SPDX-License-Identifier: MIT
 *
 * latency threads operations slots seed: how long single calls of malloc and free take.
 *
 * Each thread works like random_mixed: a random slot of `slots` is freed if it is full, and gets 16
 * to 1039 bytes if it is empty.  Each call is timed by the processor's counter, whose own cost, the
 * least of many empty measurements, is taken off.  All calls are counted, those that were
 * interrupted too: compare allocators in turns, not with a table.
 *
 * Prints for malloc and for free the quantiles over all threads in nanoseconds.  A quantile that is
 * smaller than a step of the counter is 0.  One operation is one call.
 */
#include "common.h"
#include "histogram.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct worker {
    _Alignas(128) uint32_t state;
    uint64_t cost; /* of the counter, in its steps */
    struct histogram mallocs, frees;
};

static size_t operations = 2000000, slots = 1024;

/* What comes before is done, and what comes after has not begun. */
static inline uint64_t counter(void) {
#if defined(__x86_64__)
    uint32_t low, high;
    __asm__ volatile("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
#elif defined(__aarch64__)
    uint64_t value;
    __asm__ volatile("isb\n\tmrs %0, cntvct_el0\n\tisb" : "=r"(value)::"memory");
    return value;
#else
    return (uint64_t)(bench_now() * 1e9);
#endif
}

static uint64_t counter_cost(void) {
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < 10000; i++) {
        uint64_t start = counter(), taken = counter() - start;
        if (taken < least) least = taken;
    }
    return least;
}

static void note(struct histogram *histogram, uint64_t taken, uint64_t cost) {
    histogram_add(histogram, taken > cost ? taken - cost : 0);
}

static void *work(void *argument) {
    struct worker *worker = argument;
    unsigned char **slot = calloc(slots, sizeof *slot);
    if (!slot) bench_fail("out of memory");
    worker->cost = counter_cost();
    for (size_t i = 0; i < operations; i++) {
        uint32_t draw = bench_xorshift32(&worker->state);
        unsigned char **at = &slot[draw % slots];
        if (*at) {
            bench_check(*at);
            uint64_t start = counter();
            free(*at);
            note(&worker->frees, counter() - start, worker->cost);
            *at = NULL;
        } else {
            size_t size = 16 + (draw & 1023);
            uint64_t start = counter();
            void *block = malloc(size);
            note(&worker->mallocs, counter() - start, worker->cost);
            *at = bench_stamp(block, size);
        }
    }
    for (size_t i = 0; i < slots; i++)
        if (slot[i]) bench_free(slot[i]);
    free(slot);
    return NULL;
}

/* Static, so that they take no memory of the allocator; touched before the run. */
enum { THREADS = 64 };
static struct worker workers[THREADS];

struct quantiles {
    double p50, p99, p999, p9999, most;
};

static struct quantiles quantiles_of(const struct histogram *histogram, double ns_per_step) {
    return (struct quantiles){(double)histogram_quantile(histogram, 0.5) * ns_per_step,
                              (double)histogram_quantile(histogram, 0.99) * ns_per_step,
                              (double)histogram_quantile(histogram, 0.999) * ns_per_step,
                              (double)histogram_quantile(histogram, 0.9999) * ns_per_step,
                              (double)histogram->most * ns_per_step};
}

int main(int argc, char **argv) {
    size_t threads = 1, seed = 1;
    const struct bench_argument arguments[] = {{"threads", &threads, 1},
                                               {"operations", &operations, 1},
                                               {"slots", &slots, 1},
                                               {"seed", &seed, 0}};
    bench_start(argc, argv, arguments, sizeof arguments / sizeof *arguments);
    if (threads > THREADS) bench_fail("at most %d threads", THREADS);
    for (size_t i = 0; i < threads; i++) {
        memset(&workers[i], 1, sizeof workers[i]);
        memset(&workers[i], 0, sizeof workers[i]);
        workers[i].state = bench_thread_seed(seed, i);
    }

    struct bench_run run = {0};
    uint64_t steps = counter();
    bench_begin(&run);
    bench_threads(threads, work, workers, sizeof *workers);
    steps = counter() - steps;
    bench_end(&run);
    double ns_per_step = run.seconds * 1e9 / (double)steps;
    for (size_t i = 1; i < threads; i++) {
        histogram_merge(&workers[0].mallocs, &workers[i].mallocs);
        histogram_merge(&workers[0].frees, &workers[i].frees);
    }
    struct quantiles m = quantiles_of(&workers[0].mallocs, ns_per_step);
    struct quantiles f = quantiles_of(&workers[0].frees, ns_per_step);
    bench_print("latency", &run, (uint64_t)threads * operations,
                "malloc_p50=%.1f malloc_p99=%.1f malloc_p999=%.1f"
                " malloc_p9999=%.1f malloc_max=%.0f free_p50=%.1f free_p99=%.1f free_p999=%.1f"
                " free_p9999=%.1f free_max=%.0f counter_ns=%.1f",
                m.p50, m.p99, m.p999, m.p9999, m.most, f.p50, f.p99, f.p999, f.p9999, f.most,
                (double)workers[0].cost * ns_per_step);
    return 0;
}
