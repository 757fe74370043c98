/* SPDX-License-Identifier: MIT
 *
 * Allocated bits (checked mode): a bit for each 16 bytes of a superslab, set while a block that
 * starts there is handed out.  They lie out of line: the program can't overwrite them, and a free
 * finds them without waiting for the block's own line, which is often cold.
 *
 * Invariant L4: in checked mode the bit of a block is set from when malloc takes it out of a bin,
 * or a refill out of a slab, until its owner frees or drains it.  Units in no slab have none set.
 *
 * Concurrency: changed by the owner's thread only, by single instructions, so that its signal
 * handlers may change other bits of the same word.  Other threads may look, for blocks that they
 * were given.
 *
 * Not here: what is done about a block whose bit is wrong (check/verify.h).
 */
#ifndef HAK_SLAB_USED_H
#define HAK_SLAB_USED_H

#include "base/bits.h"
#include "slab/slab.h"
#include "span/map.h"
#include "span/superslab.h"

/* Where the bit of an address is. */
struct hak_used_bit {
    uint64_t *word;
    uint64_t bit;
};

/* In its word. */
HAK_INLINE uint64_t hak_used_bit_of(const void *address) {
    return hak_bits_one((uintptr_t)address / HAK_MIN_ALIGN);
}

/* For an address of this leaf, in a unit that has a tag; rounded down to 16. */
HAK_INLINE struct hak_used_bit hak_used_find_in(const struct hak_leaf *leaf, const void *address) {
    return (struct hak_used_bit){hak_leaf_used(leaf, address), hak_used_bit_of(address)};
}

HAK_INLINE struct hak_used_bit hak_used_find(const void *address) {
    return hak_used_find_in(hak_map_leaf((uintptr_t)address), address);
}

HAK_INLINE bool hak_used_get(struct hak_used_bit at) {
    return __atomic_load_n(at.word, __ATOMIC_RELAXED) & at.bit;
}

/* For the owner.  When a block is handed out: after it has left its magazine, or its slab, or a
 * forked child would find it there with its bit set. */
HAK_INLINE void hak_used_flip(struct hak_used_bit at) {
    hak_bits_flip(at.word, at.bit);
}

/* Does a block that is handed out start at this address, which is aligned to 16? */
HAK_INLINE bool hak_used_is(const void *address) {
    return hak_used_get(hak_used_find(address));
}

/* For the owner, of a block that is freed.  False: the bit was not set. */
HAK_INLINE bool hak_used_clear(struct hak_used_bit at) {
    if (hak_unlikely(!hak_used_get(at))) return false;
    hak_used_flip(at);
    return true;
}

/* Clears the bits of all blocks of a slab.  Returns how many were set. */
size_t hak_used_forget(const struct hak_slab *slab);

#endif
