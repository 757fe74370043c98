/* SPDX-License-Identifier: MIT
 *
 * Size classes: from a size to its class, from a class to its block and slab sizes.
 *
 *   16 B to 128 B    steps of 16
 *   to 32 KiB        8 steps a doubling: a block is at most 12.5 % larger than what was asked for
 *   to 1 MiB         4 steps a doubling, one block a slab: its untouched end is never resident
 *
 * Class 0 is no class.  The table is constant; everything here may be called from anywhere.
 */
#ifndef HAK_SLAB_CLASS_H
#define HAK_SLAB_CLASS_H

#include "base/base.h"

#define HAK_CLASSES          92u                /* classes 1 to HAK_CLASSES */
#define HAK_CLASS_SHARED_MAX ((size_t)32 << 10) /* above: one block a slab */
#define HAK_SHARED_CLASSES   72u

/* The class of HAK_SMALL_MAX: up to here malloc and free use a bin without entering the heap's slow
 * path (H5). */
#define HAK_FAST_CLASSES 56u

struct hak_class {
    uint32_t block_bytes;
    uint16_t capacity; /* blocks in a slab */
    uint16_t units;    /* units of a slab */
};

extern const struct hak_class hak_class_table[HAK_CLASSES + 1];

/* Class << 1 by (size + 15) / 16, for sizes up to HAK_SMALL_MAX. */
extern const uint8_t hak_class_words[HAK_SMALL_MAX / 16 + 1] HAK_HIDDEN;

/* Above 128 bytes, up to 32 KiB: the class for a size less one, `last`, whose highest bit is `top`.
 * A macro, as hak_class_words is made of constants. */
#define HAK_CLASS_STEP(last, top) (8 + ((top)-7) * 8 + (unsigned)((last) >> ((top)-3)) - 8 + 1)

/* The class for `size` <= HAK_LARGE_MAX; size 0 counts as 1. */
HAK_INLINE unsigned hak_class_of(size_t size) {
    if (size <= 128) return size ? (unsigned)((size + 15) >> 4) : 1;
    size_t last = size - 1;
    unsigned top = hak_log2(last);
    if (size <= HAK_CLASS_SHARED_MAX) return HAK_CLASS_STEP(last, top);
    return 72 + (top - 15) * 4 + (unsigned)(last >> (top - 2)) - 4 + 1;
}

/* The smallest class for `size` whose blocks are all aligned to `alignment`, a power of two up to a
 * unit: that of `size` rounded up.  (Slabs start at a unit, so the block size decides.  Where the
 * alignment is less than a step between sizes, it divides all of them; where it is not, all its
 * multiples are sizes.)  0: none. */
unsigned hak_class_of_aligned(size_t size, size_t alignment);

#endif
