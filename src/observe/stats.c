/* SPDX-License-Identifier: MIT
 *
 * hak_stats_read and hak_class_stats_read of hakmem.h: the counter table and a census, as one
 * struct.
 */
#include "hakmem.h"

#include "base/counter.h"
#include "large/bigcache.h"
#include "observe/census.h"

#include <errno.h>
#include <string.h>

static void stats_from_census(struct hak_stats *stats, const struct hak_census *census) {
    const struct hak_heap_counts *counts = &census->counts;
    stats->mapped = census->mapped;
    stats->live = census->live;
    stats->cached = census->cached;
    stats->free_dirty = census->free_dirty;
    stats->purged = census->purged;
    stats->metadata = census->metadata;
    stats->waste = census->waste;
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) {
        stats->refills += census->class[class].refills;
        stats->flushes += census->class[class].flushes;
    }
    stats->refill_inbox = counts->refill_inbox;
    stats->refill_slab = counts->refill_slab;
    stats->refill_carve = counts->refill_carve;
    stats->refill_adopted = counts->refill_adopted;
    stats->refill_fresh = counts->refill_fresh;
    stats->refill_failed = counts->refill_failed;
    stats->free_flushed = counts->flushed;
    stats->free_remote_sent = counts->remote_sent;
    stats->free_remote_batches = counts->remote_batches;
    stats->free_remote_drained = counts->remote_drained;
    stats->free_forwarded = counts->forwarded;
    stats->free_null = counts->free_null;
    stats->heaps_parked = census->heaps_parked;
}

static void stats_from_counters(struct hak_stats *stats) {
    struct hak_counters *from = &hak_counters;
    stats->free_foreign = hak_counter_read(&from->free_foreign);
    stats->slabs_new = hak_counter_read(&from->slabs_new);
    stats->slabs_empty = hak_counter_read(&from->slabs_empty);
    stats->slabs_adopted = hak_counter_read(&from->slabs_adopted);
    stats->superslabs_empty = hak_counter_read(&from->superslabs_empty);
    stats->superslabs_huge = hak_counter_read(&from->superslabs_huge);
    stats->huge_allocs = hak_counter_read(&from->huge_allocs);
    stats->huge_frees = hak_counter_read(&from->huge_frees);
    stats->heaps = hak_counter_read(&from->heaps);
    stats->purged_bytes = hak_counter_read(&from->purged_bytes);
    stats->os_mmap = hak_counter_read(&from->os_mmap);
    stats->os_munmap = hak_counter_read(&from->os_munmap);
    stats->os_mremap = hak_counter_read(&from->os_mremap);
    stats->os_mprotect = hak_counter_read(&from->os_mprotect);
    stats->os_madvise_dontneed = hak_counter_read(&from->os_madvise_dontneed);
    stats->os_madvise_free = hak_counter_read(&from->os_madvise_free);
    stats->os_madvise_hugepage = hak_counter_read(&from->os_madvise_hugepage);
    stats->os_madvise_nohugepage = hak_counter_read(&from->os_madvise_nohugepage);
    stats->os_madvise_populate = hak_counter_read(&from->os_madvise_populate);
    stats->os_mmap_failed = hak_counter_read(&from->os_mmap_failed);
    stats->os_munmap_failed = hak_counter_read(&from->os_munmap_failed);
    stats->os_mremap_failed = hak_counter_read(&from->os_mremap_failed);
    stats->os_mprotect_failed = hak_counter_read(&from->os_mprotect_failed);
    stats->os_madvise_failed = hak_counter_read(&from->os_madvise_failed);
}

static void stats_from_bigcache(struct hak_stats *stats) {
    struct hak_bigcache_stats from = hak_bigcache_stats();
    stats->bigcache_hits = from.hits;
    stats->bigcache_misses = from.misses;
    stats->bigcache_puts = from.puts;
    stats->bigcache_refused = from.refused;
    stats->bigcache_expired = from.expired;
    stats->bigcache_evicted = from.evicted;
    stats->bigcache_bytes = from.bytes;
}

int hak_stats_read(struct hak_stats *stats) {
    if (!stats || stats->version == 0 || stats->version > HAK_STATS_VERSION || stats->size < 8) {
        errno = EINVAL;
        return -1;
    }
    struct hak_census census;
    hak_census_take(&census);
    struct hak_stats whole;
    memset(&whole, 0, sizeof whole);
    stats_from_census(&whole, &census);
    stats_from_counters(&whole);
    stats_from_bigcache(&whole);
    whole.version = HAK_STATS_VERSION;
    whole.size = (uint32_t)hak_min_size(stats->size, sizeof whole);
    memcpy(stats, &whole, whole.size); /* an older caller's struct is a prefix of this one */
    return 0;
}

int hak_class_stats_read(int class_idx, struct hak_class_stats *stats) {
    if (!stats || class_idx < 0 || (unsigned)class_idx >= HAK_CLASSES) {
        errno = EINVAL;
        return -1;
    }
    struct hak_census census;
    hak_census_take(&census);
    const struct hak_class *info = &hak_class_table[class_idx + 1];
    const struct hak_census_class *class = &census.class[class_idx + 1];
    stats->block_size = info->block_bytes;
    stats->slab_size = (uint64_t)info->units << HAK_UNIT_SHIFT;
    stats->blocks_live = class->outside - hak_min_size(class->outside, class->magazine);
    stats->blocks_cached = class->inside + class->magazine;
    stats->slabs = class->slabs;
    stats->refills = class->refills;
    stats->flushes = class->flushes;
    return 0;
}
