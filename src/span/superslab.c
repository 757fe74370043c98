/* SPDX-License-Identifier: MIT
 *
 * Claiming and releasing units.  Invariants and concurrency: span/superslab.h.
 *
 * Search order: regions from the last success on, lowest address first within one, so that units in
 * use stay close together and whole superslabs become free.
 */
#include "span/superslab.h"

#include "base/bits.h"
#include "base/counter.h"
#include "os/page.h"
#include "span/purge.h"
#include "span/region.h"
#include "span/thp.h"

#define SUPERSLAB_FULL 0xffffffffu

/* A search looks into so many superslabs in vain, then takes a whole one; each look in vain takes a
 * hint away, so the next search gets further. */
#define SUPERSLAB_TRIES 64u

static struct hak_region_hint superslab_hint;
static _Atomic uint32_t superslab_dense; /* atomic, relaxed: those in pieces that are dense */

/* The hint for runs of `count` units. */
static _Atomic uint64_t *superslab_roomy(struct hak_superslab *superslab, unsigned count) {
    return &superslab->region->roomy_slots[count - 1];
}

/* Clears the hint that `superslab` has `count` free units in a row, unless they were freed
 * meanwhile. seq_cst: either this thread sees the units, or the thread that freed them sees the
 * cleared hint. */
static void superslab_hide(struct hak_superslab *superslab, unsigned count) {
    _Atomic uint64_t *roomy = superslab_roomy(superslab, count);
    uint64_t bit = (uint64_t)1 << superslab->slot;
    atomic_fetch_and_explicit(roomy, ~bit, memory_order_seq_cst);
    uint32_t free = atomic_load_explicit(&superslab->free_units, memory_order_seq_cst);
    if (hak_bits_find_run(free, count) >= 0) {
        atomic_fetch_or_explicit(roomy, bit, memory_order_seq_cst);
    }
}

/* Sets the hints for what `free`, just stored, allows.  seq_cst: see superslab_hide. */
static void superslab_show(struct hak_superslab *superslab, uint32_t free) {
    uint64_t bit = (uint64_t)1 << superslab->slot;
    for (unsigned count = hak_bits_longest_run(free); count; count--) {
        _Atomic uint64_t *roomy = superslab_roomy(superslab, count);
        if (!(atomic_load_explicit(roomy, memory_order_seq_cst) & bit)) {
            atomic_fetch_or_explicit(roomy, bit, memory_order_seq_cst);
        }
    }
}

static int superslab_try(struct hak_superslab *superslab, unsigned count) {
    uint32_t free = atomic_load_explicit(&superslab->free_units, memory_order_relaxed);
    for (;;) {
        int first = hak_bits_find_run(free, count);
        if (first < 0) {
            superslab_hide(superslab, count);
            return -1;
        }
        uint32_t left = free & ~(uint32_t)hak_bits_run((unsigned)first, count);
        /* acquire: pairs with the release in superslab_give */
        if (atomic_compare_exchange_weak_explicit(&superslab->free_units, &free, left,
                                                  memory_order_acquire, memory_order_relaxed)) {
            return first;
        }
    }
}

/* Claims units in a superslab that is in pieces already; NULL: none found.  *tries: how many looks
 * were in vain, at most SUPERSLAB_TRIES. */
static struct hak_superslab *superslab_claim_partial(unsigned count, unsigned *first,
                                                     unsigned *tries) {
    uint32_t regions = hak_region_count();
    uint32_t start = atomic_load_explicit(&superslab_hint.index, memory_order_relaxed);
    if (start >= regions) start = 0;
    *tries = 0;
    for (uint32_t step = 0; step < regions; step++) {
        uint32_t index = hak_region_step(start, step, regions);
        struct hak_region *region = hak_region_at(index);
        if (!region) continue;
        uint64_t roomy = atomic_load_explicit(&region->roomy_slots[count - 1],
                                              memory_order_relaxed);
        for (; roomy; roomy &= roomy - 1) {
            struct hak_superslab *superslab = &region->superslab[__builtin_ctzll(roomy)];
            int found = superslab_try(superslab, count);
            if (found >= 0) {
                if (step) atomic_store_explicit(&superslab_hint.index, index, memory_order_relaxed);
                *first = (unsigned)found;
                return superslab;
            }
            if (++*tries == SUPERSLAB_TRIES) return NULL;
        }
    }
    return NULL;
}

/* Touches a fresh superslab, if that is better done at once. */
static void superslab_touch(struct hak_superslab *superslab, uint32_t dense) {
    if (atomic_load_explicit(&superslab->dirty_units, memory_order_relaxed)) return;
    if (hak_thp_touch(superslab->base, dense)) {
        atomic_store_explicit(&superslab->dirty_units, SUPERSLAB_FULL, memory_order_relaxed);
        atomic_store_explicit(&superslab->seen_ms, 0, memory_order_relaxed);
    }
}

/* Cuts the first `count` units off a whole superslab; NULL: no memory. */
static struct hak_superslab *superslab_claim_whole(unsigned count, bool dense, unsigned *first) {
    struct hak_superslab *superslab = hak_region_claim(1);
    if (!superslab) return NULL;
    superslab->dense = dense;
    if (dense) {
        superslab_touch(superslab,
                        atomic_fetch_add_explicit(&superslab_dense, 1, memory_order_relaxed));
    }
    *first = 0;
    superslab->cut = true;
    uint32_t left = SUPERSLAB_FULL & ~(uint32_t)hak_bits_run(0, count);
    atomic_store_explicit(&superslab->kind, HAK_SUPERSLAB_PIECES, memory_order_relaxed);
    /* release: whoever claims the rest sees the kind, and zeroed tags.  seq_cst: superslab_hide */
    atomic_store_explicit(&superslab->free_units, left, memory_order_seq_cst);
    superslab_show(superslab, left);
    /* A purge that came while all of it was claimed has cleared the hint. */
    if (left & atomic_load_explicit(&superslab->dirty_units, memory_order_relaxed)) {
        atomic_fetch_or_explicit(&superslab->region->dirty_slots, (uint64_t)1 << superslab->slot,
                                 memory_order_release);
    }
    return superslab;
}

struct hak_superslab *hak_superslab_claim(unsigned count, bool dense, unsigned *first,
                                          bool *dirty) {
    unsigned tries;
    struct hak_superslab *superslab;
    do { /* goes round only when there is no whole superslab any more, and always gets further */
        superslab = superslab_claim_partial(count, first, &tries);
        if (!superslab) superslab = superslab_claim_whole(count, dense, first);
    } while (!superslab && tries == SUPERSLAB_TRIES);
    if (!superslab) return NULL;
    uint32_t was_dirty = atomic_load_explicit(&superslab->dirty_units, memory_order_relaxed);
    *dirty = (was_dirty & (uint32_t)hak_bits_run(*first, count)) != 0;
    return superslab;
}

bool hak_superslab_claim_at(struct hak_superslab *superslab, unsigned first, unsigned count) {
    if (first + count > HAK_SUPERSLAB_UNITS) return false;
    uint32_t run = (uint32_t)hak_bits_run(first, count);
    uint32_t free = atomic_load_explicit(&superslab->free_units, memory_order_relaxed);
    while ((free & run) == run) {
        /* acquire: pairs with the release in superslab_give */
        if (atomic_compare_exchange_weak_explicit(&superslab->free_units, &free, free & ~run,
                                                  memory_order_acquire, memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

/* Sets free bits.  If the superslab is free as a whole then, it goes back to its region. */
static void superslab_give(struct hak_superslab *superslab, uint32_t run) {
    struct hak_region *region = superslab->region;
    /* release: the next owner sees cleared tags and all writes to the units */
    uint32_t before = atomic_fetch_or_explicit(&superslab->free_units, run, memory_order_seq_cst);
    uint32_t full = SUPERSLAB_FULL;
    if ((before | run) == SUPERSLAB_FULL &&
        atomic_compare_exchange_strong_explicit(&superslab->free_units, &full, 0,
                                                memory_order_acquire, memory_order_relaxed)) {
        hak_counter_add(&hak_counters.superslabs_empty, 1);
        if (superslab->dense) atomic_fetch_sub_explicit(&superslab_dense, 1, memory_order_relaxed);
        hak_region_release(superslab, 1);
        return;
    }
    superslab_show(superslab, before | run);
    if (region->index < atomic_load_explicit(&superslab_hint.index, memory_order_relaxed)) {
        atomic_store_explicit(&superslab_hint.index, region->index, memory_order_relaxed);
    }
}

void hak_superslab_release(struct hak_superslab *superslab, unsigned first, unsigned count,
                           unsigned written) {
    struct hak_region *region = superslab->region;
    uint64_t bit = (uint64_t)1 << superslab->slot;
    if (written) {
        atomic_fetch_or_explicit(&superslab->dirty_units, (uint32_t)hak_bits_run(first, written),
                                 memory_order_relaxed);
        atomic_store_explicit(&superslab->seen_ms, 0, memory_order_relaxed);
    }
    superslab_give(superslab, (uint32_t)hak_bits_run(first, count));
    /* After they are free: a purge that clears the hint and finds them
     * claimed would forget them. */
    if (written && !(atomic_load_explicit(&region->dirty_slots, memory_order_seq_cst) & bit)) {
        atomic_fetch_or_explicit(&region->dirty_slots, bit, memory_order_release);
    }
    if (written) hak_purge_note(written);
}

size_t hak_superslab_purge(struct hak_superslab *superslab) {
    size_t purged = 0;
    uint32_t tried = 0;
    for (;;) {
        uint32_t free = atomic_load_explicit(&superslab->free_units, memory_order_relaxed);
        uint32_t wanted = free &
                          atomic_load_explicit(&superslab->dirty_units, memory_order_relaxed) &
                          ~tried;
        if (!wanted) return purged;
        unsigned first = (unsigned)__builtin_ctz(wanted);
        unsigned count = hak_bits_run_length(wanted, first);
        uint32_t run = (uint32_t)hak_bits_run(first, count);
        /* acquire: pairs with the release in superslab_give */
        if (!atomic_compare_exchange_strong_explicit(&superslab->free_units, &free, free & ~run,
                                                     memory_order_acquire, memory_order_relaxed)) {
            continue;
        }
        tried |= run;
        size_t bytes = (size_t)count << HAK_UNIT_SHIFT;
        enum hak_purge_result result = hak_purge_pages(hak_superslab_unit_base(superslab, first),
                                                       bytes);
        if (result == HAK_PURGE_DONE) {
            atomic_fetch_and_explicit(&superslab->dirty_units, ~run, memory_order_relaxed);
            purged += bytes;
        }
        if (result == HAK_PURGE_OFFER) hak_superslab_offered(superslab, 1);
        superslab_give(superslab, run);
    }
}
