/* SPDX-License-Identifier: MIT
 *
 * Giving free dirty pages back to the system, region by region.
 *
 * Concurrency: callable from any thread; purging claims what it purges, as an allocation would, so
 * two purgers or a purger and an allocation never meet.
 *
 * Not here: when to do it (policy/).
 */
#ifndef HAK_SPAN_PURGE_H
#define HAK_SPAN_PURGE_H

#include "base/base.h"

#include <stdatomic.h>

/* The time in ms, low 32 bits, as last noted by policy/: what superslabs are stamped with, so that
 * freeing reads no clock. */
extern _Atomic uint32_t hak_purge_noted_ms;

HAK_INLINE uint32_t hak_purge_clock(void) {
    return atomic_load_explicit(&hak_purge_noted_ms, memory_order_relaxed);
}

/* Purges what has been free for at least `age_ms`, in up to `regions` regions that have anything
 * dirty, going on where the last call stopped.  Returns the bytes given back. */
size_t hak_purge_some(uint32_t age_ms, uint32_t regions);

/* Purges everything free, and unmaps regions that are free as a whole.  Returns the bytes given
 * back. */
size_t hak_purge_all(void);

#endif
