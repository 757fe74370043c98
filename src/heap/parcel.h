/* SPDX-License-Identifier: MIT
 *
 * A parcel: an array of blocks on their way to their owner.
 *
 * Neither side writes to the blocks, and the owner need not read them: a chain through them would
 * cost it a miss for each, one after the other.
 *
 * A parcel belongs to one heap, its home, for ever:
 *
 *   home: empty -> filled in an outbox ==> inbox of the blocks' owner -> emptied ==> returned
 *           ^                                                                          |
 *           +------------------------------- taken all at once ------------------------+
 *
 * Concurrency: whoever has a parcel may write to it.  Sending releases, taking an inbox acquires
 * (heap/remote.c); returning releases, taking what was returned acquires.  The returned ones are
 * only ever taken all, so there is no ABA.
 */
#ifndef HAK_HEAP_PARCEL_H
#define HAK_HEAP_PARCEL_H

#include "heap/heap.h"

#define HAK_PARCEL_BLOCKS 28u

struct hak_parcel {
    uintptr_t next;        /* in an inbox: heap/remote.c; or the next empty one */
    struct hak_heap *home; /* const */
    struct hak_heap *to;   /* in whose inbox it is */
    uint32_t count, bytes;
    struct hak_block *block[HAK_PARCEL_BLOCKS];
};

_Static_assert(sizeof(struct hak_parcel) == 256, "no line is shared, none is wasted");

/* An empty one of this heap's; NULL: all are on their way, or no memory. */
struct hak_parcel *hak_parcel_take(struct hak_heap *heap);

/* Returns an emptied one to its home, from any thread. */
void hak_parcel_return(struct hak_parcel *parcel);

#endif
