/* SPDX-License-Identifier: MIT
 *
 * Header: large/cached.h.
 */
#include "large/cached.h"

#include "config/option.h"
#include "large/bigcache.h"
#include "os/page.h"
#include "span/purge.h"
#include "span/region.h"

#define CACHED_BUDGET_MIN ((size_t)8 << 20)
#define CACHED_LOOK_MS    10u
#define CACHED_WINDOW_MS  10000u

/* atomic, relaxed: bytes of huge blocks in use; the most of them in this window of time, and in the
 * one before */
static _Atomic size_t cached_live, cached_most, cached_most_before;
static _Atomic uint32_t cached_looked_ms, cached_window_ms; /* atomic, relaxed: the last look */
static _Atomic uint32_t cached_in_regions; /* atomic, relaxed: blocks in the cache, of regions */

size_t hak_cached_round(size_t size) {
    size_t step = hak_page_bytes();
    if (size > HAK_HUGE_REGION_MAX) step = (size_t)1 << (hak_log2(size) - 3);
    return size > PTRDIFF_MAX - step ? size : hak_align_up(size, step);
}

/* What blocks have in common of which each fits in the other's place.  0: none does. */
static uint32_t cached_class(size_t bytes, size_t alignment) {
    return alignment > HAK_SUPERSLAB_BYTES ? 0 : (uint32_t)hak_huge_slots(bytes);
}

static void cached_count(size_t from_bytes, size_t to_bytes) {
    size_t more = to_bytes - from_bytes; /* modulo 2^64: less */
    size_t live = atomic_fetch_add_explicit(&cached_live, more, memory_order_relaxed) + more;
    size_t most = atomic_load_explicit(&cached_most, memory_order_relaxed);
    while (live > most &&
           !atomic_compare_exchange_weak_explicit(&cached_most, &most, live, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
}

static size_t cached_budget(void) {
    size_t live = atomic_load_explicit(&cached_live, memory_order_relaxed);
    size_t most = atomic_load_explicit(&cached_most, memory_order_relaxed);
    most = hak_max_size(most, atomic_load_explicit(&cached_most_before, memory_order_relaxed));
    return hak_max_size(most > live ? most - live : 0, CACHED_BUDGET_MIN);
}

static void cached_keep_budget(void) {
    size_t budget = cached_budget();
    if (hak_bigcache_bytes() > budget) hak_bigcache_trim(budget);
}

static void cached_count_region(const struct hak_superslab *huge, uint32_t change) {
    if (huge->huge_slots)
        atomic_fetch_add_explicit(&cached_in_regions, change, memory_order_relaxed);
}

struct hak_superslab *hak_cached_alloc(size_t size, size_t alignment, uint16_t site, bool *zeroed) {
    bool zeros = *zeroed, wants_new = zeros && size > HAK_HUGE_REGION_MAX;
    size_t bytes = hak_cached_round(size ? size : 1);
    uint32_t class = cached_class(bytes, alignment);
    struct hak_superslab *huge = NULL;
    if (class && !wants_new) huge = hak_bigcache_try_get(site, class);
    if (huge) {
        *zeroed = false;
        cached_count_region(huge, -1u);
        hak_huge_show(huge, bytes);
    } else {
        huge = hak_huge_alloc(bytes, alignment, zeroed);
        if (!huge && bytes > size) huge = hak_huge_alloc(size, alignment, zeroed);
        if (!huge) {
            *zeroed = zeros;
            return NULL;
        }
    }
    huge->site = site;
    cached_count(0, huge->huge_bytes);
    cached_keep_budget();
    return huge;
}

struct hak_superslab *hak_cached_grow(size_t size, uint16_t site) {
    bool zeroed = false;
    if (!hak_huge_may_grow()) return NULL;
    struct hak_superslab *huge = hak_cached_alloc(size, HAK_MIN_ALIGN, site, &zeroed);
    if (huge) hak_huge_grows(huge);
    return huge;
}

/* A superslab is to be claimed: a cached one is better, as its memory is there. */
static void cached_yield(void) {
    if (atomic_load_explicit(&cached_in_regions, memory_order_relaxed))
        hak_bigcache_give(HAK_HUGE_SLOTS_MAX);
}

/* What leaves the cache unused.  Within the budget it is as if it were freed now. */
static void cached_evict(void *item, bool expired) {
    cached_count_region(item, -1u);
    hak_huge_drop(item, expired);
}

void hak_cached_free(struct hak_superslab *huge, uint32_t now_ms, uint32_t keep_ms) {
    size_t bytes = huge->huge_bytes;
    /* A mapping of its own has the size of its block, which may be one that nobody asks for. */
    bool fits = huge->huge_slots ||
                (bytes > HAK_HUGE_REGION_MAX && bytes == hak_cached_round(bytes));
    uint32_t class = huge->huge_slots ? huge->huge_slots : cached_class(bytes, 0);
    cached_count(bytes, 0);
    hak_huge_hide(huge);
    bytes = hak_huge_soiled(huge);
    if (huge->huge_slots || keep_ms) hak_purge_note((unsigned)(bytes >> HAK_UNIT_SHIFT));
    if (!keep_ms || !fits || hak_purge_is_tight() || bytes > cached_budget()) {
        hak_huge_drop(huge, false);
        return;
    }
    hak_bigcache_init(cached_evict);
    atomic_store_explicit(&hak_region_yield, cached_yield, memory_order_relaxed);
    cached_count_region(huge, 1); /* first: another thread may take it at once */
    if (!hak_bigcache_put(huge->site, class, huge, bytes, now_ms, keep_ms)) {
        cached_evict(huge, false);
        return;
    }
    cached_keep_budget();
}

void hak_cached_resized(size_t from_bytes, size_t to_bytes) {
    cached_count(from_bytes, to_bytes);
    cached_keep_budget();
}

/* Is a look due that was last made at *at?  True for one thread only. */
static bool cached_is_due(_Atomic uint32_t *at, uint32_t now_ms, uint32_t every_ms) {
    uint32_t last = atomic_load_explicit(at, memory_order_relaxed);
    return (int32_t)(now_ms - last) >= (int32_t)every_ms &&
           atomic_compare_exchange_strong_explicit(at, &last, now_ms, memory_order_relaxed,
                                                   memory_order_relaxed);
}

void hak_cached_expire(uint32_t now_ms) {
    if (!cached_is_due(&cached_looked_ms, now_ms, CACHED_LOOK_MS)) return;
    int64_t delay = hak_purge_delay_ms();
    hak_cached_expire_now(now_ms, delay < 0 ? HAK_BIGCACHE_EVER : (uint32_t)delay);
}

void hak_cached_expire_now(uint32_t now_ms, uint32_t usual_ms) {
    hak_bigcache_expire(now_ms, usual_ms);
    if (!cached_is_due(&cached_window_ms, now_ms, CACHED_WINDOW_MS)) return;
    size_t live = atomic_load_explicit(&cached_live, memory_order_relaxed);
    size_t most = atomic_exchange_explicit(&cached_most, live, memory_order_relaxed);
    atomic_store_explicit(&cached_most_before, most, memory_order_relaxed);
    cached_keep_budget();
}

void hak_cached_collect(void) {
    hak_bigcache_shutdown();
}
