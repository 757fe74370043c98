/* SPDX-License-Identifier: MIT
 *
 * The futex lock of os/lock.h (U. Drepper, Futexes Are Tricky, 2011, "mutex 3").
 */
#include "os/lock.h"

#include "os/futex.h"
#include "os/thread.h"

/* The word: the generation of the process that took it last << 2 | 0 free, 1 held, 2 waited for. */
static bool lock_is_held(uint32_t word, uint32_t mine) {
    return (word & ~(uint32_t)3) == mine && (word & 3);
}

bool hak_lock_try(_Atomic uint32_t *lock) {
    uint32_t mine = hak_fork_generation() << 2;
    uint32_t word = atomic_load_explicit(lock, memory_order_relaxed);
    /* acquire: pairs with the release in hak_lock_release */
    return !lock_is_held(word, mine) &&
           atomic_compare_exchange_strong_explicit(lock, &word, mine | 1, memory_order_acquire,
                                                   memory_order_relaxed);
}

void hak_lock_acquire(_Atomic uint32_t *lock) {
    if (hak_lock_try(lock)) return;
    uint32_t mine = hak_fork_generation() << 2;
    while (lock_is_held(atomic_exchange_explicit(lock, mine | 2, memory_order_acquire), mine)) {
        hak_futex_wait(lock, mine | 2, NULL);
    }
}

void hak_lock_release(_Atomic uint32_t *lock) {
    uint32_t mine = hak_fork_generation() << 2;
    if ((atomic_exchange_explicit(lock, mine, memory_order_release) & 3) == 2) hak_futex_wake(lock);
}
