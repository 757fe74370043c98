/* SPDX-License-Identifier: MIT
 *
 * Superslabs: 2 MiB of address space each, handed out in runs of 64 KiB units.
 *
 *   region   base ──► | superslab 0 | superslab 1 | ... |     address space, mapped at once
 *   struct hak_region | superslab[0] | superslab[1] | ...     descriptors, out of line, a line each
 *                     | meta         | meta         | ...     their units', touched only when used
 *
 * Invariants (numbers as in ARCHITECTURE.md)
 *   S2  A unit is free (its bit is set in free_units) or claimed by whoever cleared the bit.
 *   S3  A superslab is free (its bit is set in the region's free_slots), in pieces, or huge; also
 *       while the block is hidden.
 *   S4  A unit whose dirty bit is clear reads as zeros.
 *   S5  Each word is changed by one atomic step from one valid value to another.
 *
 * Concurrency: callable from any thread, no locks.  Claims are compare-and-swap with acquire, which
 * pairs with the release with which units and slots are given back.  dirty_units of a free unit
 * changes only under a claim of it, or before it is given back.  roomy_slots and dirty_slots are
 * hints: a set bit may be stale, a missing one is repaired by the next unit freed there.
 *
 * Not here: what is in a unit (slab/), in a huge block (large/); when to purge (policy/).
 */
#ifndef HAK_SPAN_SUPERSLAB_H
#define HAK_SPAN_SUPERSLAB_H

#include "base/base.h"

#include <stdatomic.h>

/* Metadata of one unit; it belongs to whoever has claimed the unit. */
struct hak_unit {
    _Alignas(HAK_CACHE_LINE) unsigned char data[2 * HAK_CACHE_LINE];
};

enum hak_superslab_kind {
    HAK_SUPERSLAB_FREE,   /* or being changed by whoever claimed it */
    HAK_SUPERSLAB_PIECES, /* handed out in units */
    HAK_SUPERSLAB_HUGE,   /* the first of a huge block */
    HAK_SUPERSLAB_TAIL,   /* a further one of a huge block */
    HAK_SUPERSLAB_HIDDEN  /* the first of one that is free, but kept whole (large/huge.h) */
};

/* All about the units of a superslab: their records, allocated bits (slab/used.h), and those free
 * bits that have no place in a record (slab/slab.h).  In a free superslab no record has a class and
 * no allocated bit is set; the rest means nothing. */
#define HAK_USED_WORDS       (HAK_SUPERSLAB_BYTES / HAK_MIN_ALIGN / 64)
#define HAK_FREE_WORDS       8u
#define HAK_FREE_WORDS_APART (HAK_UNIT_BYTES / HAK_MIN_ALIGN / 64 - HAK_FREE_WORDS)

struct hak_meta {
    _Alignas(HAK_PAGE_BYTES_MIN) struct hak_unit unit[HAK_SUPERSLAB_UNITS];
    uint64_t used[HAK_USED_WORDS];
    uint64_t free[HAK_SUPERSLAB_UNITS][HAK_FREE_WORDS_APART];
};

struct hak_superslab {
    _Atomic uint32_t free_units;  /* atomic: set = free; all clear unless in pieces */
    _Atomic uint32_t dirty_units; /* atomic: set = may be resident and not zero */
    _Atomic uint32_t seen_ms;     /* atomic: when a purge first saw what is dirty; 0: not yet */
    _Atomic uint8_t kind;      /* atomic: enum hak_superslab_kind, for diagnosis and statistics */
    bool cut : 1;              /* owner: was in pieces since its meta was purged */
    bool grows : 1;            /* owner: a huge block that counts as growing: large/huge.c */
    bool dense : 1;            /* owner: was cut for what is filled from one end to the other */
    uint16_t slot;             /* const: index in the region */
    struct hak_region *region; /* const */
    char *base;                /* const while the region is mapped */
    struct hak_meta *meta;     /* const: records and bits are of the claimed units' owners */
    /* Of the huge block that starts here.  owner: */
    size_t huge_bytes;          /* its size */
    struct hak_heap *huge_heap; /* the first-class heap it belongs to, or NULL */
    uint32_t born_ms;           /* when it was handed out */
    uint16_t site;              /* who has asked for it: observe/site.h */
    uint16_t huge_slots;        /* its superslabs; 0: it is a mapping of its own */
};

_Static_assert(sizeof(struct hak_superslab) <= HAK_CACHE_LINE,
               "a search looks at one line a superslab");

/* seen_ms of one all of whose dirty units were offered (span/purge.h). */
#define HAK_PURGE_OFFERED UINT32_MAX

/* Claims `count` (1 to HAK_SUPERSLAB_UNITS) units in a row.  dense: they will be written to from
 * one end to the other; then they may come from a huge page.  Returns the superslab and the first
 * unit's index; *dirty: at least one of them may hold old contents.  NULL: no memory. */
struct hak_superslab *hak_superslab_claim(unsigned count, bool dense, unsigned *first, bool *dirty);

/* Claims the `count` units from `first` on, if they are there and all of them are free. */
bool hak_superslab_claim_at(struct hak_superslab *superslab, unsigned first, unsigned count);

/* Gives claimed units back.  `written` of them, from the first on, may have been written to. */
void hak_superslab_release(struct hak_superslab *superslab, unsigned first, unsigned count,
                           unsigned written);

/* Purges what is free and dirty in a superslab in pieces.  Returns the bytes given back. */
size_t hak_superslab_purge(struct hak_superslab *superslab);

/* Notes that what is dirty in these was offered to the system (HAK_PURGE_OFFERED). */
HAK_INLINE void hak_superslab_offered(struct hak_superslab *superslab, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        atomic_store_explicit(&superslab[i].seen_ms, HAK_PURGE_OFFERED, memory_order_relaxed);
}

HAK_INLINE char *hak_superslab_unit_base(const struct hak_superslab *superslab, unsigned unit) {
    return superslab->base + ((size_t)unit << HAK_UNIT_SHIFT);
}

#endif
