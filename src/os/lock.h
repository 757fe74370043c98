/* SPDX-License-Identifier: MIT
 *
 * A mutual-exclusion lock in one word, on futex(2).  Used by first-class and fallback heaps only;
 * nothing else in the allocator waits.
 *
 * A word of 0 is a free lock.  One that was held when the process was forked is free in the child:
 * the word says in which process it was taken (P1).
 */
#ifndef HAK_OS_LOCK_H
#define HAK_OS_LOCK_H

#include "base/base.h"

#include <stdatomic.h>

/* False: somebody has it. */
bool hak_lock_try(_Atomic uint32_t *lock);
void hak_lock_acquire(_Atomic uint32_t *lock);
void hak_lock_release(_Atomic uint32_t *lock);

#endif
