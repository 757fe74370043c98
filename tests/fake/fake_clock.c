/* SPDX-License-Identifier: MIT
 *
 * A clock that stands still.  Header: fake/fake.h.
 */
#include "fake/fake.h"

#include "os/clock.h"

static _Atomic uint64_t clock_ms = 1000;

uint64_t hak_clock_ms(void) {
    return atomic_load_explicit(&clock_ms, memory_order_relaxed);
}

uint64_t hak_clock_ns(void) {
    return hak_clock_ms() * 1000000;
}

void fake_clock_set(uint64_t ms) {
    atomic_store_explicit(&clock_ms, ms, memory_order_relaxed);
}

void fake_clock_advance(uint64_t ms) {
    fake_clock_set(hak_clock_ms() + ms);
}
