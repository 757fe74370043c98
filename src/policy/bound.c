/* SPDX-License-Identifier: MIT
 *
 * Header: policy/bound.h.
 *
 * Concurrency: one looks at a time; who comes meanwhile does not.
 */
#include "policy/bound.h"

#include "config/option.h"
#include "os/lock.h"
#include "os/usage.h"
#include "span/purge.h"
#include "span/taken.h"

#include <stdatomic.h>

/* Near a bound, and far from it, the next look is so much later. */
#define BOUND_NEAR_MS 10u
#define BOUND_FAR_MS  1000u

/* A process that has taken less does not ask for its control group. */
#define BOUND_AUTO_MIN ((size_t)16 << 20)
#define BOUND_GROUP_MS 10000u

/* Of 10,000 moments: when tasks of the group wait that often, three quarters of the limit are near
 * it. */
#define BOUND_WAITS 1000u

/* atomic, relaxed: the next look */
static _Atomic uint64_t bound_due_ms;

/* atomic, relaxed: the thread that shuts the process in does not look itself any more */
static _Atomic bool bound_ended;

/* Of who looks, under bound_lock, which is only tried. */
static struct hak_usage_group bound_group;
static bool bound_has_group;
static uint64_t bound_group_due_ms;
static _Atomic uint32_t bound_lock;

/* What is used, and what may be. */
struct bound {
    uint64_t used, most;
};

/* The nearer of two: `bound` becomes `other` if that leaves less room. */
static void bound_take(struct bound *bound, uint64_t used, uint64_t most) {
    bool nearer = !bound->most || used + bound->most > most + bound->used;
    if (nearer) *bound = (struct bound){used, most};
}

static void bound_ask_group(struct bound *bound, uint64_t now_ms) {
    uint64_t used;
    uint32_t waits;
    if (now_ms >= bound_group_due_ms) {
        bound_has_group = hak_usage_find_group("", &bound_group);
        bound_group_due_ms = now_ms + BOUND_GROUP_MS;
    }
    if (!bound_has_group || !hak_usage_read_group(&bound_group, &used, &waits)) return;
    uint64_t eighths = waits >= BOUND_WAITS ? 6 : 7;
    bound_take(bound, used, bound_group.limit / 8 * eighths);
}

/* Most is 0: there is no bound. */
static struct bound bound_measure(uint64_t now_ms) {
    struct bound bound = {0, 0};
    int64_t limit = hak_option_int(HAK_OPTION_LIMIT_MB);
    bool lean = hak_option_int(HAK_OPTION_SS_MEM_LEAN);
    uint64_t resident = lean || limit > 0 ? hak_usage_resident() : 0;
    uint64_t target = (uint64_t)hak_option_int(HAK_OPTION_SS_MEM_LEAN_TARGET_MB) << 20;
    if (lean && resident) bound_take(&bound, resident, target ? target : 1);
    if (limit > 0 && resident) bound_take(&bound, resident, ((uint64_t)limit << 20) / 8 * 7);
    if (limit < 0 && hak_taken_bytes() >= BOUND_AUTO_MIN) bound_ask_group(&bound, now_ms);
    return bound;
}

/* An eighth less ends it, so that it does not come and go. */
static bool bound_is_tight(const struct bound *bound) {
    uint64_t most = bound->most;
    if (hak_purge_is_tight()) most -= most / 8;
    return most && bound->used > most;
}

/* Near the bound who has grown looks at once, and far from it no more often than the clock would
 * near it. */
static bool bound_is_due(uint64_t now_ms, bool grown) {
    uint64_t due = atomic_load_explicit(&bound_due_ms, memory_order_relaxed);
    if (grown && due > now_ms + BOUND_NEAR_MS) due = due - BOUND_FAR_MS + BOUND_NEAR_MS;
    else if (grown) return true;
    return now_ms >= due;
}

bool hak_bound_look(uint64_t now_ms, bool grown) {
    bool lean = hak_option_int(HAK_OPTION_SS_MEM_LEAN);
    if (!lean && !hak_option_int(HAK_OPTION_LIMIT_MB) && !hak_purge_is_tight()) return false;
    if (atomic_load_explicit(&bound_ended, memory_order_relaxed)) return false;
    if (!bound_is_due(now_ms, grown)) return false;
    if (!hak_lock_try(&bound_lock)) return false;
    struct bound bound = bound_measure(now_ms);
    bool tight = bound_is_tight(&bound), near = bound.most && bound.used > bound.most / 2;
    atomic_store_explicit(&hak_purge_tight, tight, memory_order_relaxed);
    atomic_store_explicit(&bound_due_ms, now_ms + (near ? BOUND_NEAR_MS : BOUND_FAR_MS),
                          memory_order_relaxed);
    hak_lock_release(&bound_lock);
    return tight;
}

void hak_bound_end(void) {
    atomic_store_explicit(&bound_ended, true, memory_order_relaxed);
    atomic_store_explicit(&hak_purge_tight, false, memory_order_relaxed);
}
