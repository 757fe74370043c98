/* SPDX-License-Identifier: MIT
 *
 * Checked mode: the free of a block of the caller's own heap.
 *
 * The second word of every free block seals its first, the link: it is the link XOR the block's
 * address XOR the process's secret mark.  A block in use is not sealed: its second word is cleared
 * when it is handed out.  So
 *   a second free             finds the seal;
 *   an interior pointer       is not a multiple of the block size;
 *   memory never handed out   lies in the part of the slab that was not carved yet;
 *   a write to a free block   that hits link or seal is found before the link is followed.
 *
 * The seal lies in the block, whose first line the free touches in any case; the other two need the
 * line of the class only.  docs/decisions/0003-checked-mode.md has what that costs, and what an
 * allocated bit out of line would.
 *
 * Not here: what happens with a pointer that fails (check/verify.h).
 */
#ifndef HAK_CHECK_CHECKED_H
#define HAK_CHECK_CHECKED_H

#include "heap/bin.h"
#include "heap/heap.h"

/* The checks of a class, found as its bin is. */
HAK_INLINE struct hak_bin_check *hak_checked_class(struct hak_heap *heap, uint64_t class_words) {
    return (struct hak_bin_check *)(void *)((uint64_t *)(void *)heap->check + class_words);
}

/* Is `block`, whose unit has the heap's tag and class_words, in use, as
 * far as can be told quickly? */
HAK_INLINE bool hak_checked_in_use(struct hak_heap *heap, uint64_t class_words,
                                   const struct hak_block *block) {
    const struct hak_bin_check *check = hak_checked_class(heap, class_words);
    uint16_t offset = (uint16_t)(uintptr_t)block;
    return hak_likely(hak_class_divides(check->inverse, offset)) &&
           hak_likely(offset != check->end) &&
           hak_likely(!hak_block_is_sealed(block, heap->mark)) &&
           hak_likely(((uintptr_t)block - (uintptr_t)check->carve_at) >> 4 >= check->carve_left);
}

_Static_assert(sizeof(struct hak_bin_check) == 16, "found by class_words, as bins are");

#endif
