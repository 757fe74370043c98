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

enum { LIFO, FIFO, RANDOM };
enum { MALLOC, CALLOC, ALIGNED };

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

static unsigned char *allocate(size_t call, size_t number) {
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

static void run_round(size_t order, size_t call, unsigned char **block, size_t count) {
    for (size_t i = 0; i < count; i++) block[i] = allocate(call, i);
    if (order == RANDOM) shuffle(block, count);
    if (order == LIFO)
        for (size_t i = count; i > 0; i--) bench_free(block[i - 1]);
    else
        for (size_t i = 0; i < count; i++) bench_free(block[i]);
}

int main(int argc, char **argv) {
    size_t order = LIFO, call = MALLOC, blocks = 10000, rounds = 500, seed = 1;
    const struct bench_argument arguments[] = {{"order=lifo|fifo|random", &order, 0},
                                               {"call=malloc|calloc|aligned", &call, 0},
                                               {"blocks", &blocks, 1},
                                               {"rounds", &rounds, 1},
                                               {"least", &least, 8},
                                               {"most", &most, 8},
                                               {"seed", &seed, 0}};
    bench_start(argc, argv, arguments, sizeof arguments / sizeof *arguments);
    if (least > most) bench_fail("least must not exceed most");
    state = bench_seed(seed);
    unsigned char **block = malloc(blocks * sizeof *block);
    if (!block) bench_fail("no memory for %zu pointers", blocks);

    struct bench_run run = {0};
    bench_begin(&run);
    for (size_t round = 0; round < rounds; round++) run_round(order, call, block, blocks);
    bench_end(&run);
    free(block);
    bench_print("orders", &run, (uint64_t)blocks * rounds, NULL);
    return 0;
}
