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

/* What has happened since somebody looked: so many more units have become free, and may be
 * resident; so many bytes of superslabs were claimed.  Who is about to look clears it.  atomic:
 * relaxed, to see whether it is set; acquire, to clear it */
enum { HAK_PURGE_FREED = 1, HAK_PURGE_GROWN = 2 };
#define HAK_PURGE_PRESSURE_UNITS (HAK_STRESS ? 1u : 16u)
#define HAK_PURGE_GROWN_BYTES    ((size_t)4 << 20)
extern _Atomic uint32_t hak_purge_pressure;

/* So many units have become free that may be resident. */
void hak_purge_note(unsigned units);

/* How many there were since ever (modulo 2^32). */
uint32_t hak_purge_noted(void);

/* Sets the pressure: that units are free. */
void hak_purge_press(void);

/* Superslabs were claimed. */
void hak_purge_note_grown(size_t bytes);

/* Is more memory resident than is to be?  Then nothing that is free is kept.  Set by
 * policy/bound.c.  atomic, relaxed */
extern _Atomic bool hak_purge_tight;

HAK_INLINE bool hak_purge_is_tight(void) {
    return atomic_load_explicit(&hak_purge_tight, memory_order_relaxed);
}

/* For how many milliseconds free memory is kept: the option purge_delay_ms, or 0 while it is tight;
 * -1: for ever. */
int64_t hak_purge_delay_ms(void);

enum hak_purge_result {
    HAK_PURGE_FAILED, /* they are as before */
    HAK_PURGE_OFFER,  /* the system may take them any time, or not */
    HAK_PURGE_DONE    /* they read as zeros now */
};

/* Gives the pages of free units back, in the way that the options want. */
enum hak_purge_result hak_purge_pages(void *start, size_t bytes);

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
