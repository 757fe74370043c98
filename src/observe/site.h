/* SPDX-License-Identifier: MIT
 *
 * Call sites: which places in the program allocate, how much, and for how long.
 *
 * A site is the address where a call to malloc or one of its family returns to, or that behind a
 * wrapper (observe/wrapper.h).  Blocks above 32 KiB are counted one by one, and know their site
 * until they are freed.  For smaller ones the site is looked at when a bin is empty, and counts for
 * all blocks that are fetched then, as if it had asked for each: over many refills that tells what
 * each site has asked for, and a hit costs nothing.
 *
 * A heap counts its large blocks in cells, and adds what is in a cell to the site at each of the
 * first 16 calls, then at every 16th, and from 256 on at every 64th.  So of each thread and size
 * up to 63 large blocks of a site are not counted yet, and none if there were few.  At those calls
 * the time is looked at, too: of these blocks it is known how long they lived, or how long it was
 * until the next one was asked for.
 *
 * Of a first-class heap, blocks up to 32 KiB are not counted, and those above that are destroyed
 * with the heap count as never freed.
 *
 * The table has places for HAK_SITES - 1 sites; what finds none is counted for site 0.
 *
 * Concurrency: hak_site_took and hak_site_freed with a heap are for its owner, while that is not
 * READY (H5); everything else is callable from anywhere, takes no lock.  A site is entered by one
 * compare-and-swap and never leaves.  Two threads may enter one at once; then one of the two places
 * stays empty, or, rarely, both are in use: readers add up what has the same address.
 */
#ifndef HAK_OBSERVE_SITE_H
#define HAK_OBSERVE_SITE_H

#include "base/base.h"
#include "base/counter.h"
#include "heap/heap.h"
#include "slab/slab.h"

#define HAK_SITES      4096u
#define HAK_SITE_SIZES 16u /* powers of two: up to 64 KiB, ..., the last for all above 1 GiB */
#define HAK_SITE_TIMES 12u /* powers of four of a ms: less than 1, ..., the last from 2^20 ms on */

/* What a site is told to have asked for above 32 KiB.  atomic, relaxed: all */
struct hak_site_large {
    hak_count_t taken[HAK_SITE_SIZES]; /* blocks, by their size */
    hak_count_t taken_bytes, freed, freed_bytes;
    hak_count_t elsewhere; /* of those freed: by a thread that does not own the block */
    hak_count_t resized;   /* made larger or smaller without being copied */
    hak_count_t
        life[HAK_SITE_TIMES]; /* blocks of which the time was looked at, by how long they lived */
    hak_count_t gap[HAK_SITE_TIMES]; /* by the time from then to the next one of that size */
};

#define HAK_SITE_CALLERS 3u /* a site that has been reached from so many places is a wrapper */

/* What is known of a site as a wrapper (observe/wrapper.h).  atomic, relaxed: all; a caller is set
 * once.  The rule (os/cfi.h) is whole in itself, and 0 if it has not been looked for. */
struct hak_site_wrapper {
    _Atomic uintptr_t caller[HAK_SITE_CALLERS - 1]; /* the first places it has been reached from */
    _Atomic uint64_t rule;                          /* to get from it to its caller */
    _Atomic uint32_t looks;
    _Atomic bool known; /* it is one */
};

struct hak_site {
    _Atomic uintptr_t address;              /* atomic, set once: where the call returns to */
    hak_count_t blocks, bytes;              /* atomic, relaxed, estimates: up to 32 KiB */
    _Atomic(struct hak_site_large *) large; /* atomic, set once; NULL: nothing above 32 KiB */
    struct hak_site_wrapper wrapper;
};
_Static_assert(sizeof(struct hak_site) == HAK_CACHE_LINE, "a site is a cache line");

extern struct hak_site hak_site_table[HAK_SITES];

extern _Atomic uint32_t hak_site_used; /* entries given out; may exceed HAK_SITES */

/* The number of an address, which is entered if it is new; 0: the table is full. */
uint16_t hak_site_find(const void *address);

/* The number of entries of the table that may be in use. */
uint32_t hak_site_count(void);

/* A bin of `heap` was empty: `blocks` of a class up to 32 KiB have been fetched for the site (NULL:
 * nobody's). */
void hak_site_refilled(const void *site, unsigned class, uint32_t blocks);

/* What a heap has counted of one key and not added yet: `batch` less `left` calls. */
struct hak_site_cell {
    uint64_t key;
    uint16_t site;
    uint16_t calls; /* all that it has counted, up to UINT16_MAX */
    uint8_t left;   /* calls up to the one at which they are added */
    uint8_t batch;
};

#define HAK_SITE_CELLS_SHIFT 5

struct hak_site_cells {
    struct hak_site_cell taken[1u << HAK_SITE_CELLS_SHIFT]; /* by address and class */
    struct hak_site_cell freed[1u << HAK_SITE_CELLS_SHIFT]; /* by site and class */
    /* when the last block of `taken` whose time is looked at was freed; 0: it was not */
    uint32_t freed_ms[1u << HAK_SITE_CELLS_SHIFT];
};

#define HAK_SITE_KEY_SHIFT 56

HAK_INLINE uint64_t hak_site_key(uint64_t address_or_site, unsigned class) {
    return address_or_site | (uint64_t) class << HAK_SITE_KEY_SHIFT;
}

HAK_INLINE unsigned hak_site_cell_of(uint64_t key) {
    return hak_hash(key, HAK_SITE_CELLS_SHIFT);
}

/* The slab that begins with a block. */
HAK_INLINE struct hak_slab *hak_site_slab(const void *block) {
    unsigned unit = ((uintptr_t)block >> HAK_UNIT_SHIFT) & (HAK_SUPERSLAB_UNITS - 1);
    return hak_slab_at(hak_map_superslab(block), unit);
}

/* The rest of hak_site_took and hak_site_freed; this call is not counted in the cell. */
void hak_site_took_slow(struct hak_heap *heap, struct hak_slab *slab, unsigned class,
                        const void *site);
void hak_site_freed_slow(struct hak_heap *heap, struct hak_slab *slab, unsigned class);

/* Counts a block in its cell alone, where that will do: most of them.  Otherwise false, and nothing
 * is changed. */
HAK_INLINE bool hak_site_took_one_more(struct hak_heap *heap, struct hak_slab *slab, unsigned class,
                                       const void *site) {
    if (hak_unlikely(!heap->sites)) return false;
    uint64_t key = hak_site_key((uintptr_t)site, class);
    struct hak_site_cell *cell = &heap->sites->taken[hak_site_cell_of(key)];
    if (hak_unlikely(cell->key != key || cell->left <= 1)) return false;
    cell->left--;
    slab->one.born_ms = 0;
    slab->one.site = cell->site;
    return true;
}

HAK_INLINE bool hak_site_freed_one_more(struct hak_heap *heap, const struct hak_slab *slab,
                                        unsigned class) {
    if (hak_unlikely(!heap->sites || slab->one.born_ms)) return false;
    uint64_t key = hak_site_key(slab->one.site, class);
    struct hak_site_cell *cell = &heap->sites->freed[hak_site_cell_of(key)];
    if (hak_unlikely(cell->key != key || cell->left <= 1)) return false;
    cell->left--;
    return true;
}

/* A block above 32 KiB, of a class, is given to a call that returns to `site`; or comes back.
 * heap: the calling thread's, if it owns the block; NULL otherwise. */
HAK_INLINE void hak_site_took(struct hak_heap *heap, void *block, unsigned class,
                              const void *site) {
    struct hak_slab *slab = hak_site_slab(block);
    if (!heap || !hak_site_took_one_more(heap, slab, class, site))
        hak_site_took_slow(heap, slab, class, site);
}

HAK_INLINE void hak_site_freed(struct hak_heap *heap, void *block, unsigned class) {
    struct hak_slab *slab = hak_site_slab(block);
    if (!heap || !hak_site_freed_one_more(heap, slab, class))
        hak_site_freed_slow(heap, slab, class);
}

/* A block whose class is changed where it is, by its owner. */
void hak_site_resized(void *block, unsigned from_class, unsigned to_class);

/* The same for a huge block, whose site has been set.  The time (ms, low 32 bits, not 0). */
uint32_t hak_site_took_huge(struct hak_superslab *huge);
uint32_t hak_site_freed_huge(struct hak_superslab *huge);
void hak_site_resized_huge(struct hak_superslab *huge, size_t from_bytes);

#endif
