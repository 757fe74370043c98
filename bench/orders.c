/* SPDX-License-Identifier: MIT
 *
 * orders lifo|fifo|random malloc|calloc|aligned blocks rounds least most seed: `blocks` blocks are
 * allocated, then freed in an order.
 *
 *   lifo     the last one first: a recursion
 *   fifo     the first one first: a queue
 *   random   as it comes: a table
 *
 * calloc's blocks are checked to be zero.  The aligned ones have 32, 64 or 4096 bytes of alignment,
 * by turns.  One operation is one block: its malloc and its free.
 */
#include "common.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum order { LIFO, FIFO, RANDOM, ORDERS };
enum call { MALLOC, CALLOC, ALIGNED, CALLS };
static const char *const orders[ORDERS] = {"lifo", "fifo", "random"};
static const char *const calls[CALLS] = {"malloc", "calloc", "aligned"};

static size_t least = 16, most = 1024;
static uint32_t state;

static unsigned char *zeroed(size_t size) {
    unsigned char *block = calloc(1, size);
    if (!block) bench_fail("out of memory");
    if (block[0] || memcmp(block, block + 1, size - 1) != 0) bench_fail("calloc gave dirty memory");
    return bench_stamp(block, size);
}

static unsigned char *aligned(size_t size, size_t number) {
    static const size_t alignments[] = {32, 64, 4096};
    size_t alignment = alignments[number % 3];
    void *block = NULL;
    int error = posix_memalign(&block, alignment, size);
    if (error || (uintptr_t)block % alignment != 0)
        bench_fail("posix_memalign: %s", strerror(error));
    return bench_stamp(block, size);
}

static unsigned char *allocate(enum call call, size_t number) {
    size_t size = bench_between(&state, least, most);
    if (call == CALLOC) return zeroed(size);
    return call == ALIGNED ? aligned(size, number) : bench_malloc(size);
}

static void shuffle(unsigned char **block, size_t count) {
    for (size_t i = count; i > 1; i--) {
        size_t other = bench_xorshift32(&state) % i;
        unsigned char *swapped = block[i - 1];
        block[i - 1] = block[other];
        block[other] = swapped;
    }
}

static void run_round(enum order order, enum call call, unsigned char **block, size_t count) {
    for (size_t i = 0; i < count; i++) block[i] = allocate(call, i);
    if (order == RANDOM) shuffle(block, count);
    if (order == LIFO)
        for (size_t i = count; i > 0; i--) bench_free(block[i - 1]);
    else
        for (size_t i = 0; i < count; i++) bench_free(block[i]);
}

static int find(const char *const *names, int count, const char *name) {
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0) return i;
    bench_fail(
        "usage: orders lifo|fifo|random malloc|calloc|aligned [--expect SUBSTRING] [blocks ...]");
}

int main(int argc, char **argv) {
    size_t blocks = 10000, rounds = 500, seed = 1;
    const struct bench_argument arguments[] = {{"blocks", &blocks, 1},
                                               {"rounds", &rounds, 1},
                                               {"least", &least, 8},
                                               {"most", &most, 8},
                                               {"seed", &seed, 0}};
    int order = find(orders, ORDERS, argc > 2 ? argv[1] : "");
    int call = find(calls, CALLS, argv[2]);
    bench_start(argc - 2, argv + 2, arguments, sizeof arguments / sizeof *arguments);
    if (least > most) bench_fail("least must not exceed most");
    state = bench_seed(seed);
    unsigned char **block = malloc(blocks * sizeof *block);
    if (!block) bench_fail("no memory for %zu pointers", blocks);

    struct bench_run run = {0};
    bench_begin(&run);
    for (size_t round = 0; round < rounds; round++) run_round(order, call, block, blocks);
    bench_end(&run);
    free(block);
    bench_print("orders", &run, (uint64_t)blocks * rounds,
                "order=%s call=%s blocks=%zu rounds=%zu least=%zu most=%zu seed=%zu", orders[order],
                calls[call], blocks, rounds, least, most, seed);
    return 0;
}
