/* SPDX-License-Identifier: MIT
 *
 * purposes steps: places in a program that use large blocks in ways of their own.
 *
 *   churn     6 MiB, all of it written, each step; half way it becomes rare: every 500 steps
 *   rare      12 blocks of 5 MiB, every 400 steps; half way it becomes frequent: every 10
 *   giant     256 MiB of which a page in 256 is written, for two steps, every 40
 *   image     48 MiB, all of it written, every 4 steps
 *   vector    from 2 MiB by doubling to 64 MiB, a step each, every 60 steps
 *   keepers   16 blocks of 3 MiB, there from the first step to the last
 *
 * A step is 5 ms long: what is not work is sleep, in which an allocator can give memory back, or
 * keep it resident.  Both cost: `cost` is the processor's time plus what the resident memory
 * costs, in seconds, where a GiB for a second counts as 0.2 s.  That is about what touching a GiB
 * anew takes on a machine with memory at hand, so that holding memory for a second or faulting it
 * in once again are taken to be equally bad.  Memory is read after the work of each step.  One
 * operation is one block.
 */
#include "common.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

#define STEP_SECONDS    0.005
#define GIB_SECOND_COST 0.2

enum { KEEPERS = 16, RARE = 12 };

static size_t page_bytes;
static uint64_t operations;

static unsigned char *write_pages(unsigned char *block, size_t bytes, size_t every) {
    if (!block) bench_fail("no memory for %zu bytes", bytes);
    for (size_t at = 0; at < bytes; at += every * page_bytes) block[at] = (unsigned char)(at >> 12);
    operations++;
    return block;
}

static void check_pages(const unsigned char *block, size_t bytes, size_t every) {
    for (size_t at = 0; at < bytes; at += every * page_bytes)
        if (block[at] != (unsigned char)(at >> 12)) bench_fail("a block was overwritten");
}

/* Each a place of its own that calls malloc. */
#define PLACE static __attribute__((noinline)) void

PLACE churn(void) {
    unsigned char *block = write_pages(malloc(6 * MIB), 6 * MIB, 1);
    check_pages(block, 6 * MIB, 64);
    free(block);
}

PLACE rare(void) {
    unsigned char *block[RARE];
    for (int i = 0; i < RARE; i++) block[i] = write_pages(malloc(5 * MIB), 5 * MIB, 1);
    for (int i = 0; i < RARE; i++) {
        check_pages(block[i], 5 * MIB, 64);
        free(block[i]);
    }
}

PLACE image(void) {
    unsigned char *block = write_pages(malloc(48 * MIB), 48 * MIB, 1);
    check_pages(block, 48 * MIB, 64);
    free(block);
}

PLACE giant(size_t step) {
    static unsigned char *block;
    if (step % 40 == 0 && !block) block = write_pages(malloc(256 * MIB), 256 * MIB, 256);
    if (step % 40 != 2 || !block) return;
    check_pages(block, 256 * MIB, 256);
    free(block);
    block = NULL;
}

PLACE vector(size_t step) {
    static unsigned char *block;
    size_t bytes = 2 * MIB << step % 60;
    if (step % 60 > 5) {
        free(block);
        block = NULL;
        return;
    }
    block = realloc(block, bytes);
    if (!block) bench_fail("no memory for %zu bytes", bytes);
    memset(block + bytes / 2, (int)step, bytes / 2);
    operations++;
}

static void run_step(size_t step, size_t steps) {
    bool late = step >= steps / 2;
    if (step % (late ? 500 : 1) == 0) churn();
    if (step % (late ? 10 : 400) == 0) rare();
    if (step % 4 == 0) image();
    giant(step);
    vector(step);
}

int main(int argc, char **argv) {
    size_t steps = 1600;
    const struct bench_argument arguments[] = {{"steps", &steps, 1}};
    bench_start(argc, argv, arguments, sizeof arguments / sizeof *arguments);
    page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *keeper[KEEPERS];
    struct bench_run run = {0};
    double resident = 0; /* GiB x seconds */
    for (int i = 0; i < KEEPERS; i++) keeper[i] = write_pages(malloc(3 * MIB), 3 * MIB, 1);
    double start = bench_now();
    for (size_t step = 0; step < steps; step++) {
        bench_begin(&run);
        run_step(step, steps);
        bench_end(&run);
        resident += (double)run.resident_kib / (1 << 20) * STEP_SECONDS;
        double left = start + (double)(step + 1) * STEP_SECONDS - bench_now();
        if (left > 0) nanosleep(&(struct timespec){.tv_nsec = (long)(left * 1e9)}, NULL);
    }
    for (int i = 0; i < KEEPERS; i++) {
        check_pages(keeper[i], 3 * MIB, 1);
        free(keeper[i]);
    }
    bench_print("purposes", &run, operations, "resident_gib_s=%.3f cost=%.4f", resident,
                run.cpu_seconds + resident * GIB_SECOND_COST);
    return 0;
}
