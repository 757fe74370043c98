/* SPDX-License-Identifier: MIT
 *
 * Header: policy/keep.h.
 */
#include "policy/keep.h"

#include "config/option.h"
#include "large/bigcache.h"
#include "large/huge.h"
#include "os/clock.h"
#include "os/lock.h"
#include "os/page.h"
#include "policy/taught.h"
#include "span/arena.h"

#define KEEP_PAGE_SHIFT 12

/* A page's first touch and its release are measured on so many pages, once, at a gap that short
 * processes do not come to; before that, without a clock, or memory for that, and outside of what
 * machines can do, the nearest of these counts. */
#define KEEP_FAULT_AFTER  32u
#define KEEP_FAULT_PAGES  64u
#define KEEP_FAULT_NS     800u
#define KEEP_FAULT_NS_MIN 100u
#define KEEP_FAULT_NS_MAX 20000u

HAK_TABLE _Atomic(struct hak_keep_site *) hak_keep_table[HAK_SITES];

static struct hak_keep_site *keep_find(uint16_t site) {
    return atomic_load_explicit(&hak_keep_table[site], memory_order_acquire);
}

/* Begins with what a policy file says of the site, if it does. */
static void keep_begin(struct hak_steps *steps, uint16_t site, unsigned fixed_step) {
    hak_steps_init(steps, fixed_step);
    int taught = hak_taught_step(
        atomic_load_explicit(&hak_site_table[site].address, memory_order_relaxed));
    if (taught >= 0) steps->step = (uint8_t)taught;
}

static struct hak_keep_site *keep_make(uint16_t site, unsigned fixed_step) {
    struct hak_keep_site *found = keep_find(site);
    if (found) return found;
    struct hak_keep_site *fresh = hak_arena_alloc(sizeof *fresh, HAK_CACHE_LINE);
    if (!fresh) return NULL;
    keep_begin(&fresh->steps, site, fixed_step);
    /* release: pairs with the acquire in keep_find.  The loser's stays in the arena, unused. */
    return atomic_compare_exchange_strong_explicit(&hak_keep_table[site], &found, fresh,
                                                   memory_order_release, memory_order_acquire)
               ? fresh
               : found;
}

static uint32_t keep_measure(void) {
    size_t page = hak_page_bytes(), bytes = KEEP_FAULT_PAGES * page;
    volatile char *start = hak_arena_map(bytes);
    if (!start) return KEEP_FAULT_NS;
    uint64_t before = hak_clock_ns();
    for (size_t at = 0; at < bytes; at += page) start[at] = 1;
    hak_page_unmap((void *)(uintptr_t)start, bytes, HAK_PAGE_META);
    uint64_t ns = (hak_clock_ns() - before) / (bytes >> KEEP_PAGE_SHIFT);
    if (!ns) return KEEP_FAULT_NS;
    return ns < KEEP_FAULT_NS_MIN ? KEEP_FAULT_NS_MIN
                                  : (uint32_t)hak_min_size(ns, KEEP_FAULT_NS_MAX);
}

/* Of 4 KiB. */
static uint32_t keep_fault_ns(void) {
    static _Atomic uint32_t gaps;  /* atomic, relaxed */
    static _Atomic uint32_t known; /* atomic, relaxed: several may measure, and one counts */
    uint32_t ns = atomic_load_explicit(&known, memory_order_relaxed);
    if (ns) return ns;
    if (atomic_fetch_add_explicit(&gaps, 1, memory_order_relaxed) < KEEP_FAULT_AFTER)
        return KEEP_FAULT_NS;
    ns = keep_measure();
    atomic_store_explicit(&known, ns, memory_order_relaxed);
    return ns;
}

static struct hak_steps_price keep_price(void) {
    int64_t delay = hak_option_int(HAK_OPTION_PURGE_DELAY_MS);
    return (struct hak_steps_price){keep_fault_ns(), delay > 0 ? (uint32_t)delay : 1000};
}

static void keep_gap(struct hak_keep_site *site, const struct hak_keep_block *block,
                     uint32_t gap_ms) {
    struct hak_steps_price price = keep_price();
    if (hak_option_int(HAK_OPTION_LEARN)) hak_steps_gap(&site->steps, &price, block->pages, gap_ms);
    else hak_steps_count(&site->steps, &price, block->pages, gap_ms);
}

void hak_keep_taken(uint16_t number, uint32_t now_ms) {
    struct hak_keep_site *site = keep_find(number);
    if (!site || !hak_lock_try(&site->lock)) return;
    if (site->waiting) {
        const struct hak_keep_block *last = &site->block[--site->waiting];
        keep_gap(site, last, now_ms - last->freed_ms);
    }
    hak_lock_release(&site->lock);
}

static void keep_wait(struct hak_keep_site *site, size_t bytes, uint32_t now_ms) {
    if (site->waiting == HAK_KEEP_WAITING) {
        keep_gap(site, &site->block[0], HAK_STEPS_NEVER);
        for (unsigned i = 1; i < HAK_KEEP_WAITING; i++) site->block[i - 1] = site->block[i];
        site->waiting--;
    }
    size_t pages = bytes >> KEEP_PAGE_SHIFT;
    site->block[site->waiting++] = (struct hak_keep_block){
        .freed_ms = now_ms, .pages = pages < UINT32_MAX ? (uint32_t)pages : UINT32_MAX};
}

/* By the fixed policy: the time, and the step that is nearest. */
static uint32_t keep_fixed(size_t bytes, unsigned *step) {
    int64_t delay = hak_option_int(HAK_OPTION_PURGE_DELAY_MS);
    *step = bytes > HAK_HUGE_REGION_MAX ? 0 : 3;
    if (bytes > HAK_HUGE_REGION_MAX) return 0;
    return delay ? HAK_BIGCACHE_USUAL : 0;
}

uint32_t hak_keep_freed(uint16_t number, size_t bytes, uint32_t now_ms) {
    unsigned step;
    uint32_t fixed = keep_fixed(bytes, &step);
    if (!number || !(hak_option_int(HAK_OPTION_LEARN) || hak_taught_any())) return fixed;
    struct hak_keep_site *site = keep_make(number, step);
    if (!site || !hak_lock_try(&site->lock)) return fixed;
    keep_wait(site, bytes, now_ms);
    uint32_t keep = site->steps.step == site->steps.fixed_step
                        ? fixed
                        : hak_steps_keep_ms(site->steps.step);
    hak_lock_release(&site->lock);
    return keep;
}

bool hak_keep_read(uint16_t number, struct hak_steps *out) {
    struct hak_keep_site *site = keep_find(number);
    if (!site || !hak_lock_try(&site->lock)) return false;
    *out = site->steps;
    hak_lock_release(&site->lock);
    return true;
}
