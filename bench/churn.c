/* SPDX-License-Identifier: MIT
 *
 * churn threads together blocks seed: threads that come, allocate a little, and go.
 *
 * `threads` threads one after the other, `together` of them at a time.  Each allocates `blocks`
 * blocks of 16 to 1039 bytes, frees one half, and leaves the other for the main thread, which frees
 * it when the thread has ended.  A server with a thread for each request does that.  One operation
 * is one thread.
 */
#include "common.h"

#include <inttypes.h>
#include <stdlib.h>

static size_t blocks = 64;

struct visitor {
    _Alignas(128) unsigned char **left;
    uint32_t state;
};

static struct visitor visitors[BENCH_THREADS_MAX];

static void *visit(void *argument) {
    struct visitor *visitor = argument;
    size_t count = blocks;
    unsigned char **left = malloc(count * sizeof *left);
    if (!left) bench_fail("out of memory");
    for (size_t i = 0; i < count; i++)
        left[i] = bench_malloc(bench_between(&visitor->state, 16, 1039));
    for (size_t i = 0; i < count; i += 2) bench_free(left[i]);
    visitor->left = left;
    return NULL;
}

static void clean_up(struct visitor *visitor) {
    for (size_t i = 1; i < blocks; i += 2) bench_free(visitor->left[i]);
    free(visitor->left);
}

int main(int argc, char **argv) {
    size_t threads = 20000, together = 2, seed = 1;
    const struct bench_argument arguments[] = {{"threads", &threads, 1},
                                               {"together", &together, 1},
                                               {"blocks", &blocks, 1},
                                               {"seed", &seed, 0}};
    bench_start(argc, argv, arguments, sizeof arguments / sizeof *arguments);
    for (size_t i = 0; i < BENCH_THREADS_MAX; i++) visitors[i].state = bench_thread_seed(seed, i);

    struct bench_run run = {0};
    bench_begin(&run);
    for (size_t done = 0; done < threads; done += together) {
        size_t now = threads - done < together ? threads - done : together;
        bench_threads(now, visit, visitors, sizeof *visitors);
        for (size_t i = 0; i < now; i++) clean_up(&visitors[i]);
    }
    bench_end(&run);
    bench_print("churn", &run, threads, NULL);
    return 0;
}
