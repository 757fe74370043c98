/* SPDX-License-Identifier: MIT
 *
 * Blocks freed by a thread that does not own them.
 *
 *   freeing thread                             owner
 *   free -> outbox[owner] -> parcel of <= 28 ==> inbox -> pending -> slabs
 *                            one compare-and-swap      one exchange, <= 64 blocks a refill
 *
 * When there is no parcel (heap/parcel.h) the blocks are their own links, gathered as a chain.
 * Blocks of large classes, and of first-class heaps, are sent at once.  A drained block whose slab
 * has been adopted meanwhile is sent on to its new owner.
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
#include "slab/used.h"

/* A parcel is sent when it has so many blocks, or bytes. */
#define HAK_REMOTE_BLOCKS (HAK_STRESS ? 2u : HAK_PARCEL_BLOCKS)
#define HAK_REMOTE_BYTES  (16u << 10)

/* Frees a block whose unit has `tag`, owned by a heap other than `heap` (the caller's). */
void hak_remote_free(struct hak_heap *heap, struct hak_block *block, uint32_t tag);

/* The outbox in which blocks of this owner are being gathered, or NULL. */
HAK_INLINE struct hak_outbox *hak_remote_outbox(struct hak_heap *heap, uint32_t owner) {
    struct hak_outbox *box = &heap->outbox[owner % HAK_OUTBOXES];
    return owner && __atomic_load_n(&box->owner, __ATOMIC_RELAXED) == owner ? box : NULL;
}

/* A link of a chain in an inbox is the address of a block, or of a parcel and this added. */
#define HAK_REMOTE_IS_PARCEL ((uintptr_t)1)
/* In a block it has this added, as the seal of a block in a parcel has not: a block that a second
 * free has taken from a parcel into a chain is not followed. */
#define HAK_REMOTE_IN_BLOCK ((uintptr_t)8)

/* Links a block to what follows it in a chain; 0: nothing. */
HAK_INLINE void hak_remote_link(struct hak_block *block, uintptr_t next, uintptr_t mark) {
    hak_block_link(block, (struct hak_block *)(next | HAK_REMOTE_IN_BLOCK), mark);
}

/* Puts a block to those that are gathered in the outbox of its owner.  At every instant a forked
 * child finds there what is counted. */
HAK_INLINE void hak_remote_gather(struct hak_heap *heap, struct hak_outbox *box,
                                  struct hak_block *block, unsigned class) {
    uint32_t count = box->count;
    if (hak_likely(box->parcel != NULL)) {
        if (heap->mark) hak_block_seal(block, NULL, heap->mark); /* in no list */
        box->parcel->block[count] = block;
    } else {
        hak_remote_link(block, (uintptr_t)box->first, heap->mark);
        if (!count) box->last = block;
        hak_order_stores();
        box->first = block;
    }
    box->bytes += hak_class_table[class].block_bytes;
    hak_order_stores();
    box->count = count + 1;
}

/* Would one more block not be enough for it to be sent? */
HAK_INLINE bool hak_remote_has_room(const struct hak_outbox *box, unsigned class) {
    return box->count + 1 < HAK_REMOTE_BLOCKS &&
           box->bytes + hak_class_table[class].block_bytes < HAK_REMOTE_BYTES;
}

/* hak_remote_free for a caller that has no heap, or is inside its slow path. */
void hak_remote_free_now(struct hak_block *block, uint32_t tag);

/* Sends everything in the outboxes. */
void hak_remote_send_all(struct hak_heap *heap);

/* Sends what is in one that is not empty, or was not until it was closed (heap/visit.c). */
void hak_remote_send(struct hak_heap *heap, struct hak_outbox *box);

/* Takes up to 64 blocks from the inbox to their slabs: there a refill finds those of its class, the
 * lowest first.  False: there were none. */
bool hak_remote_drain(struct hak_heap *heap);

/* Does so much wait in the inbox that whoever sees it should see to it that it is drained? */
bool hak_remote_is_crowded(struct hak_heap *heap);

/* Notes, before that, that another heap has freed a block of this one (checked mode).  A look
 * first: many read the line. */
HAK_INLINE void hak_remote_note_shared(struct hak_heap *heap) {
    if (~atomic_load_explicit(&heap->doubtful, memory_order_relaxed))
        atomic_store_explicit(&heap->doubtful, ~(uintptr_t)0, memory_order_relaxed);
}

/* Checked mode: is a block of another heap, `to`, in use? */
HAK_INLINE bool hak_remote_in_use(struct hak_heap *to, const struct hak_block *block,
                                  const struct hak_map *map) {
    hak_remote_note_shared(to);
    return !((uintptr_t)block & HAK_NO_BLOCK) &&
           hak_used_get(hak_used_find_in(&map->zero, block)) &&
           !hak_block_is_sealed(block, to->mark);
}

/* Anything to drain? */
HAK_INLINE bool hak_remote_waiting(struct hak_heap *heap) {
    return heap->pending || atomic_load_explicit(&heap->inbox, memory_order_relaxed);
}

#endif
