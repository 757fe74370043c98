/* SPDX-License-Identifier: MIT
 *
 * What huge pages cost.  Header: span/thp.h.
 */
#include "span/thp.h"

#include "base/counter.h"
#include "config/option.h"
#include "os/clock.h"
#include "os/page.h"
#include "span/purge.h"

/* A superslab is 5 % of so many; the one that is being filled, and slabs begun in it, may be all
 * that is not in use. */
#define THP_DENSE_MIN (HAK_STRESS ? 2u : 20u)

/* Whoever has cleared 2 MiB has taken longer. */
#define THP_HUGE_NS_MIN 15000u

/* An attempt that was dear is made up for by so many times what it has cost too much, and the first
 * one by as much beforehand: it may well cost so much. */
#define THP_SHARE       64u
#define THP_EXPECTED_NS ((uint64_t)(HAK_STRESS ? 0 : 15000000))

/* Of so many superslabs one is a sample of small pages. */
#define THP_SAMPLE_EVERY 64u

/* atomic, relaxed: all.  Nanoseconds for 2 MiB, 0: not known; when an attempt may be made, 0: none
 * was thought of yet; superslabs since the last sample. */
static _Atomic uint64_t thp_small_ns, thp_huge_ns, thp_try_at;
static _Atomic uint32_t thp_taken;

static uint64_t thp_load(const _Atomic uint64_t *word) {
    return atomic_load_explicit(word, memory_order_relaxed);
}

static void thp_store(_Atomic uint64_t *word, uint64_t value) {
    atomic_store_explicit(word, value, memory_order_relaxed);
}

/* Has the last huge page cost no more than small ones do? */
static bool thp_pays(void) {
    uint64_t huge = thp_load(&thp_huge_ns);
    return huge && huge <= thp_load(&thp_small_ns);
}

/* May another one be tried, although the last one was dear, or none was?  One thread at a time. */
static bool thp_may_try(void) {
    uint64_t now = hak_clock_ns(), at = thp_load(&thp_try_at);
    if (now < at) return false;
    uint64_t next = now + THP_EXPECTED_NS * THP_SHARE;
    return atomic_compare_exchange_strong_explicit(&thp_try_at, &at, next, memory_order_relaxed,
                                                   memory_order_relaxed) &&
           at;
}

/* How a superslab that is taken now is to be touched first. */
enum thp_plan {
    THP_PLAIN,  /* as its blocks are */
    THP_SAMPLE, /* the same, but the first unit at once, to see what that costs */
    THP_WHOLE   /* as one huge page */
};

static enum thp_plan thp_plan(uint32_t dense) {
    int64_t option = hak_option_int(HAK_OPTION_THP);
    if (option == HAK_THP_ALWAYS) return THP_WHOLE;
    if (option == HAK_THP_NEVER || dense < THP_DENSE_MIN || hak_purge_is_tight()) return THP_PLAIN;
    uint32_t taken = atomic_fetch_add_explicit(&thp_taken, 1, memory_order_relaxed);
    if (taken % THP_SAMPLE_EVERY == 0) return THP_SAMPLE;
    return thp_pays() || thp_may_try() ? THP_WHOLE : THP_PLAIN;
}

/* The thread may have been interrupted: a sample is twice the last one at most. */
static void thp_sample(char *base) {
    uint64_t ns = hak_page_touch(base, HAK_UNIT_BYTES) * HAK_SUPERSLAB_UNITS;
    uint64_t last = thp_load(&thp_small_ns);
    thp_store(&thp_small_ns, last && ns > 2 * last ? 2 * last : ns);
}

static bool thp_touch_whole(char *base) {
    uint64_t ns = hak_page_touch_huge(base, HAK_SUPERSLAB_BYTES), small = thp_load(&thp_small_ns);
    bool huge = ns >= THP_HUGE_NS_MIN;
    thp_store(&thp_huge_ns, huge ? ns : 0);
    if (huge) hak_counter_add(&hak_counters.superslabs_huge, 1);
    if (huge && ns > small) thp_store(&thp_try_at, hak_clock_ns() + (ns - small) * THP_SHARE);
    return huge;
}

bool hak_thp_touch(char *base, uint32_t dense) {
    enum thp_plan plan = thp_plan(dense);
    if (plan == THP_SAMPLE) thp_sample(base);
    return plan == THP_WHOLE && thp_touch_whole(base);
}
