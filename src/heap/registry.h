/* SPDX-License-Identifier: MIT
 *
 * The table of all heaps by id, and the masks of those that are parked.
 *
 * Ids start at 1 and are never reused; heaps are never freed, so an id that was valid once stays
 * so. There are as many ids as Linux has thread ids.
 *
 * Invariant H4: a set bit in a parked mask says that nobody has the heap; clearing it, by one
 * atomic step, takes it.
 *
 * Concurrency: callable from any thread, no locks.  Parking releases, claiming acquires.  A fork
 * between a count and its mask leaves the count too high, never too low: a search in vain.
 */
#ifndef HAK_HEAP_REGISTRY_H
#define HAK_HEAP_REGISTRY_H

#include "base/base.h"

struct hak_heap;

/* Which mask: heaps of ended threads, or destroyed first-class heaps (which own nothing). */
enum hak_parked { HAK_PARKED_THREAD, HAK_PARKED_EMPTY, HAK_PARKED_KINDS };

/* Enters a heap of this process; sets its id and tag.  False: no memory, or no id left. */
bool hak_registry_add(struct hak_heap *heap);

/* The heap of an id, or NULL. */
struct hak_heap *hak_registry_get(uint32_t id);

/* The ids in use are 1 to this. */
uint32_t hak_registry_count(void);

void hak_registry_park(uint32_t id, enum hak_parked kind);

/* Claims one parked heap, for this process (heap->process); the search starts at the
 * chunk of `after`, so that a caller that passes the last result sees all of them in
 * turn.  NULL: there is none. */
struct hak_heap *hak_registry_claim_any(enum hak_parked kind, uint32_t after);

/* Claims this heap if it is parked. */
bool hak_registry_claim(uint32_t id, enum hak_parked kind);
bool hak_registry_is_parked(uint32_t id, enum hak_parked kind);
uint32_t hak_registry_parked_count(enum hak_parked kind);

#endif
