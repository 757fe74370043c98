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
    struct bench_run run = {0};
    bench_begin(&run);
    unsigned char **blocks = malloc(count * sizeof *blocks);
    if (!blocks) bench_fail("no memory for %zu pointers", count);
    for (size_t i = 0; i < count; i++) {
        blocks[i] = malloc(size);
        if (!blocks[i]) bench_fail("out of memory at block %zu", i);
        write_block(blocks[i], size, i);
    }
    bench_end(&run);
    double allocating = run.seconds;
    long peak_kib = run.resident_kib;
    for (size_t i = 0; i < count; i++) check_block(blocks[i], size, i);

    bench_begin(&run);
    for (size_t i = 0; i < count; i++) free(blocks[i]);
    free(blocks);
    bench_end(&run);
    const char *function = bench_give_back();
    long flushed_kib = bench_resident_kib();
    idle(seconds_idle);
    long idle_kib = bench_resident_kib();

    run.peak_kib = peak_kib; /* as it was then, not the lifetime maximum */
    bench_print("battle", &run, 2 * (uint64_t)count,
                "malloc_seconds=%.6f free_seconds=%.6f before_kib=%ld freed_kib=%ld flushed_kib=%ld"
                " idle_kib=%ld limit_kib=%ld flush=%s",
                allocating, run.seconds - allocating, before_kib, run.resident_kib, flushed_kib,
                idle_kib, before_kib + (long)(count * (size + sizeof *blocks) / 1024), function);
    return 0;
}
