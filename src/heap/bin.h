/* SPDX-License-Identifier: MIT
 *
 * Refill and flush: batches of blocks between a heap's bins and its slabs.
 *
 * All of this is for the owner of the heap, inside its slow path (H5); what returns blocks also for
 * a visitor (H8).
 *
 * A refill first has blocks that other threads have freed come home, and then asks, in this order:
 * free blocks of the heap's slabs; the untouched end of a slab; slabs of ended threads; a new slab.
 *
 * How much they move is for heap/magazine.h.
 *
 * Above 32 KiB a slab has one block.  A refill that finds none in the magazines of its class and
 * the next two gives back a block of each magazine of such classes, before it takes units; an
 * overflow gives back one.
 *
 * A thread's heap keeps a slab when its last block comes back, unless the class has another with
 * room: a thread whose blocks all come and go would take it and give it back again and again.
 *
 * In fast mode a bin may borrow a few blocks of other heaps (hak_bin_borrow); a flush sends them
 * home.
 *
 * At a thread's end its heap forgets half of what it has learned about sizes, so that over the
 * lives of many threads its arrays don't grow to what each class has needed at some time.
 */
#ifndef HAK_HEAP_BIN_H
#define HAK_HEAP_BIN_H

#include "heap/heap.h"
#include "slab/used.h"

/* One block for the caller, and a magazine for the next ones.  *zeroed: the block reads as zeros.
 * NULL: no memory.  Above 32 KiB the block may be of one of the next two classes. */
struct hak_block *hak_bin_refill(struct hak_heap *heap, unsigned class, bool *zeroed);

/* Moves the oldest blocks to their slabs until at most `keep` are left, at most `max` of them. */
void hak_bin_flush(struct hak_heap *heap, unsigned class, uint32_t keep, uint32_t max);

/* Moves all blocks of a bin to their slabs, and keeps no empty slab of the class. */
void hak_bin_clear(struct hak_heap *heap, unsigned class);
void hak_bin_clear_all(struct hak_heap *heap);

/* The same for a heap whose thread ends: its arrays are for whatever comes next. */
void hak_bin_retire(struct hak_heap *heap);

/* Gives back the empty slab that is kept for a class, if there is one. */
void hak_bin_drop_kept(struct hak_heap *heap, unsigned class);

/* Purges pages inside of the heap's slabs (slab/thin.h), until `*stop` is not zero (NULL: all).
 * Returns the bytes given back. */
size_t hak_bin_thin_all(struct hak_heap *heap, const _Atomic uint32_t *stop);

/* Returns free blocks of this heap to their slabs, and emptied slabs to the superslabs. */
void hak_bin_return_all(struct hak_heap *heap, const struct hak_slot *slot, unsigned count);
void hak_bin_return(struct hak_heap *heap, struct hak_block *block);

/* Says that the seal of a block on its way is broken: it was written to; or that it comes back a
 * second time.
 * Does not return, unless the option on_error says so. */
void hak_bin_report_broken(unsigned class, const struct hak_block *block) HAK_COLD;
void hak_bin_report_twice(unsigned class, const struct hak_block *block) HAK_COLD;

/* Pops a block in fast mode; NULL: the bin is empty. */
HAK_INLINE struct hak_block *hak_bin_pop_fast(struct hak_bin *bin) {
    struct hak_slot *top = bin->top;
    struct hak_block *block = __atomic_load_n(&top->block, __ATOMIC_RELAXED); /* once: H8 */
    if (block) bin->top = top - 1;
    return block;
}

/* The same in checked mode: the block is marked as in use. */
HAK_INLINE struct hak_block *hak_bin_pop_checked(struct hak_bin *bin) {
    struct hak_slot *top = bin->top;
    struct hak_block *block = __atomic_load_n(&top->block, __ATOMIC_RELAXED); /* once: H8 */
    if (hak_unlikely(!block)) return NULL;
    bin->top = top - 1;
    hak_order_stores(); /* H7 */
    hak_used_flip((struct hak_used_bit){top->used, hak_used_bit_of(block)});
    return block;
}

/* The same in either mode. */
HAK_INLINE struct hak_block *hak_bin_pop(struct hak_heap *heap, unsigned class) {
    struct hak_bin *bin = &heap->bin[class];
    return heap->mark ? hak_bin_pop_checked(bin) : hak_bin_pop_fast(bin);
}

/* Classes with one block a slab: a free block that will do for *class, which is set to its class:
 * that, the next or the one after, up to half as large again.  Its pages are there.  It stays in
 * its magazine.  NULL: there is none. */
HAK_INLINE struct hak_block *hak_bin_find_single(const struct hak_heap *heap, unsigned *class) {
    struct hak_block *block = heap->bin[*class].top->block;
    for (unsigned larger = 1; !block && larger <= 2 && *class < HAK_CLASSES; larger++)
        block = heap->bin[++*class].top->block;
    return block;
}

/* Takes it, as hak_bin_pop would.  It is not looked for again: a visitor that has closed the slot
 * since leaves the block to a caller who holds the heap (heap/visit.h). */
HAK_INLINE void hak_bin_pop_found(struct hak_heap *heap, unsigned class, struct hak_block *block) {
    struct hak_slot *top = heap->bin[class].top;
    heap->bin[class].top = top - 1;
    hak_order_stores(); /* H7 */
    if (heap->mark) hak_used_flip((struct hak_used_bit){top->used, hak_used_bit_of(block)});
}

/* Pushes a block that is not in use.  `used` as in struct hak_slot.  False: the bin is full. */
HAK_INLINE bool hak_bin_try_push(struct hak_bin *bin, struct hak_block *block, uint64_t *used) {
    struct hak_slot *top = bin->top;
    if (hak_unlikely(top >= bin->limit)) return false;
    top[1] = (struct hak_slot){block, used};
    hak_order_stores(); /* H7 */
    bin->top = top + 1;
    return true;
}

/* In fast mode a few free blocks of other heaps may stay in the magazine of the thread that has
 * freed them, when it is almost empty: a thread that allocates as many as it frees for others then
 * has them at hand.  Blocks of less than a line go home at once, so that no line is shared by what
 * two threads allocate.  Not in checked mode: only its owner can tell that a block is free. */
#define HAK_BORROW_MAX   6u
#define HAK_BORROW_FIRST 4u /* class: 64 bytes */

HAK_INLINE bool hak_bin_may_borrow(const struct hak_heap *heap, unsigned class) {
    return !heap->mark && class - HAK_BORROW_FIRST <= HAK_FAST_CLASSES - HAK_BORROW_FIRST &&
           heap->bin[class].top < heap->bin[class].limit &&
           hak_heap_bin_count(heap, class) < HAK_BORROW_MAX;
}

/* Takes a block that another thread's heap owns. */
HAK_INLINE void hak_bin_borrow(struct hak_heap *heap, unsigned class, struct hak_block *block) {
    hak_bin_try_push(&heap->bin[class], block, &block->seal);
}

/* Pushes a block from inside the slow path; one that finds no room goes to its slab. */
void hak_bin_push(struct hak_heap *heap, unsigned class, struct hak_block *block);

/* A block of a class from anywhere, as hak_bin_refill. */
HAK_INLINE struct hak_block *hak_bin_take(struct hak_heap *heap, unsigned class, bool *zeroed) {
    *zeroed = false;
    struct hak_block *block = hak_bin_pop(heap, class);
    return block ? block : hak_bin_refill(heap, class, zeroed);
}

#endif
