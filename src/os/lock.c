/* SPDX-License-Identifier: MIT
 *
 * The futex lock of os/lock.h (U. Drepper, Futexes Are Tricky, 2011, "mutex 3").
 */
#include "os/lock.h"

#include "os/syscall.h"

/* linux/futex.h, which a musl tool chain may not have */
enum { LOCK_FUTEX_WAIT = 0 | 128, LOCK_FUTEX_WAKE = 1 | 128 }; /* with FUTEX_PRIVATE_FLAG */

void hak_lock_acquire(_Atomic uint32_t *lock) {
    if (hak_lock_try(lock)) return;
    /* acquire: as in hak_lock_try.  The word stays 2: others may wait too. */
    while (atomic_exchange_explicit(lock, 2, memory_order_acquire) != 0) {
        hak_syscall4(SYS_futex, (long)lock, LOCK_FUTEX_WAIT, 2, 0);
    }
}

void hak_lock_release(_Atomic uint32_t *lock) {
    /* release: pairs with the acquire of the next holder */
    if (atomic_exchange_explicit(lock, 0, memory_order_release) == 2) {
        hak_syscall3(SYS_futex, (long)lock, LOCK_FUTEX_WAKE, 1);
    }
}
