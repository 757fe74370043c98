/* SPDX-License-Identifier: MIT
 *
 * futex(2): to wait until a word changes, and to wake who waits.
 *
 * Source: U. Drepper, Futexes Are Tricky, 2011.
 */
#ifndef HAK_OS_FUTEX_H
#define HAK_OS_FUTEX_H

#include "os/syscall.h"

#include <stdatomic.h>

/* linux/futex.h, which a musl tool chain may not have; with FUTEX_PRIVATE_FLAG */
enum { HAK_FUTEX_WAIT = 0 | 128, HAK_FUTEX_WAKE = 1 | 128 };

/* The kernel's, for a system call without a suffix: two words. */
struct hak_futex_time {
    long seconds, nanoseconds;
};

/* Waits while the word is `value`, and not longer than `time` (NULL: without end).  Returns early
 * at times. */
HAK_INLINE void hak_futex_wait(_Atomic uint32_t *word, uint32_t value,
                               const struct hak_futex_time *time) {
    hak_syscall4(SYS_futex, (long)word, HAK_FUTEX_WAIT, value, (long)time);
}

/* Wakes one thread that waits. */
HAK_INLINE void hak_futex_wake(_Atomic uint32_t *word) {
    hak_syscall3(SYS_futex, (long)word, HAK_FUTEX_WAKE, 1);
}

#endif
