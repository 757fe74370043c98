/* SPDX-License-Identifier: MIT
 *
 * Refill and flush: batches of blocks between a heap's bins and its slabs.
 *
 * All of this is for the owner of the heap, inside its slow path (H5).
 *
 * A refill asks, in this order: blocks that other threads have freed; free blocks of the heap's
 * slabs; the untouched end of a slab; slabs of ended threads; a new slab.
 *
 * Magazine sizes follow use.  A magazine that is flushed after a refill, or refilled after a flush,
 * was too small, and grows to double, up to the options magazine_blocks and magazine_bytes.  One
 * that was not refilled between two looks held more than its thread needed: half of it is flushed
 * (hak_bin_idle).
 */
#ifndef HAK_HEAP_BIN_H
#define HAK_HEAP_BIN_H

#include "heap/heap.h"
#include "slab/used.h"

/* One block for the caller, and a magazine for the next ones.  *zeroed: the block reads as zeros.
 * NULL: no memory.  In checked mode the block is not sealed any more. */
struct hak_block *hak_bin_refill(struct hak_heap *heap, unsigned class, bool *zeroed);

/* Called when a push has made the bin's room negative. */
void hak_bin_overflow(struct hak_heap *heap, unsigned class);

/* Moves blocks to their slabs until at most `keep` are left, at most `max` of them. */
void hak_bin_flush(struct hak_heap *heap, unsigned class, uint32_t keep, uint32_t max);

/* Moves all blocks of all bins to their slabs. */
void hak_bin_flush_all(struct hak_heap *heap);

/* Moves what can be spared from all bins to their slabs; safe in a signal handler, see bin.c. */
void hak_bin_shrink_all(struct hak_heap *heap);

/* Looks for idle magazines in a few classes; a call after every so many goes round all of them. */
void hak_bin_idle(struct hak_heap *heap);

/* Returns one free block of this heap to its slab, and an emptied slab to the superslabs. */
void hak_bin_return(struct hak_heap *heap, struct hak_block *block);

/* Says that a free block's seal is broken: it was written to; or that it comes back a second time.
 * Does not return, unless the option on_error says so. */
void hak_bin_report_broken(unsigned class, const struct hak_block *block) HAK_COLD;
void hak_bin_report_twice(unsigned class, const struct hak_block *block) HAK_COLD;

/* One of them, of the first block of a bin, which is given up. */
void hak_bin_corrupt(struct hak_heap *heap, unsigned class, const struct hak_block *block) HAK_COLD;

/* Pops a block in checked mode.  NULL: the bin is empty, or its first block is broken or in use. */
HAK_INLINE struct hak_block *hak_bin_pop_checked(const struct hak_heap *heap, struct hak_bin *bin) {
    struct hak_block *block = bin->head;
    if (hak_unlikely(!block) || hak_unlikely(!hak_block_is_sealed(block, heap->mark))) return NULL;
    struct hak_used_bit at = hak_used_find(block);
    if (hak_unlikely(hak_used_get(at))) return NULL;
    bin->head = block->next;
    bin->room++;
    hak_order_stores(); /* H7 */
    block->seal = 0;
    hak_used_flip(at);
    return block;
}

/* Pops a block; NULL: the bin is empty, or was given up. */
HAK_INLINE struct hak_block *hak_bin_pop(struct hak_heap *heap, unsigned class) {
    struct hak_bin *bin = &heap->bin[class];
    struct hak_block *block = bin->head;
    if (!block) return NULL;
    if (heap->mark) {
        struct hak_block *whole = hak_bin_pop_checked(heap, bin);
        if (hak_unlikely(!whole)) hak_bin_corrupt(heap, class, block);
        return whole;
    }
    bin->head = block->next;
    bin->room++;
    hak_order_stores(); /* H7 */
    return block;
}

/* Pushes a free block of this heap. */
HAK_INLINE void hak_bin_push(struct hak_heap *heap, unsigned class, struct hak_block *block) {
    struct hak_bin *bin = &heap->bin[class];
    hak_block_link(block, bin->head, heap->mark);
    hak_order_stores(); /* H7 */
    bin->head = block;
    if (--bin->room < 0) hak_bin_overflow(heap, class);
}

/* A block of a class from anywhere. */
HAK_INLINE struct hak_block *hak_bin_take(struct hak_heap *heap, unsigned class, bool *zeroed) {
    *zeroed = false;
    struct hak_block *block = hak_bin_pop(heap, class);
    return block ? block : hak_bin_refill(heap, class, zeroed);
}

#endif
