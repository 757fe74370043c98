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
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SMALL, JSON, MIR, VM, KINDS };
enum { SMALL_LIVE = 256, LARGE_MAX = 1000 + 100 + 10, SMALL_MAX = 10 * LARGE_MAX };

struct step {
    uint32_t size;
    uint32_t kind;
};

/* By the number of the argument's word. */
struct scenario {
    size_t blocks[KINDS];
};

static const struct scenario scenarios[] = {
    {{[JSON] = 1000}},
    {{[MIR] = 100}},
    {{[VM] = 10}},
    {{[SMALL] = SMALL_MAX, [JSON] = 1000, [MIR] = 100, [VM] = 10}},
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

/* Returns the seconds of the first step. */
static double run_plan(size_t count) {
    double start = bench_now();
    run_step(&plan[0], 0);
    double first_seconds = bench_now() - start;
    for (size_t i = 1; i < count; i++) run_step(&plan[i], i);
    for (size_t i = 0; i < SMALL_LIVE; i++) free(small[i]);
    return first_seconds;
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

int main(int argc, char **argv) {
    size_t scenario = 0, seed = 1;
    const struct bench_argument arguments[] = {{"scenario=json|mir|vm|mixed", &scenario, 0},
                                               {"seed", &seed, 0}};
    bench_start(argc, argv, arguments, sizeof arguments / sizeof *arguments);
    page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    size_t count = make_plan(&scenarios[scenario], bench_seed(seed));

    struct bench_run run = {0};
    bench_begin(&run);
    double first_seconds = run_plan(count);
    bench_end(&run);
    check_plan(count);
    bench_print("scenarios", &run, count, "first_ns=%.0f", first_seconds * 1e9);
    return 0;
}
