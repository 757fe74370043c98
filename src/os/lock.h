/* SPDX-License-Identifier: MIT
 *
 * A mutual-exclusion lock in one word, on futex(2): 0 free, 1 held, 2 held and waited for.  Used by
 * first-class and fallback heaps only; nothing else in the allocator waits.
 *
 * A word of 0 is a free lock, so a forked child may store 0 to take it from a thread that is gone.
 */
#ifndef HAK_OS_LOCK_H
#define HAK_OS_LOCK_H

#include "base/base.h"

#include <stdatomic.h>

HAK_INLINE bool hak_lock_try(_Atomic uint32_t *lock) {
    uint32_t none = 0;
    /* acquire: pairs with the release in hak_lock_release */
    return atomic_compare_exchange_strong_explicit(lock, &none, 1, memory_order_acquire,
                                                   memory_order_relaxed);
}

void hak_lock_acquire(_Atomic uint32_t *lock);
void hak_lock_release(_Atomic uint32_t *lock);

#endif
