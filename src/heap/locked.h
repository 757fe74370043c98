/* SPDX-License-Identifier: MIT
 *
 * Heaps that are used under a lock of their own.
 *
 * First-class heaps (hak_heap_new of hakmem.h) are `dedicated`: they list all they own, so that
 * they can be destroyed with everything in them.
 *
 * Fallback heaps serve who has no heap, or is inside its slow path: a signal handler that
 * interrupted malloc, a destructor in the last round of them.  They are only ever tried,
 * never waited for: the interrupted thread may itself hold one.  There are as many as were ever
 * needed at once.
 *
 * Concurrency: callable from any thread.  No other lock is taken, and nothing foreign called, under
 * a lock.
 */
#ifndef HAK_HEAP_LOCKED_H
#define HAK_HEAP_LOCKED_H

#include "heap/heap.h"

/* A block of `class` for a caller without a heap; NULL: no memory. */
struct hak_block *hak_fallback_take(unsigned class, bool *zeroed);

/* What was freed to heaps of both kinds waits in their inboxes until somebody allocates there, or
 * one of these works it off: some of it if much waits; some of it in a few heaps, a call after
 * every so often goes round all; all of it, and thins their slabs, and says how many bytes that has
 * given back. */
void hak_locked_relieve(struct hak_heap *heap);
void hak_locked_idle(void);
size_t hak_locked_collect(void);

/* First-class heaps.  Blocks up to HAK_LARGE_MAX by class; huge ones are only kept in the heap's
 * list. */
struct hak_heap *hak_locked_new(void);
struct hak_block *hak_locked_take(struct hak_heap *heap, unsigned class, bool *zeroed);
void hak_locked_adopt_huge(struct hak_heap *heap, struct hak_superslab *huge);
void hak_locked_drop_huge(struct hak_superslab *huge);

/* Lists a huge block again, in a heap whose lists are being made anew. */
void hak_locked_list_huge(struct hak_heap *heap, struct hak_superslab *huge);

/* Destroys the heap: calls free_huge for each huge block, gives back all slabs. */
void hak_locked_destroy(struct hak_heap *heap, void (*free_huge)(struct hak_superslab *));

#endif
