/* SPDX-License-Identifier: MIT
 *
 * Regions: address space from the kernel, in runs of superslabs ("slots").
 *
 * A region has up to 64 slots, so that claiming a run of them is one compare-and-swap.  What needs
 * more, or a greater alignment, gets a dedicated region: one mapping, one huge block. Descriptors
 * are never unmapped: a region whose address space was returned is retired, and its descriptor
 * serves the next region.
 *
 * Invariants: S3 to S5 (span/superslab.h), and
 *   R1  region->base and ->slots change only while all its slots are claimed by one thread.
 *
 * Concurrency: callable from any thread, no locks.
 */
#ifndef HAK_SPAN_REGION_H
#define HAK_SPAN_REGION_H

#include "base/base.h"
#include "span/superslab.h"

#define HAK_REGION_SLOTS_MAX 64u

struct hak_region {
    _Atomic uint64_t free_slots; /* atomic: set = free */
    /* atomic, hints: in pieces, with n + 1 free units in a row */
    _Atomic uint64_t roomy_slots[HAK_SUPERSLAB_UNITS];
    _Atomic uint64_t dirty_slots;     /* atomic, hint: something to purge */
    char *base;                       /* R1 */
    size_t bytes;                     /* R1: mapped size; 0 = retired */
    _Atomic uint32_t slots;           /* R1: 0 = dedicated.  relaxed: searches read it unclaimed */
    uint32_t capacity;                /* const: descriptors */
    uint32_t index;                   /* const: in the table of regions */
    _Atomic uint32_t retired;         /* atomic: 1 = may be claimed for a new mapping */
    struct hak_superslab superslab[]; /* then, capacity of struct hak_meta */
};

/* The slots of a region.  relaxed: whoever has claimed a slot has acquired what region_map stored;
 * to anyone else it is a hint. */
HAK_INLINE uint32_t hak_region_slots(struct hak_region *region) {
    return atomic_load_explicit(&region->slots, memory_order_relaxed);
}

/* Whoever keeps free superslabs from being claimed is asked to give up some, before others are
 * claimed.  Set by large/; NULL: nobody does.  atomic, relaxed */
extern _Atomic(void (*)(void)) hak_region_yield;

/* All that claim or map count what they take (span/taken.h), and fail at its limit. */

/* Claims `count` (1 to 64) superslabs in a row, mapping a new region if needed.  Returns the first;
 * its followers are adjacent in the descriptor array.  NULL: no memory. */
struct hak_superslab *hak_region_claim(unsigned count);

/* Claims the `count` superslabs that follow superslab + used, if all of them are free. */
bool hak_region_claim_next(struct hak_superslab *superslab, unsigned used, unsigned count);

/* Gives claimed superslabs back; their dirty_units say what may be resident. */
void hak_region_release(struct hak_superslab *superslab, unsigned count);

/* A mapping of its own for one huge block; `bytes` is a multiple of the page size, `alignment` at
 * least 2 MiB.  NULL: no memory.  If it can't be unmapped it is purged, and unmapped later. */
struct hak_superslab *hak_region_map_dedicated(size_t bytes, size_t alignment);
void hak_region_unmap_dedicated(struct hak_superslab *superslab);

/* Grows or shrinks it where it is.  False: nothing has changed. */
bool hak_region_resize_dedicated(struct hak_superslab *superslab, size_t bytes);

/* After its pages were moved away and it was unmapped. */
void hak_region_forget_dedicated(struct hak_superslab *superslab);

/* Purges free superslabs of a region in runs.  Returns the bytes given back. */
size_t hak_region_purge_slots(struct hak_region *region, uint64_t slots);

/* Unmaps the regions that are free as a whole.  Returns the bytes of address space returned. */
size_t hak_region_unmap_free(void);

/* The table of regions: indices below hak_region_count(); an entry may be NULL. */
uint32_t hak_region_count(void);
struct hak_region *hak_region_at(uint32_t index);

/* Hints: the region where a search for free units (or slots) starts. */
struct hak_region_hint {
    _Atomic uint32_t index;
};

/* The region to look at in step `step` of a search that began at `start`. */
HAK_INLINE uint32_t hak_region_step(uint32_t start, uint32_t step, uint32_t count) {
    uint32_t index = start + step;
    return index < count ? index : index - count;
}

#endif
