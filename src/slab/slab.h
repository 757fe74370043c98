/* SPDX-License-Identifier: MIT
 *
 * A slab: 1 to 32 units cut into blocks of one class, owned by one heap.
 *
 *   | block 0 | block 1 | ... | block carved-1 |  untouched ............ | too short for a block |
 *
 * Its descriptor lies in the record of its first unit; those of its other units say how far back
 * that is.  A free block has its bit set, there or in the superslab's metadata.  The block itself
 * is neither read nor written, but for an old seal in memory that had another use before.
 *
 * Invariants
 *   H2  Only the owner touches a descriptor; or a visitor (heap/visit.h) in its place.
 *   H3  used >= the number of blocks outside the slab, at every instant.
 *   L1  The last capacity - carved blocks have never been handed out.  They read as zeros if the
 *       slab is `clean`.
 *   L3  A descriptor with a class is whole, and tells the truth when a tag does not (after a fork
 *       between two tags): class is set after the rest and before the tags, cleared after them.
 *   L2  used + (the number of free bits below `carved`) = carved; more while a call changes them,
 *       less when a program has freed a block twice in fast mode.
 *   L5  A free bit is set after its block is back, and cleared before it leaves; none is set in a
 *       word below `hint`.
 *
 * Concurrency: the owner's thread, but for the constant fields, which anybody with a pointer to a
 * block may read.  In a slab with one block class, units and inverse change when the program
 * resizes the block; nobody else has a pointer to it then.
 */
#ifndef HAK_SLAB_SLAB_H
#define HAK_SLAB_SLAB_H

#include "base/base.h"
#include "base/bits.h"
#include "slab/class.h"
#include "span/map.h"
#include "span/superslab.h"

struct hak_slab {
    /* owner: list of partial slabs; or, in first-class heaps, of full ones */
    _Alignas(HAK_CACHE_LINE) struct hak_slab *next;
    struct hak_slab *prev;
    uint64_t *free_apart;   /* const while in use: the words behind free[], where there are more */
    char *base;             /* const while in use */
    _Atomic uint32_t owner; /* relaxed: changed by adoption, while check/verify.c may read it */
    uint32_t used;          /* owner: H3 */
    uint32_t carved;        /* owner */
    uint32_t capacity;      /* const while in use */
    uint32_t inverse;       /* see above: 2^32 / block size, rounded up */
    uint16_t populated;     /* owner: where what was made resident ahead ends, in 4 KiB */
    uint8_t hint;           /* owner: L5 */
    uint8_t class;          /* see above; 0 = no slab starts here */
    uint8_t units;          /* see above */
    uint8_t back;           /* const while in use: units back to the slab's first */
    bool listed : 1;        /* owner: in the heap's list of partial slabs */
    bool thin : 1;          /* owner: its pages were purged, and nothing put since: slab/thin.h */
    bool clean;             /* const while in use: units were zero when it was made */
    /* owner: by block; those from `carved` on mean nothing */
    _Alignas(HAK_CACHE_LINE) union {
        uint64_t free[HAK_FREE_WORDS];
        struct { /* in slabs with one block, whose bit is in the first word; by whoever has it */
            uint64_t free;
            uint32_t born_ms; /* when it was handed out, if that was looked at; 0: it was not */
            uint16_t site;    /* who has asked for it: observe/site.h */
        } one;
    };
};

_Static_assert(sizeof(struct hak_slab) == sizeof(struct hak_unit),
               "a slab descriptor is one unit record");

HAK_INLINE struct hak_slab *hak_slab_at(struct hak_superslab *superslab, unsigned unit) {
    return (struct hak_slab *)(void *)&superslab->meta->unit[unit];
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

/* Changes the class of a slab with one block, which is in use, to another one with one block: its
 * last units are given back, or the next ones claimed.  False: those are not free. */
bool hak_slab_resize(struct hak_slab *slab, unsigned class);

/* Up to which offset it was cut, or made resident ahead. */
size_t hak_slab_touched(const struct hak_slab *slab);

/* Gives an unlisted slab's units back; none of its blocks is in use. */
void hak_slab_release(struct hak_slab *slab);

/* Makes `owner` the owner.  The caller has claimed the heap of the old one (H2). */
void hak_slab_retag(struct hak_slab *slab, uint32_t owner);

/* Counts again what is free (L2), in a slab of a heap in which a fork has interrupted a call. */
void hak_slab_recount(struct hak_slab *slab);

/* A free block outside its slab: in a magazine (heap/heap.h), or on the way there. */
struct hak_slot {
    struct hak_block *block;
    uint64_t *used; /* checked mode: the word of its allocated bit (slab/used.h) */
};

/* Takes up to `max` >= 1 free blocks, those at the lowest addresses, into slot[1] to slot[count],
 * the lowest last.  Returns the count; 0: there is none. */
unsigned hak_slab_take(struct hak_slab *slab, unsigned max, struct hak_slot *slot);

/* Before blocks are cut from a slab that reads as zeros: makes the next `bytes` of it, in whole
 * pages, resident at one go, unless that was done before. */
void hak_slab_populate(struct hak_slab *slab, size_t bytes);

/* Cuts up to `max` >= 1 new blocks, in the same way; those that read as zeros only if they start in
 * the page of the first, or in one that was made resident ahead.  They are not touched, unless they
 * may have a seal (mark != 0) from an earlier use of their memory.  0: all are cut. */
unsigned hak_slab_carve(struct hak_slab *slab, unsigned max, uintptr_t mark, struct hak_slot *slot);

/* Returns the blocks of slot[0] to slot[max - 1], up to the first that is not of this slab.
 * Returns how many.  The caller looks at `listed` and `used` then. */
unsigned hak_slab_put_run(struct hak_slab *slab, const struct hak_slot *slot, unsigned max);

/* Are there free blocks? */
HAK_INLINE bool hak_slab_has_free(const struct hak_slab *slab) {
    return slab->used < slab->carved;
}

HAK_INLINE uint64_t *hak_slab_free_word(struct hak_slab *slab, unsigned word) {
    return word < HAK_FREE_WORDS ? &slab->free[word] : &slab->free_apart[word - HAK_FREE_WORDS];
}

/* The index of the block that starts at an offset from the slab's base. */
HAK_INLINE unsigned hak_slab_index(const struct hak_slab *slab, uint64_t offset) {
    return (unsigned)(offset * slab->inverse >> 32);
}

#endif
