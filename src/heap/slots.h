/* SPDX-License-Identifier: MIT
 *
 * The memory of magazines: arrays of 4 to 2048 slots, a power of two.
 *
 * An array belongs to one magazine of one heap, or waits among the heap's spare ones until a
 * magazine of that size is needed.  So a heap holds at most twice what its magazines were at their
 * largest.  Slot 0 has no block (a link, while it is spare), and its other word says how many slots
 * there are: base and size are one word, and change in one step.
 *
 * Concurrency: for the owner of the heap, inside its slow path (H5).
 */
#ifndef HAK_HEAP_SLOTS_H
#define HAK_HEAP_SLOTS_H

#include "heap/heap.h"

/* The array of all magazines that have none. */
struct hak_slot *hak_slots_none(void);

/* An empty array with room for `blocks`; NULL: no memory. */
struct hak_slot *hak_slots_new(struct hak_heap *heap, size_t blocks);

/* Keeps an array that no magazine leads to any more. */
void hak_slots_keep(struct hak_heap *heap, struct hak_slot *base);

/* How many of `blocks` have room in an array. */
HAK_INLINE size_t hak_slots_room(const struct hak_slot *base, size_t blocks) {
    return hak_min_size(blocks, (uintptr_t)base->used - 1);
}

#endif
