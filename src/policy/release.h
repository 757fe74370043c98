/* SPDX-License-Identifier: MIT
 *
 * When memory goes back: a look at the clock in one of some slow paths, idle magazines flushed, old
 * free memory purged.
 */
#ifndef HAK_POLICY_RELEASE_H
#define HAK_POLICY_RELEASE_H

#include "heap/heap.h"

/* One slow path in so many looks at the clock. */
#define HAK_RELEASE_TICK (HAK_STRESS ? 1u : 64u)

HAK_INLINE bool hak_release_is_due(uint32_t slow_ops) {
    return slow_ops % HAK_RELEASE_TICK == 0;
}

void hak_release_tick(struct hak_heap *heap);

/* To be called once in each slow path, by the owner. */
HAK_INLINE void hak_release_count(struct hak_heap *heap) {
    if (hak_unlikely(hak_release_is_due(++heap->slow_ops))) hak_release_tick(heap);
}

/* What a thread without a heap of its own can give back, that has been free for so long.  idle: of
 * the heaps that no thread has, all that is free. */
void hak_release_look(uint64_t now_ms, uint32_t age_ms, bool idle);

/* The same for all that is free, whatever its age: it is tight (policy/bound.h). */
void hak_release_now(uint64_t now_ms);

/* Purges everything that is free, in parked heaps too.  Returns the bytes given back. */
size_t hak_release_all(void);

#endif
