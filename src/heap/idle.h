/* SPDX-License-Identifier: MIT
 *
 * Magazines that hold more than their thread needs.
 *
 * Looks by the clock: a magazine that was not refilled between two of them loses half of its
 * blocks, and an empty slab that was kept for its class (heap/bin.h) and was not used goes back.
 *
 * Looks before the heap grows: a magazine that was not used at all since the last one is flushed.
 * Blocks that were freed in no order are of many slabs, and may be all that is out of those.
 *
 * Concurrency: as heap/bin.h; also in signal handlers that interrupt the hot path (idle.c).
 */
#ifndef HAK_HEAP_IDLE_H
#define HAK_HEAP_IDLE_H

#include "heap/heap.h"

/* Looks at a few classes, each time the next ones; a call after every so many goes round. */
void hak_idle_look(struct hak_heap *heap);

/* The same before a slab of many blocks is made.  (Where a slab has one, each malloc may make one,
 * and what other classes keep would never last.) */
void hak_idle_reclaim(struct hak_heap *heap);

/* Moves what can be spared from all bins to their slabs. */
void hak_idle_shrink_all(struct hak_heap *heap);

/* The same, and makes magazines as small as they are to be while memory is tight. */
void hak_idle_squeeze(struct hak_heap *heap);

#endif
