/* SPDX-License-Identifier: MIT
 *
 * Header: os/barrier.h.
 */
#include "os/barrier.h"

#include "os/syscall.h"

#include <stdatomic.h>

/* linux/membarrier.h, which an old tool chain may not have */
enum { BARRIER_PRIVATE = 1 << 3, BARRIER_REGISTER_PRIVATE = 1 << 4 };

static _Atomic bool barrier_ready; /* atomic, relaxed: the last call has worked */

static bool barrier_call(int command) {
#ifdef SYS_membarrier
    bool worked = hak_syscall2(SYS_membarrier, command, 0) == 0;
#else
    bool worked = false;
    (void)command;
#endif
    if (worked != hak_barrier_is_ready())
        atomic_store_explicit(&barrier_ready, worked, memory_order_relaxed);
    return worked;
}

bool hak_barrier_begin(void) {
    return barrier_call(BARRIER_REGISTER_PRIVATE);
}

bool hak_barrier(void) {
    return hak_barrier_is_ready() && barrier_call(BARRIER_PRIVATE);
}

bool hak_barrier_is_ready(void) {
    return atomic_load_explicit(&barrier_ready, memory_order_relaxed);
}
