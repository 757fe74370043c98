/* SPDX-License-Identifier: MIT
 *
 * A barrier that fails when told to.  Header: fake/fake.h.
 */
#include "fake/fake.h"

#include "os/barrier.h"

static unsigned barrier_works = ~0u;
static void (*barrier_call)(void);

void fake_barrier_fail_after(unsigned calls) {
    barrier_works = calls;
}

void fake_barrier_on_call(void (*call)(void)) {
    barrier_call = call;
}

/* ---- What the engine calls ------------------------------------------------------------------- */

bool hak_barrier_begin(void) {
    return barrier_works != 0;
}

bool hak_barrier_is_ready(void) {
    return barrier_works != 0;
}

bool hak_barrier(void) {
    atomic_thread_fence(memory_order_seq_cst);
    if (barrier_works != ~0u && !barrier_works--) {
        barrier_works = 0;
        return false;
    }
    if (barrier_call) barrier_call();
    return true;
}
