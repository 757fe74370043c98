/* SPDX-License-Identifier: MIT
 *
 * When memory goes back: a look at the clock in one of some slow paths, idle magazines flushed, old
 * free memory purged.
 */
#ifndef HAK_POLICY_RELEASE_H
#define HAK_POLICY_RELEASE_H

#include "heap/heap.h"

/* Called by the owner inside its slow path, once each so many. */
void hak_release_tick(struct hak_heap *heap);

/* Purges everything that is free, in parked heaps too.  Returns the bytes given back. */
size_t hak_release_all(void);

#endif
