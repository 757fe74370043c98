/* SPDX-License-Identifier: MIT
 *
 * A call when a thread ends, and a call when the process has been forked.
 */
#ifndef HAK_OS_THREAD_H
#define HAK_OS_THREAD_H

#include "base/base.h"

/* Asks that `ended(value)` be called when the calling thread ends, among the destructors of other
 * thread-specific data: some of those run later, and may ask again.  `value` is not NULL.  False:
 * it will not be called (no key left).  May allocate: call it when malloc works. */
bool hak_thread_at_end(void (*ended)(void *), void *value);

/* Would it be called if the calling thread asked now?  False only near the thread's very end. */
bool hak_thread_ends_later(void);

/* A word that differs between any two living threads of a process: the thread pointer. */
HAK_INLINE uintptr_t hak_thread_self(void) {
    return (uintptr_t)__builtin_thread_pointer();
}

/* Is this the thread whose id is the process's?  In a forked child: the one that has come over. */
bool hak_thread_is_first(void);

/* Has the process been forked, and hak_fork_begin not been called in it? */
bool hak_fork_pending(void);

/* True in the first call after the process was forked (also by _Fork and clone without CLONE_VM),
 * in one thread only; then hak_fork_done() must follow. */
bool hak_fork_begin(void);
void hak_fork_done(void);

/* Is every fork noticed, also _Fork and clone without CLONE_VM? */
bool hak_fork_is_certain(void);

/* A number that tells this process from all those that it was forked from.  0: before
 * hak_fork_arm. */
uint32_t hak_fork_generation(void);

/* Arms the detection.  Idempotent; called before the first heap is made. */
void hak_fork_arm(void);

#endif
