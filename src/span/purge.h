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

/* Purges what an earlier call has seen to be free, at least `age_ms` before `now_ms` (low 32 bits),
 * and nothing of its superslab was freed since: so freeing reads no clock.  What it sees first is
 * of age 0.  Goes on where the last call stopped, until it has purged in `regions` regions. Returns
 * the bytes given back. */
size_t hak_purge_some(uint32_t now_ms, uint32_t age_ms, uint32_t regions);

/* Purges everything free, and unmaps regions that are free as a whole.  Returns the bytes given
 * back. */
size_t hak_purge_all(void);

#endif
