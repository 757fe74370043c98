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

/* The word with the bit of an address in a unit that has a tag. */
HAK_INLINE uint64_t *hak_used_word(const void *address) {
    return hak_map_used(address) + ((uintptr_t)address >> 10) % HAK_USED_WORDS;
}

/* The bit in that word, of an address that is aligned to 16. */
HAK_INLINE uint64_t hak_used_bit(const void *address) {
    return hak_bits_one((uintptr_t)address / HAK_MIN_ALIGN);
}

/* Does a block that is handed out start at this address, which is aligned to 16? */
HAK_INLINE bool hak_used_is(const void *address) {
    return __atomic_load_n(hak_used_word(address), __ATOMIC_RELAXED) & hak_used_bit(address);
}

/* Sets the bit of a block that leaves a bin or a slab. */
HAK_INLINE void hak_used_set(const void *block) {
    hak_bits_set(hak_used_word(block), hak_used_bit(block));
}

/* Clears the bit of such an address.  False: it was not set. */
HAK_INLINE bool hak_used_clear(const void *address) {
    uint64_t *word = hak_used_word(address), bit = hak_used_bit(address);
    if (hak_unlikely(!(__atomic_load_n(word, __ATOMIC_RELAXED) & bit))) return false;
    hak_bits_flip(word, bit);
    return true;
}

/* Clears the bits of all blocks of a slab.  Returns how many were set. */
size_t hak_used_forget(const struct hak_slab *slab);

#endif
