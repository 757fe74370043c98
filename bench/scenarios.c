/* SPDX-License-Identifier: MIT
 *
 * scenarios json|mir|vm|mixed [seed]: large blocks, each allocated, every page of it written,
 * freed.
 *
 *   json   1000 blocks of 56 to 72 KiB        mir   100 blocks of 224 to 288 KiB
 *   vm       10 blocks of 1.75 to 2.25 MiB    mixed  all of these shuffled, each amid 10 small ones
 *
 * The small blocks of `mixed` have 16 to 1039 bytes and live on while 256 further ones are
 * allocated. Blocks, sizes and order depend on the seed alone.  One operation is one block.  The
 * process is the run: the first blocks meet an allocator that has nothing cached, and are timed
 * like the others.
 */
#include "common.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SMALL, JSON, MIR, VM, KINDS };
enum { SMALL_LIVE = 256, LARGE_MAX = 1000 + 100 + 10, SMALL_MAX = 10 * LARGE_MAX };

struct step {
    uint32_t size;
    uint32_t kind;
};

struct scenario {
    const char *name;
    size_t blocks[KINDS];
};

static const struct scenario scenarios[] = {
    {"json", {[JSON] = 1000}},
    {"mir", {[MIR] = 100}},
    {"vm", {[VM] = 10}},
    {"mixed", {[SMALL] = SMALL_MAX, [JSON] = 1000, [MIR] = 100, [VM] = 10}},
};

/* Static, so that the plan takes no memory of the allocator. */
static struct step plan[LARGE_MAX + SMALL_MAX];
static unsigned char *small[SMALL_LIVE];
static size_t page_bytes;

static uint32_t step_size(uint32_t kind, uint32_t draw) {
    static const uint32_t middle[KINDS] = {0, 64 << 10, 256 << 10, 2 << 20};
    if (kind == SMALL) return 16 + (draw & 1023);
    return middle[kind] - middle[kind] / 8 + draw % (middle[kind] / 4 + 1);
}

static size_t make_plan(const struct scenario *scenario, uint32_t state) {
    size_t count = 0;
    for (uint32_t kind = 0; kind < KINDS; kind++)
        for (size_t i = 0; i < scenario->blocks[kind]; i++)
            plan[count++] = (struct step){step_size(kind, bench_xorshift32(&state)), kind};
    for (size_t i = count - 1; i > 0; i--) {
        size_t other = bench_xorshift32(&state) % (i + 1);
        struct step step = plan[i];
        plan[i] = plan[other];
        plan[other] = step;
    }
    return count;
}

static unsigned char *new_block(const struct step *step, unsigned char byte) {
    unsigned char *block = malloc(step->size);
    if (!block) bench_fail("out of memory");
    for (size_t offset = 0; offset < step->size; offset += page_bytes) block[offset] = byte;
    block[step->size - 1] = byte;
    return block;
}

static void run_step(const struct step *step, size_t number) {
    unsigned char *block = new_block(step, (unsigned char)number);
    if (step->kind == SMALL) {
        unsigned char *oldest = small[number % SMALL_LIVE];
        small[number % SMALL_LIVE] = block;
        block = oldest;
    }
    free(block);
}

static double run_plan(size_t count, double *first_seconds) {
    double start = bench_now();
    run_step(&plan[0], 0);
    *first_seconds = bench_now() - start;
    for (size_t i = 1; i < count; i++) run_step(&plan[i], i);
    for (size_t i = 0; i < SMALL_LIVE; i++) free(small[i]);
    return bench_now() - start;
}

static void check_block(const unsigned char *block, const struct step *step, unsigned char byte) {
    for (size_t offset = 0; offset < step->size; offset += page_bytes)
        if (block[offset] != byte)
            bench_fail("block %p was overwritten at %zu", (const void *)block, offset);
    if (block[step->size - 1] != byte)
        bench_fail("block %p was overwritten at its end", (const void *)block);
}

/* Untimed: batches of blocks that live together, each with its own content. */
static void check_plan(size_t count) {
    enum { TOGETHER = 8 };
    unsigned char *blocks[TOGETHER];
    for (size_t first = 0; first + TOGETHER <= count; first += TOGETHER) {
        for (size_t i = 0; i < TOGETHER; i++)
            blocks[i] = new_block(&plan[first + i], (unsigned char)(i + 1));
        for (size_t i = 0; i < TOGETHER; i++) {
            check_block(blocks[i], &plan[first + i], (unsigned char)(i + 1));
            free(blocks[i]);
        }
    }
}

static const struct scenario *find_scenario(const char *name) {
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
        if (strcmp(name, scenarios[i].name) == 0) return &scenarios[i];
    bench_fail("no scenario %s; there are json, mir, vm and mixed", name);
}

int main(int argc, char **argv) {
    if (argc < 2) bench_fail("usage: scenarios json|mir|vm|mixed [--expect SUBSTRING] [seed=1]");
    const struct scenario *scenario = find_scenario(argv[1]);
    size_t seed = 1;
    const struct bench_argument arguments[] = {{"seed", &seed, 0}};
    bench_start(argc - 1, argv + 1, arguments, 1);
    page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    size_t count = make_plan(scenario, bench_seed(seed));

    long faults_before = bench_minor_faults();
    double first_seconds = 0, seconds = run_plan(count, &first_seconds);
    long faults = bench_minor_faults() - faults_before;
    long resident_kib = bench_resident_kib(), peak_kib = bench_peak_kib();
    check_plan(count);
    printf("benchmark=%s malloc=%s seed=%zu"
           " ops=%zu seconds=%.9f ops_per_s=%.0f ns_per_op=%.1f"
           " first_ns=%.0f resident_kib=%ld peak_kib=%ld faults=%ld\n",
           scenario->name, bench_allocator(), seed, count, seconds, (double)count / seconds,
           seconds * 1e9 / (double)count, first_seconds * 1e9, resident_kib, peak_kib, faults);
    return 0;
}
