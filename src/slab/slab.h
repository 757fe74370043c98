/* SPDX-License-Identifier: MIT
 *
 * A slab: 1 to 32 units cut into blocks of one class, owned by one heap.
 *
 *   | block 0 | block 1 | ... | block carved-1 |  untouched ............ | too short for a block |
 *
 * Its descriptor lies in the metadata of its first unit; those of its other units say how far back
 * that is.  Free blocks are linked through their first word; nothing else of a block is written,
 * but for the seal in checked mode.
 *
 * Invariants
 *   H2  Only the owner touches a descriptor.
 *   H3  used >= the number of blocks outside the slab, at every instant.
 *   L1  The last capacity - carved blocks have never been handed out.  They read as zeros if the
 *       slab is `clean`.
 *   L3  A descriptor with a class is whole, and tells the truth when a tag does not (after a fork
 *       between two tags): class is set after the rest and before the tags, cleared after them.
 *   L2  used + (length of the free list) <= carved.
 *
 * Concurrency: the owner's thread, but for the constant fields, which anybody with a pointer to a
 * block may read.
 */
#ifndef HAK_SLAB_SLAB_H
#define HAK_SLAB_SLAB_H

#include "base/base.h"
#include "slab/class.h"
#include "span/map.h"
#include "span/superslab.h"

struct hak_slab {
    /* owner: list of partial slabs; or, in first-class heaps, of full ones */
    _Alignas(HAK_CACHE_LINE) struct hak_slab *next;
    struct hak_slab *prev;
    struct hak_block *free; /* owner */
    char *base;             /* const while in use */
    _Atomic uint32_t owner; /* relaxed: changed by adoption, while check/verify.c may read it */
    uint32_t used;          /* owner: H3 */
    uint32_t carved;        /* owner */
    uint32_t capacity;      /* const while in use */
    uint8_t class;          /* const while in use; 0 = no slab starts here */
    uint8_t units;          /* const while in use */
    uint8_t back;           /* const while in use: units back to the slab's first */
    bool listed;            /* owner: in the heap's list of partial slabs */
    bool clean;             /* const while in use: units were zero when it was made */
};

_Static_assert(sizeof(struct hak_slab) == sizeof(struct hak_unit),
               "a slab descriptor is one unit record");

HAK_INLINE struct hak_slab *hak_slab_at(struct hak_superslab *superslab, unsigned unit) {
    return (struct hak_slab *)(void *)&superslab->unit[unit];
}

/* The slab of a block. `superslab` has been looked up for it. */
HAK_INLINE struct hak_slab *hak_slab_in(struct hak_superslab *superslab, const void *block) {
    unsigned unit = ((uintptr_t)block >> HAK_UNIT_SHIFT) & (HAK_SUPERSLAB_UNITS - 1);
    struct hak_slab *slab = hak_slab_at(superslab, unit);
    return slab - slab->back;
}

HAK_INLINE struct hak_slab *hak_slab_of(const void *block) {
    return hak_slab_in(hak_map_superslab(block), block);
}

/* A new slab with its tags set, or NULL: no memory. */
struct hak_slab *hak_slab_new(uint32_t owner, unsigned class);

/* Gives an unlisted slab's units back; none of its blocks is in use. */
void hak_slab_release(struct hak_slab *slab);

/* Makes `owner` the owner.  The caller has claimed the heap of the old one (H2). */
void hak_slab_retag(struct hak_slab *slab, uint32_t owner);

/* Blocks taken out of a slab, in the order in which they should be used. */
struct hak_batch {
    struct hak_block *block[HAK_BATCH_MAX];
    unsigned count;
    bool zeroed; /* they read as zeros */
};

/* Takes up to `max` >= 1 blocks from the free list, and their seals from them.  False: it is empty.
 * *broken is set to a block whose seal is broken (mark != 0), if there is one among them: it and
 * what follows are given up. */
bool hak_slab_take(struct hak_slab *slab, unsigned max, uintptr_t mark, struct hak_batch *batch,
                   const struct hak_block **broken);

/* Cuts up to `max` >= 1 new blocks: those that start in the page of the first.  They are not
 * touched, unless they may have a seal (mark != 0) from an earlier use of their memory.  False:
 * all are cut. */
bool hak_slab_carve(struct hak_slab *slab, unsigned max, uintptr_t mark, struct hak_batch *batch);

/* Returns a block.  The caller looks at `listed` and `used` then. */
HAK_INLINE void hak_slab_put(struct hak_slab *slab, struct hak_block *block, uintptr_t mark) {
    hak_block_link(block, slab->free, mark);
    hak_order_stores(); /* H7 */
    slab->free = block;
    hak_order_stores(); /* H3 */
    slab->used--;
}

#endif
