/* SPDX-License-Identifier: MIT
 *
 * sharing active|passive threads rounds writes size: do blocks of two threads share a cache line?
 *
 *   active    each thread allocates a small block, writes to it again and again, frees it.  If the
 *             allocator carves one line for several threads, they wait for each other.
 *   passive   the same, but the first blocks of all threads were allocated side by side by the main
 *             thread: a thread that frees its own must not get the line back to share it.
 *
 * After Hoard's cache-thrash and cache-scratch (Berger, McKinley, Blumofe, Wilson: Hoard, 2000).
 * One operation is one write.
 */
#include "common.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct worker {
    _Alignas(128) unsigned char *block; /* passive: from the main thread */
};

static size_t rounds = 1000, writes = 100000, size = 8;
static struct worker workers[BENCH_THREADS_MAX];

static void write_often(volatile unsigned char *block) {
    for (size_t i = 0; i < writes; i++) block[i % size] = (unsigned char)(block[i % size] + 1);
}

static void *work(void *argument) {
    struct worker *worker = argument;
    free(worker->block);
    for (size_t round = 0; round < rounds; round++) {
        unsigned char *block = malloc(size);
        if (!block) bench_fail("out of memory");
        memset(block, (int)round, size);
        write_often(block);
        unsigned char expected = (unsigned char)(round + writes / size + (writes % size > 0));
        if (block[0] != expected) bench_fail("block %p was overwritten", (void *)block);
        free(block);
    }
    return NULL;
}

int main(int argc, char **argv) {
    size_t passive = 0, threads = 2;
    const struct bench_argument arguments[] = {{"kind=active|passive", &passive, 0},
                                               {"threads", &threads, 1},
                                               {"rounds", &rounds, 1},
                                               {"writes", &writes, 1},
                                               {"size", &size, 1}};
    bench_start(argc, argv, arguments, sizeof arguments / sizeof *arguments);
    if (threads > BENCH_THREADS_MAX) bench_fail("at most %d threads", BENCH_THREADS_MAX);
    for (size_t i = 0; passive && i < threads; i++) workers[i].block = malloc(size);

    struct bench_run run = {0};
    bench_begin(&run);
    bench_threads(threads, work, workers, sizeof *workers);
    bench_end(&run);
    bench_print("sharing", &run, (uint64_t)threads * rounds * writes, NULL);
    return 0;
}
