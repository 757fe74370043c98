/* SPDX-License-Identifier: MIT
 *
 * Huge blocks: above HAK_LARGE_MAX, or aligned to more than a unit, or growing.  Up to 32 MiB they
 * are runs of superslabs in a region, kept when freed; above, each is a mapping of its own that is
 * unmapped when freed.
 *
 * Only the first unit of a huge block has a tag (S1); its size is in the first superslab's
 * descriptor.
 *
 * Concurrency: allocation from any thread; the others by whoever holds the block, as for any block.
 */
#ifndef HAK_LARGE_HUGE_H
#define HAK_LARGE_HUGE_H

#include "base/base.h"
#include "span/superslab.h"

/* A block in a region has so many superslabs: of up to 4 MiB each fits where another one was. */
#define HAK_HUGE_SLOTS_MIN  2u
#define HAK_HUGE_SLOTS_MAX  16u
#define HAK_HUGE_REGION_MAX ((size_t)HAK_HUGE_SLOTS_MAX << HAK_SUPERSLAB_SHIFT)

/* The superslabs that a block of so many bytes has in a region, if it is not too large for one. */
HAK_INLINE size_t hak_huge_slots(size_t bytes) {
    size_t slots = (bytes + HAK_SUPERSLAB_BYTES - 1) >> HAK_SUPERSLAB_SHIFT;
    return hak_max_size(slots, HAK_HUGE_SLOTS_MIN);
}

/* A huge block's superslab; its address is ->base.  *zeroed: it reads as zeros.  alignment is a
 * power of two.  NULL: no memory. */
struct hak_superslab *hak_huge_alloc(size_t size, size_t alignment, bool *zeroed);

void hak_huge_free(struct hak_superslab *huge);

/* Frees a block, but keeps its place; gives it out again, as it is, for as many bytes as its
 * superslabs have room for, or as its mapping has; gives the place up, and its memory at once if
 * `purge`. */
void hak_huge_hide(struct hak_superslab *huge);
void hak_huge_show(struct hak_superslab *huge, size_t bytes);
void hak_huge_drop(struct hak_superslab *huge, bool purge);

/* A block below the large limit that grows has superslabs for itself, so that it is not copied
 * again.  That takes address space, so it is for few at a time: may there be one more?  And: a new
 * block is one.  It counts until it is above the limit, or freed. */
bool hak_huge_may_grow(void);
void hak_huge_grows(struct hak_superslab *huge);

/* The bytes of a hidden block that may be resident, from this use of its place or another one. */
size_t hak_huge_soiled(struct hak_superslab *huge);

/* Changes the size, keeping the contents.  Returns the block's superslab, perhaps another one;
 * NULL: not possible without copying, nothing has changed. */
struct hak_superslab *hak_huge_resize(struct hak_superslab *huge, size_t size);

/* The superslab of a huge block, if `address` is the start of one; NULL otherwise. */
struct hak_superslab *hak_huge_of(const void *address);

#endif
