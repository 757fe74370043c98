/* SPDX-License-Identifier: MIT
 *
 * Purging.  Header: span/purge.h.
 */
#include "span/purge.h"

#include "config/option.h"
#include "os/page.h"
#include "span/region.h"

/* The region at which the next hak_purge_some starts.  atomic, relaxed: any value will do. */
static _Atomic uint32_t purge_cursor;

_Atomic uint32_t hak_purge_pressure;
_Atomic bool hak_purge_tight;
static _Atomic uint32_t purge_noted; /* atomic, relaxed: units, since ever */
static _Atomic size_t purge_grown;   /* atomic, relaxed: bytes, since ever */

uint32_t hak_purge_noted(void) {
    return atomic_load_explicit(&purge_noted, memory_order_relaxed);
}

static void purge_press(uint32_t what) {
    /* release: who clears it sees what was freed */
    atomic_fetch_or_explicit(&hak_purge_pressure, what, memory_order_release);
}

void hak_purge_press(void) {
    purge_press(HAK_PURGE_FREED);
}

void hak_purge_note(unsigned units) {
    uint32_t before = atomic_fetch_add_explicit(&purge_noted, units, memory_order_relaxed);
    if (before / HAK_PURGE_PRESSURE_UNITS != (before + units) / HAK_PURGE_PRESSURE_UNITS)
        hak_purge_press();
}

void hak_purge_note_grown(size_t bytes) {
    size_t before = atomic_fetch_add_explicit(&purge_grown, bytes, memory_order_relaxed);
    if (before / HAK_PURGE_GROWN_BYTES != (before + bytes) / HAK_PURGE_GROWN_BYTES)
        purge_press(HAK_PURGE_GROWN);
}

int64_t hak_purge_delay_ms(void) {
    bool lean = hak_option_int(HAK_OPTION_SS_MEM_LEAN);
    if (lean && hak_option_int(HAK_OPTION_SS_MEM_LEAN_DECOMMIT) == HAK_DECOMMIT_OFF) return -1;
    return hak_purge_is_tight() ? 0 : hak_option_int(HAK_OPTION_PURGE_DELAY_MS);
}

/* Are pages offered, instead of purged? */
static bool purge_offers(void) {
    return hak_option_int(HAK_OPTION_SS_MEM_LEAN) &&
           hak_option_int(HAK_OPTION_SS_MEM_LEAN_DECOMMIT) == HAK_DECOMMIT_FREE;
}

enum hak_purge_result hak_purge_pages(void *start, size_t bytes) {
    if (purge_offers() && hak_page_offer(start, bytes)) return HAK_PURGE_OFFER;
    return hak_page_purge(start, bytes, HAK_PAGE_HEAP) ? HAK_PURGE_DONE : HAK_PURGE_FAILED;
}

/* The units of a superslab that are free and may be resident.  free: it is free as a whole.
 * seq_cst: either the units are seen here, or who frees them sees the cleared hint. */
static uint32_t purge_dirty_units(struct hak_superslab *superslab, bool free) {
    uint32_t loose = atomic_load_explicit(&superslab->free_units, memory_order_seq_cst);
    if (free) loose = ~(uint32_t)0;
    return loose & atomic_load_explicit(&superslab->dirty_units, memory_order_relaxed);
}

size_t hak_purge_dirty(void) {
    uint32_t count = hak_region_count();
    size_t units = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct hak_region *region = hak_region_at(i);
        if (!region || !hak_region_slots(region)) continue;
        uint64_t dirty = atomic_load_explicit(&region->dirty_slots, memory_order_relaxed);
        uint64_t free = atomic_load_explicit(&region->free_slots, memory_order_relaxed);
        for (; dirty; dirty &= dirty - 1) {
            unsigned slot = (unsigned)__builtin_ctzll(dirty);
            units += (unsigned)__builtin_popcount(
                purge_dirty_units(&region->superslab[slot], (free >> slot) & 1));
        }
    }
    return units << HAK_UNIT_SHIFT;
}

/* For how long has a superslab been seen to be dirty? */
static uint32_t purge_age(struct hak_superslab *superslab, uint32_t now_ms) {
    uint32_t seen = atomic_load_explicit(&superslab->seen_ms, memory_order_relaxed);
    if (!seen) {
        atomic_store_explicit(&superslab->seen_ms, now_ms ? now_ms : 1, memory_order_relaxed);
        return 0;
    }
    if (seen == HAK_PURGE_OFFERED) return 0;
    int32_t age = (int32_t)(now_ms - seen); /* another thread's clock may have been ahead */
    return age > 0 ? (uint32_t)age : 0;
}

static size_t purge_region(struct hak_region *region, uint32_t now_ms, uint32_t age_ms) {
    /* The hints are cleared first and set again where something stays: a unit freed meanwhile sets
     * its own. */
    uint64_t dirty = atomic_exchange_explicit(&region->dirty_slots, 0, memory_order_seq_cst);
    uint64_t whole = 0, left = 0;
    size_t purged = 0;
    uint64_t free = atomic_load_explicit(&region->free_slots, memory_order_relaxed);
    for (uint64_t rest = dirty; rest; rest &= rest - 1) {
        unsigned slot = (unsigned)__builtin_ctzll(rest);
        uint64_t bit = (uint64_t)1 << slot;
        struct hak_superslab *superslab = &region->superslab[slot];
        if (!atomic_load_explicit(&superslab->dirty_units, memory_order_relaxed)) {
            continue; /* the hint was old */
        } else if (age_ms && purge_age(superslab, now_ms) < age_ms) {
            left |= bit;
        } else if (free & bit) {
            whole |= bit;
        } else {
            purged += hak_superslab_purge(superslab);
        }
    }
    if (whole) purged += hak_region_purge_slots(region, whole);
    /* What is dirty and still free (a purge that failed, or young) is looked at again. */
    for (uint64_t rest = dirty & ~left; rest; rest &= rest - 1) {
        unsigned slot = (unsigned)__builtin_ctzll(rest);
        struct hak_superslab *superslab = &region->superslab[slot];
        free = atomic_load_explicit(&region->free_slots, memory_order_relaxed);
        if (purge_dirty_units(superslab, (free >> slot) & 1)) left |= (uint64_t)1 << slot;
    }
    if (left) atomic_fetch_or_explicit(&region->dirty_slots, left, memory_order_relaxed);
    return purged;
}

static size_t purge_regions(uint32_t now_ms, uint32_t age_ms, uint32_t regions) {
    uint32_t count = hak_region_count();
    uint32_t start = atomic_load_explicit(&purge_cursor, memory_order_relaxed);
    size_t purged = 0;
    if (start >= count) start = 0;
    for (uint32_t step = 0; step < count && regions; step++) {
        uint32_t index = hak_region_step(start, step, count);
        struct hak_region *region = hak_region_at(index);
        if (!region || !hak_region_slots(region) ||
            !atomic_load_explicit(&region->dirty_slots, memory_order_relaxed)) {
            continue;
        }
        size_t bytes = purge_region(region, now_ms, age_ms);
        purged += bytes;
        if (bytes) regions--;
        atomic_store_explicit(&purge_cursor, index + 1, memory_order_relaxed);
    }
    return purged;
}

size_t hak_purge_some(uint32_t now_ms, uint32_t age_ms, uint32_t regions) {
    if (!age_ms && purge_offers()) age_ms = 1; /* once: those that were offered have no age */
    return purge_regions(now_ms, age_ms, regions);
}

size_t hak_purge_all(void) {
    size_t purged = purge_regions(0, 0, ~(uint32_t)0);
    hak_region_unmap_free();
    return purged;
}
