/* SPDX-License-Identifier: MIT
 *
 * Change of owner: heaps of ended threads, their slabs, and what a fork leaves behind.  This is the
 * only place where a slab or a heap changes hands (H2, H4).
 *
 *   running ─ hak_adopt_park ─► parked ─ hak_adopt_heap ─► running: a new thread has it whole
 *                                 │  ▲
 *   hak_adopt_slab_for, hak_adopt_relieve: claim, take or drain, park again
 *
 * After fork the first slow path of the thread that forked parks the heaps of all threads that
 * exist no more.  A heap that was busy then is torn: whoever claims it builds its lists anew from
 * the descriptors of its slabs, and counts their free blocks again (no bit is set before a block is
 * back, and none stays set when it leaves); blocks in its bins, its outboxes and its pending chain
 * are lost to the child.
 */
#ifndef HAK_HEAP_ADOPT_H
#define HAK_HEAP_ADOPT_H

#include "heap/heap.h"

/* Flushes a thread's heap and parks it. The caller's thread-local data no longer points to it. */
void hak_adopt_park(struct hak_heap *heap);

/* A parked heap for a new thread, or NULL. */
struct hak_heap *hak_adopt_heap(void);

/* Takes a slab of the class, with blocks to give, from a parked heap; lists it in `heap`.  NULL:
 * none. */
struct hak_slab *hak_adopt_slab_for(struct hak_heap *heap, unsigned class);

/* Drains `to`, if it is parked and its inbox has grown large: nobody else would. */
void hak_adopt_relieve(struct hak_heap *heap, struct hak_heap *to);

/* Works off some of what waits in one parked heap; a call after every so often goes round all. */
void hak_adopt_idle(void);

/* Drains and flushes all parked heaps, and thins their slabs: for hak_collect.  Returns the bytes
 * that this has given back. */
size_t hak_adopt_collect(void);

/* If the process was forked since the last call: parks the heaps of the threads that are gone. */
void hak_adopt_after_fork(void);

/* Makes a torn heap whole.  The caller has it. */
void hak_adopt_repair(struct hak_heap *heap);

/* Makes the lists of its slabs anew, and counts what is free in them; what is in its bins stays. */
void hak_adopt_relist(struct hak_heap *heap);

#endif
