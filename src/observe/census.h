/* SPDX-License-Identifier: MIT
 *
 * A walk over all superslabs and heaps that says where every mapped byte is.  It is exact while no
 * other thread allocates, and an estimate otherwise: it reads what others are writing, and takes no
 * lock.
 *
 *   mapped = live + cached + free_dirty + purged + metadata + waste
 *
 * Cost: one line a unit of the heap.  Nothing is counted on any allocation path for it.
 */
#ifndef HAK_OBSERVE_CENSUS_H
#define HAK_OBSERVE_CENSUS_H

#include "base/base.h"
#include "heap/heap.h"
#include "slab/class.h"

struct hak_census_class {
    uint64_t slabs;
    uint64_t outside; /* blocks outside slabs: with the program, in magazines, or between threads */
    uint64_t inside;  /* free blocks in slabs */
    uint64_t magazine;
    uint64_t refills, flushes;
};

struct hak_census {
    uint64_t mapped, live, cached, free_dirty, purged, metadata, waste; /* bytes */
    uint64_t transit; /* bytes in outboxes and inboxes, part of cached */
    uint64_t huge_blocks, huge_bytes;
    uint64_t heaps_parked;
    struct hak_heap_counts counts; /* of all heaps */
    struct hak_census_class class[HAK_CLASSES + 1];
};

void hak_census_take(struct hak_census *census);

#endif
