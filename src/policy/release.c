/* SPDX-License-Identifier: MIT
 *
 * Release by age.  Header: policy/release.h.
 *
 * Concurrency: release_due_ms is moved on by compare-and-swap; who moves it does the work.
 */
#include "policy/release.h"

#include "config/option.h"
#include "heap/adopt.h"
#include "heap/bin.h"
#include "heap/idle.h"
#include "heap/locked.h"
#include "heap/remote.h"
#include "large/cached.h"
#include "os/clock.h"
#include "policy/background.h"
#include "policy/bound.h"
#include "span/purge.h"

/* Purges are due so often in one delay, so that memory is kept for 1 to 1.5 delays. */
#define RELEASE_LOOKS_PER_DELAY 4

/* A look purges in so many regions, and the next one goes on from there. */
#define RELEASE_REGIONS 4u

/* A heap's magazines are looked at, a few classes each time, so often: all of them in an eighth of
 * a second. */
#define RELEASE_IDLE_MS 10u

/* atomic, relaxed: the time (ms) of the next look */
static _Atomic uint64_t release_due_ms;

void hak_release_tick(struct hak_heap *heap) {
    uint64_t now = hak_clock_ms();
    if ((uint32_t)now - heap->idle_ms >= RELEASE_IDLE_MS) {
        heap->idle_ms = (uint32_t)now;
        hak_idle_look(heap);
        hak_remote_send_all(heap);
        hak_adopt_idle();
        hak_locked_idle();
        hak_cached_expire((uint32_t)now);
        hak_background_remind(now);
        if (hak_bound_look(now, false)) hak_release_now(now);
        if (hak_purge_is_tight()) hak_idle_squeeze(heap);
    }
    int64_t delay = HAK_STRESS ? 0 : hak_purge_delay_ms();
    if (delay < 0) return;
    uint64_t due = atomic_load_explicit(&release_due_ms, memory_order_relaxed);
    uint64_t next = now + (uint64_t)delay / RELEASE_LOOKS_PER_DELAY;
    if (now < due || !atomic_compare_exchange_strong_explicit(
                         &release_due_ms, &due, next, memory_order_relaxed, memory_order_relaxed)) {
        return;
    }
    hak_purge_some((uint32_t)now, (uint32_t)delay, RELEASE_REGIONS);
    /* While that was at work, the background thread may have found nothing and fallen asleep. */
    if (hak_purge_dirty() >= (size_t)HAK_PURGE_PRESSURE_UNITS << HAK_UNIT_SHIFT) hak_purge_press();
}

void hak_release_look(uint64_t now_ms, uint32_t age_ms, bool idle) {
    if (idle) {
        hak_adopt_collect();
        hak_locked_collect();
    } else {
        hak_adopt_idle();
        hak_locked_idle();
    }
    hak_cached_expire_now((uint32_t)now_ms, age_ms);
    hak_purge_some((uint32_t)now_ms, age_ms, UINT32_MAX);
}

/* Everything that is free and that no thread has becomes units.  Returns the bytes given back. */
static size_t release_collect(void) {
    size_t thinned = hak_adopt_collect() + hak_locked_collect();
    hak_cached_collect();
    return thinned;
}

void hak_release_now(uint64_t now_ms) {
    release_collect();
    if (hak_purge_delay_ms() >= 0) hak_purge_some((uint32_t)now_ms, 0, UINT32_MAX);
}

size_t hak_release_all(void) {
    size_t thinned = release_collect();
    return thinned + hak_purge_all();
}
