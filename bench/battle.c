/* SPDX-License-Identifier: MIT
 *
 * battle blocks [size seconds_idle]: how much memory many small blocks take, and how much comes
 * back.
 *
 * Allocates `blocks` blocks of 16 bytes, writes all of each, and frees them in the order of
 * allocation. Resident memory (as it is now, not the lifetime maximum) is read before, at the
 * peak, after freeing, after asking the allocator to give memory back, and after an idle second.
 * The array of pointers is allocated and freed like the blocks, and counts: no allocator can need
 * less than blocks × (size + 8) bytes and the empty process, which is what `limit_kib` says.
 */
#include "common.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Every block holds its number, again and again. */
static void write_block(unsigned char *block, size_t size, uint64_t number) {
    for (size_t done = 0; done < size; done += sizeof number) {
        size_t part = size - done < sizeof number ? size - done : sizeof number;
        memcpy(block + done, &number, part);
    }
}

static void check_block(const unsigned char *block, size_t size, uint64_t number) {
    for (size_t done = 0; done < size; done += sizeof number) {
        size_t part = size - done < sizeof number ? size - done : sizeof number;
        if (memcmp(block + done, &number, part) != 0)
            bench_fail("block %" PRIu64 " at %p was overwritten", number, (const void *)block);
    }
}

static void idle(size_t seconds) {
    unsigned left = (unsigned)seconds;
    while (left > 0) left = sleep(left);
}

int main(int argc, char **argv) {
    size_t count = 1000000, size = 16, seconds_idle = 1;
    const struct bench_argument arguments[] = {
        {"blocks", &count, 1}, {"size", &size, 1}, {"seconds_idle", &seconds_idle, 0}};
    bench_start(argc, argv, arguments, sizeof arguments / sizeof *arguments);

    long before_kib = bench_resident_kib();
    double start = bench_now();
    unsigned char **blocks = malloc(count * sizeof *blocks);
    if (!blocks) bench_fail("no memory for %zu pointers", count);
    for (size_t i = 0; i < count; i++) {
        blocks[i] = malloc(size);
        if (!blocks[i]) bench_fail("out of memory at block %zu", i);
        write_block(blocks[i], size, i);
    }
    double allocating = bench_now() - start;
    long peak_kib = bench_resident_kib();
    for (size_t i = 0; i < count; i++) check_block(blocks[i], size, i);

    start = bench_now();
    for (size_t i = 0; i < count; i++) free(blocks[i]);
    free(blocks);
    double freeing = bench_now() - start;
    long freed_kib = bench_resident_kib();
    const char *function = bench_give_back();
    long flushed_kib = bench_resident_kib();
    idle(seconds_idle);
    long idle_kib = bench_resident_kib();

    double seconds = allocating + freeing;
    printf("benchmark=battle malloc=%s blocks=%zu size=%zu ops=%zu seconds=%.6f ops_per_s=%.0f"
           " malloc_seconds=%.6f free_seconds=%.6f before_kib=%ld peak_kib=%ld freed_kib=%ld"
           " flushed_kib=%ld idle_kib=%ld limit_kib=%ld flush=%s faults=%ld\n",
           bench_allocator(), count, size, 2 * count, seconds, (double)(2 * count) / seconds,
           allocating, freeing, before_kib, peak_kib, freed_kib, flushed_kib, idle_kib,
           before_kib + (long)(count * (size + sizeof *blocks) / 1024), function,
           bench_minor_faults());
    return 0;
}
