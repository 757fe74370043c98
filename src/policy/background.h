/* SPDX-License-Identifier: MIT
 *
 * A thread that gives back what is free, also in a process that makes no calls any more; at most
 * one a process.
 *
 *   none       at first; and in a forked child, until it needs one itself
 *   awake      looks several times in a purge delay: heaps without a thread, and of threads that
 *              sleep (heap/visit.h), the cache, free units
 *   asleep     all threads are, and nothing is free, or what is left stays as it is; until there is
 *              pressure, or somebody at work
 *
 * It is started where enough memory is free and dirty, by a thread that holds no lock of libc's
 * (os/stack.h), in a process that may have threads (os/helper.h).  Enough is more in a program of
 * one thread, for which libc leaves out locks.  Elsewhere what slow paths give back
 * (policy/release.h) has to do.
 *
 * An idle process, in which next to no processor time was used since the last look, gives back
 * after half of the delay what others do after all of it; and its threads' magazines are emptied
 * after an eighth of that.
 *
 * Concurrency: callable from any thread, not from inside a heap.
 */
#ifndef HAK_POLICY_BACKGROUND_H
#define HAK_POLICY_BACKGROUND_H

#include "span/purge.h"

/* Starts or wakes the thread, if there is enough to do for it. */
void hak_background_press(void);

/* To be called at the end of a slow path. */
HAK_INLINE void hak_background_check(void) {
    if (hak_unlikely(atomic_load_explicit(&hak_purge_pressure, memory_order_relaxed)))
        hak_background_press();
}

/* To be called now and then by a thread that is at work: presses again if that came too soon after
 * an attempt, or if the background thread sleeps: it looks on until the others do. */
void hak_background_remind(uint64_t now_ms);

/* hak_release_all (policy/release.h), and what the thread had in its hands meanwhile: waits for the
 * end of a look, up to 0.1 s.  Returns the bytes given back. */
size_t hak_background_release(void);

/* When the process starts: with the option `on` the thread does, too. */
void hak_background_begin(void);

/* Ends the thread, waits until it is gone, and lets no other one start. */
void hak_background_end(void);

#endif
