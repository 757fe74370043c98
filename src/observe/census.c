/* SPDX-License-Identifier: MIT
 *
 * The walk.  Header: observe/census.h.
 */
#include "observe/census.h"

#include "base/counter.h"
#include "heap/registry.h"
#include "heap/slots.h"
#include "span/region.h"

#include <string.h>

/* The readers below race with the owners of what they read, by design: see the header. */
#if defined(__SANITIZE_THREAD__)
#define CENSUS_RACY __attribute__((no_sanitize("thread")))
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CENSUS_RACY __attribute__((no_sanitize("thread")))
#endif
#endif
#ifndef CENSUS_RACY
#define CENSUS_RACY
#endif

CENSUS_RACY static void census_slab(struct hak_census *census, const struct hak_slab *slab) {
    struct hak_census_class *class = &census->class[slab->class];
    uint64_t size = hak_class_table[slab->class].block_bytes;
    uint64_t used = slab->used, carved = slab->carved, capacity = slab->capacity;
    uint64_t uncut = (capacity - carved) * size;
    class->slabs++;
    class->outside += used;
    class->inside += carved - used;
    census->live += used *
                    size; /* less what is in magazines and between threads: subtracted later */
    census->cached += (carved - used) * size;
    if (slab->clean) census->purged += uncut;
    else census->free_dirty += uncut;
    census->waste += ((uint64_t)slab->units << HAK_UNIT_SHIFT) - capacity * size;
}

CENSUS_RACY static void census_free_units(struct hak_census *census, uint32_t free,
                                          uint32_t dirty) {
    uint64_t soiled = (uint64_t)__builtin_popcount(free & dirty);
    uint64_t clean = (uint64_t)__builtin_popcount(free & ~dirty);
    census->free_dirty += soiled << HAK_UNIT_SHIFT;
    census->purged += clean << HAK_UNIT_SHIFT;
}

CENSUS_RACY static void census_pieces(struct hak_census *census, struct hak_superslab *superslab) {
    uint32_t free = atomic_load_explicit(&superslab->free_units, memory_order_relaxed);
    census_free_units(census, free,
                      atomic_load_explicit(&superslab->dirty_units, memory_order_relaxed));
    for (unsigned unit = 0; unit < HAK_SUPERSLAB_UNITS;) {
        const struct hak_slab *slab = hak_slab_at(superslab, unit);
        if (free >> unit & 1) {
            unit++;
        } else if (slab->class && slab->class <= HAK_CLASSES && slab->units) {
            census_slab(census, slab);
            unit += slab->units;
        } else { /* claimed, but no slab yet: or forgotten by a fork */
            census->waste += HAK_UNIT_BYTES;
            unit++;
        }
    }
}

CENSUS_RACY static void census_huge(struct hak_census *census,
                                    const struct hak_superslab *superslab) {
    uint64_t mapped = (uint64_t)superslab->huge_slots << HAK_SUPERSLAB_SHIFT;
    census->huge_blocks++;
    census->huge_bytes += superslab->huge_bytes;
    census->live += superslab->huge_bytes;
    if (mapped) census->waste += mapped - superslab->huge_bytes;
}

/* A free huge block that keeps its place: free units, or a mapping that counts as dirty. */
CENSUS_RACY static void census_hidden(struct hak_census *census, const struct hak_region *region,
                                      struct hak_superslab *superslab) {
    if (!superslab->huge_slots) census->free_dirty += region->bytes;
    for (unsigned i = 0; i < superslab->huge_slots; i++)
        census_free_units(census, ~(uint32_t)0,
                          atomic_load_explicit(&superslab[i].dirty_units, memory_order_relaxed));
}

CENSUS_RACY static void census_region(struct hak_census *census, struct hak_region *region) {
    if (!region->bytes) return;
    uint64_t free = atomic_load_explicit(&region->free_slots, memory_order_relaxed);
    uint32_t slots = region->slots ? region->slots : 1;
    for (uint32_t slot = 0; slot < slots; slot++) {
        struct hak_superslab *superslab = &region->superslab[slot];
        uint32_t dirty = atomic_load_explicit(&superslab->dirty_units, memory_order_relaxed);
        switch (atomic_load_explicit(&superslab->kind, memory_order_relaxed)) {
        case HAK_SUPERSLAB_FREE:
            if (region->slots && (free >> slot & 1)) census_free_units(census, ~(uint32_t)0, dirty);
            else census->waste += region->slots ? HAK_SUPERSLAB_BYTES : region->bytes;
            break;
        case HAK_SUPERSLAB_PIECES:
            census_pieces(census, superslab);
            break;
        case HAK_SUPERSLAB_HUGE:
            census_huge(census, superslab);
            break;
        case HAK_SUPERSLAB_HIDDEN:
            census_hidden(census, region, superslab);
            break;
        default:
            break;
        }
    }
}

static void census_add_counts(struct hak_heap_counts *sum, const struct hak_heap_counts *one) {
    /* all fields are uint64_t */
    uint64_t *to = (uint64_t *)(void *)sum;
    const uint64_t *from = (const uint64_t *)(const void *)one;
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++) to[i] += from[i];
}

CENSUS_RACY static void census_heap(struct hak_census *census, struct hak_heap *heap) {
    uint64_t magazines = 0;
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) {
        uint64_t blocks = hak_heap_bin_count(heap, class);
        /* read while it was changed? */
        if (blocks > hak_slots_room(heap->cold[class].base, SIZE_MAX)) blocks = 0;
        census->class[class].magazine += blocks;
        census->class[class].refills += heap->cold[class].refills;
        census->class[class].flushes += heap->cold[class].flushes;
        magazines += blocks * hak_class_table[class].block_bytes;
    }
    uint64_t transit = atomic_load_explicit(&heap->inbox_bytes, memory_order_relaxed);
    for (unsigned i = 0; i < HAK_OUTBOXES; i++) {
        if (heap->outbox[i].owner) transit += heap->outbox[i].bytes;
    }
    census->transit += transit;
    census->cached += magazines + transit;
    census->live -= hak_min_size(census->live, magazines + transit);
    census_add_counts(&census->counts, &heap->counts);
}

void hak_census_take(struct hak_census *census) {
    memset(census, 0, sizeof *census);
    census->mapped = hak_counter_read(&hak_counters.mapped_bytes);
    census->metadata = hak_counter_read(&hak_counters.metadata_bytes);
    census->waste = hak_counter_read(&hak_counters.lost_bytes);
    uint32_t regions = hak_region_count();
    for (uint32_t i = 0; i < regions; i++) {
        struct hak_region *region = hak_region_at(i);
        if (region) census_region(census, region);
    }
    uint32_t heaps = hak_registry_count();
    for (uint32_t id = 1; id <= heaps; id++) {
        struct hak_heap *heap = hak_registry_get(id);
        if (heap) census_heap(census, heap);
    }
    census->heaps_parked = hak_registry_parked_count(HAK_PARKED_THREAD);
}
