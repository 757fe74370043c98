/* SPDX-License-Identifier: MIT
 *
 * Blocks freed by a thread that does not own them.
 *
 *   freeing thread                             owner
 *   free -> outbox[owner] -> parcel of <= 28 ==> inbox -> pending -> bins, slabs
 *                            one compare-and-swap      one exchange, <= 64 blocks a refill
 *
 * Blocks of large classes, and of first-class heaps, are sent at once, and so are all when there
 * is no parcel (heap/parcel.h): such a block is its own link of the inbox's chain.  A drained
 * block whose slab has been adopted meanwhile is sent on to its new owner.
 *
 * In checked mode a block on its way is sealed, and has its allocated bit until it is drained: the
 * seal is how a second free finds out.
 *
 * Concurrency: pushing to an inbox releases, taking it acquires.  An inbox is only ever taken
 * whole, so there is no ABA.
 */
#ifndef HAK_HEAP_REMOTE_H
#define HAK_HEAP_REMOTE_H

#include "heap/heap.h"
#include "heap/parcel.h"

/* A parcel is sent when it has so many blocks, or bytes. */
#define HAK_REMOTE_BLOCKS (HAK_STRESS ? 2u : HAK_PARCEL_BLOCKS)
#define HAK_REMOTE_BYTES  ((size_t)16 << 10)

/* Frees a block whose unit has `tag`, owned by a heap other than `heap` (the caller's). */
void hak_remote_free(struct hak_heap *heap, struct hak_block *block, uint32_t tag);

/* The outbox in which blocks of this owner are being gathered, or NULL. */
HAK_INLINE struct hak_outbox *hak_remote_outbox(struct hak_heap *heap, uint32_t owner) {
    struct hak_outbox *box = &heap->outbox[owner % HAK_OUTBOXES];
    return owner && box->owner == owner ? box : NULL;
}

/* Sends what has been gathered. */
void hak_remote_send(struct hak_heap *heap, struct hak_outbox *box);

/* hak_remote_free with the outbox of the block's owner. */
HAK_INLINE void hak_remote_gather(struct hak_heap *heap, struct hak_outbox *box,
                                  struct hak_block *block, uint32_t tag) {
    if (heap->mark) hak_block_seal(block, NULL, heap->mark); /* in no list */
    uint32_t count = box->count;
    size_t bytes = box->bytes + hak_class_table[hak_tag_class(tag)].block_bytes;
    box->parcel->block[count] = block;
    box->count = count + 1;
    box->bytes = bytes;
    if (hak_unlikely(count + 1 >= HAK_REMOTE_BLOCKS || bytes >= HAK_REMOTE_BYTES))
        hak_remote_send(heap, box);
}

/* hak_remote_free for a caller that has no heap, or is inside its slow path. */
void hak_remote_free_now(struct hak_block *block, uint32_t tag);

/* Sends everything in the outboxes. */
void hak_remote_send_all(struct hak_heap *heap);

/* Takes up to 64 blocks from the inbox: those of `class` into its bin, the others to their slabs.
 * (A signal handler must not touch bins of other classes than it asks for; and the bins of a parked
 * heap stay empty: class 0.)  False: there were none. */
bool hak_remote_drain(struct hak_heap *heap, unsigned class);

/* Does so much wait in the inbox that whoever sees it should see to it that it is drained? */
bool hak_remote_is_crowded(struct hak_heap *heap);

/* Notes, before that, that another heap has freed a block of this one (checked mode).  A look
 * first: many read the line. */
HAK_INLINE void hak_remote_note_shared(struct hak_heap *heap) {
    if (~atomic_load_explicit(&heap->doubtful, memory_order_relaxed))
        atomic_store_explicit(&heap->doubtful, ~(uintptr_t)0, memory_order_relaxed);
}

/* Anything to drain? */
HAK_INLINE bool hak_remote_waiting(struct hak_heap *heap) {
    return heap->pending || atomic_load_explicit(&heap->inbox, memory_order_relaxed);
}

#endif
