/* SPDX-License-Identifier: MIT
 *
 * A steady state makes no system calls: random mixed, and HAKMEM's own counts of them.
 *
 * The workload is that of the benchmark of the same name.  The calls that count are all mmap,
 * munmap and madvise of the process, from its start.  Those that populate pages stand for page
 * faults, so they are bounded by the memory in use: two pages each, no page twice.
 * Single-threaded.
 */
#include "stress.h"

#include "hakmem.h"

#include <inttypes.h>
#include <stdio.h>

enum { CALLS_MAX = 20, BLOCK_MAX = 16 + 1023, PAGE_BYTES = 4096, POPULATED_PAGES_MIN = 2 };

struct calls {
    uint64_t other;
    uint64_t populate;
};

static struct calls system_calls(void) {
    struct hak_stats stats = {.version = HAK_STATS_VERSION, .size = sizeof stats};
    if (family.stats_read(&stats) != 0) stress_fail("hak_stats_read failed");
    return (struct calls){
        .other = stats.os_mmap + stats.os_munmap + stats.os_madvise_dontneed +
                 stats.os_madvise_free + stats.os_madvise_hugepage + stats.os_madvise_nohugepage,
        .populate = stats.os_madvise_populate,
    };
}

static void run_cycles(unsigned char **slots, size_t slot_count, uint64_t cycles, uint32_t state) {
    for (uint64_t i = 0; i < cycles; i++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        size_t slot = state % slot_count;
        if (slots[slot]) {
            family.free(slots[slot]);
            slots[slot] = NULL;
        } else {
            size_t size = 16 + (state & 1023);
            slots[slot] = stress_need(family.malloc(size), size);
            slots[slot][0] = (unsigned char)state;
        }
    }
}

int main(int argc, char **argv) {
    size_t cycles = 20000000, slot_count = 400, seed = 1;
    const struct stress_argument arguments[] = {
        {"cycles", &cycles}, {"slots", &slot_count}, {"seed", &seed}};
    stress_start(argc, argv, arguments, sizeof arguments / sizeof *arguments);
    if (!family.stats_read) stress_skip("the allocator is not hakmem");
    unsigned char **slots = stress_map(slot_count * sizeof *slots);
    run_cycles(slots, slot_count, cycles / 10, (uint32_t)seed + 0xDEADBEEF);
    struct calls before = system_calls();
    run_cycles(slots, slot_count, cycles, (uint32_t)seed);
    for (size_t i = 0; i < slot_count; i++) family.free(slots[i]);
    struct calls after = system_calls();
    if (after.other > CALLS_MAX)
        stress_fail("%" PRIu64 " system calls, %" PRIu64
                    " of them before the steady state; %d are allowed",
                    after.other, before.other, CALLS_MAX);
    uint64_t populate_max = slot_count * BLOCK_MAX / PAGE_BYTES / POPULATED_PAGES_MIN;
    if (after.populate > populate_max)
        stress_fail("%" PRIu64 " calls that populate pages, %" PRIu64
                    " of them before the steady state; %" PRIu64 " are allowed",
                    after.populate, before.populate, populate_max);
    printf("steady cycles=%zu slots=%zu calls_before=%" PRIu64 " calls_after=%" PRIu64
           " populate_before=%" PRIu64 " populate_after=%" PRIu64 ": passed\n",
           cycles, slot_count, before.other, after.other, before.populate, after.populate);
    return 0;
}
