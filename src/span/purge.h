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

/* Set each time that so many more units have become free, and may be resident: it may be time to
 * purge.  Who is about to look clears it.  atomic: relaxed, to see whether it is set; acquire, to
 * clear it */
#define HAK_PURGE_PRESSURE_UNITS (HAK_STRESS ? 1u : 16u)
extern _Atomic bool hak_purge_pressure;

/* So many units have become free that may be resident. */
void hak_purge_note(unsigned units);

/* How many there were since ever (modulo 2^32). */
uint32_t hak_purge_noted(void);

/* Sets the pressure. */
void hak_purge_press(void);

/* The bytes that are free now, and may be resident: an estimate. */
size_t hak_purge_dirty(void);

/* Purges what an earlier call has seen to be free, at least `age_ms` before `now_ms` (low 32 bits),
 * and nothing of its superslab was freed since: so freeing reads no clock.  What it sees first is
 * of age 0.  Goes on where the last call stopped, until it has purged in `regions` regions. Returns
 * the bytes given back. */
size_t hak_purge_some(uint32_t now_ms, uint32_t age_ms, uint32_t regions);

/* Purges everything free, and unmaps regions that are free as a whole.  Returns the bytes given
 * back. */
size_t hak_purge_all(void);

#endif
