/* SPDX-License-Identifier: MIT
 *
 * Huge blocks.  Header: large/huge.h.
 */
#include "large/huge.h"

#include "base/bits.h"
#include "base/counter.h"
#include "os/env.h"
#include "os/page.h"
#include "span/map.h"
#include "span/purge.h"
#include "span/region.h"

/* 128 MiB of address space, or a 16th of what the process may have. */
#define HUGE_GROWING_MAX   32u
#define HUGE_GROWING_SHARE 16u

static _Atomic uint32_t huge_growing; /* atomic, relaxed: an estimate where threads race */

bool hak_huge_may_grow(void) {
    size_t share = hak_env_address_space() / HUGE_GROWING_SHARE;
    size_t most = share / (HAK_HUGE_SLOTS_MIN * HAK_SUPERSLAB_BYTES);
    return atomic_load_explicit(&huge_growing, memory_order_relaxed) <
           hak_min_size(most, HUGE_GROWING_MAX);
}

void hak_huge_grows(struct hak_superslab *huge) {
    huge->grows = true;
    atomic_fetch_add_explicit(&huge_growing, 1, memory_order_relaxed);
}

static void huge_has_grown(struct hak_superslab *huge) {
    if (!huge->grows) return;
    huge->grows = false;
    atomic_fetch_sub_explicit(&huge_growing, 1, memory_order_relaxed);
}

static void huge_begin(struct hak_superslab *huge, size_t bytes, unsigned slots) {
    huge->huge_bytes = bytes;
    huge->huge_slots = (uint16_t)slots;
    atomic_store_explicit(&huge->kind, HAK_SUPERSLAB_HUGE, memory_order_relaxed);
    for (unsigned i = 1; i < slots; i++) {
        atomic_store_explicit(&huge[i].kind, HAK_SUPERSLAB_TAIL, memory_order_relaxed);
    }
    hak_map_set_tags(huge->base, 1, HAK_TAG_HUGE);
}

/* Marks the first `bytes` of a block in a region as dirty. */
static void huge_soil(struct hak_superslab *huge, size_t bytes) {
    size_t units = (bytes + HAK_UNIT_BYTES - 1) >> HAK_UNIT_SHIFT;
    for (unsigned i = 0; units; i++) {
        unsigned here = units < HAK_SUPERSLAB_UNITS ? (unsigned)units : HAK_SUPERSLAB_UNITS;
        atomic_fetch_or_explicit(&huge[i].dirty_units, (uint32_t)hak_bits_run(0, here),
                                 memory_order_relaxed);
        units -= here;
    }
}

size_t hak_huge_soiled(struct hak_superslab *huge) {
    size_t units = 0;
    for (unsigned i = 0; i < huge->huge_slots; i++) {
        uint32_t dirty = atomic_load_explicit(&huge[i].dirty_units, memory_order_relaxed);
        units += (unsigned)__builtin_popcount(dirty);
    }
    size_t bytes = units << HAK_UNIT_SHIFT; /* its own are rounded up */
    return bytes < huge->huge_bytes + HAK_UNIT_BYTES ? huge->huge_bytes : bytes;
}

static bool huge_is_clean(struct hak_superslab *huge, unsigned slots) {
    uint32_t dirty = 0;
    for (unsigned i = 0; i < slots; i++) {
        dirty |= atomic_load_explicit(&huge[i].dirty_units, memory_order_relaxed);
    }
    return !dirty;
}

struct hak_superslab *hak_huge_alloc(size_t size, size_t alignment, bool *zeroed) {
    size_t bytes = hak_align_up(size ? size : 1, hak_page_bytes());
    if (bytes < size) return NULL;
    size_t slots = hak_huge_slots(bytes);
    struct hak_superslab *huge;
    if (slots > HAK_HUGE_SLOTS_MAX || alignment > HAK_SUPERSLAB_BYTES) {
        huge = hak_region_map_dedicated(bytes, hak_max_size(alignment, HAK_SUPERSLAB_BYTES));
        slots = 0;
        *zeroed = true;
    } else {
        huge = hak_region_claim((unsigned)slots);
        *zeroed = huge && huge_is_clean(huge, (unsigned)slots);
    }
    if (!huge) return NULL;
    huge->huge_heap = NULL;
    huge_begin(huge, bytes, (unsigned)slots);
    hak_counter_add(&hak_counters.huge_allocs, 1);
    return huge;
}

void hak_huge_hide(struct hak_superslab *huge) {
    hak_counter_add(&hak_counters.huge_frees, 1);
    hak_map_set_tags(huge->base, 1, 0);
    huge_has_grown(huge);
    if (huge->huge_slots) huge_soil(huge, huge->huge_bytes);
    atomic_store_explicit(&huge->kind, HAK_SUPERSLAB_HIDDEN, memory_order_relaxed);
}

void hak_huge_show(struct hak_superslab *huge, size_t bytes) {
    hak_counter_add(&hak_counters.huge_allocs, 1);
    huge->huge_bytes = bytes;
    atomic_store_explicit(&huge->kind, HAK_SUPERSLAB_HUGE, memory_order_relaxed);
    hak_map_set_tags(huge->base, 1, HAK_TAG_HUGE);
}

void hak_huge_drop(struct hak_superslab *huge, bool purge) {
    if (!huge->huge_slots) {
        hak_region_unmap_dedicated(huge);
        return;
    }
    uint64_t slots = hak_bits_run(huge->slot, huge->huge_slots);
    hak_region_release(huge, huge->huge_slots);
    if (purge) hak_region_purge_slots(huge->region, slots);
}

void hak_huge_free(struct hak_superslab *huge) {
    hak_huge_hide(huge);
    hak_huge_drop(huge, false);
}

static struct hak_superslab *huge_resize_in_region(struct hak_superslab *huge, size_t bytes) {
    size_t slots = hak_huge_slots(bytes);
    if (slots > HAK_HUGE_SLOTS_MAX) return NULL;
    if (slots > huge->huge_slots) {
        unsigned more = (unsigned)slots - huge->huge_slots;
        if (!hak_region_claim_next(huge, huge->huge_slots, more)) return NULL;
    } else {
        if (bytes < huge->huge_bytes) huge_soil(huge, huge->huge_bytes);
        if (slots < huge->huge_slots) {
            unsigned less = huge->huge_slots - (unsigned)slots;
            hak_region_release(huge + slots, less);
            hak_purge_note(less * HAK_SUPERSLAB_UNITS);
        }
    }
    huge_begin(huge, bytes, (unsigned)slots);
    return huge;
}

/* Moves the pages to a new mapping of their own. */
static struct hak_superslab *huge_move(struct hak_superslab *huge, size_t bytes) {
    if (huge->huge_heap) return NULL; /* its heap lists it by its superslab */
    struct hak_superslab *to = hak_region_map_dedicated(bytes, HAK_SUPERSLAB_BYTES);
    if (!to) return NULL;
    bool in_region = huge->huge_slots != 0;
    size_t to_bytes = in_region ? huge->huge_bytes : bytes;
    /* Before the pages move: where they were, another thread may map something at once. */
    hak_map_set_tags(huge->base, 1, 0);
    if (!in_region) hak_map_set_superslab(huge->base, NULL);
    enum hak_page_moved moved = hak_page_move(huge->base, huge->huge_bytes, to->base, to_bytes,
                                              in_region);
    if (moved != HAK_PAGE_MOVED) {
        hak_map_set_tags(huge->base, 1, HAK_TAG_HUGE);
        hak_map_set_superslab(huge->base, huge);
        if (moved == HAK_PAGE_REFUSED) hak_region_unmap_dedicated(to);
        return NULL; /* otherwise the target's address space is lost (P4) */
    }
    to->huge_heap = NULL;
    to->born_ms = huge->born_ms;
    to->site = huge->site;
    huge_begin(to, bytes, 0);
    if (in_region)
        hak_region_release(huge, huge->huge_slots); /* its pages are gone: clean as it was */
    else hak_region_forget_dedicated(huge);
    return to;
}

struct hak_superslab *hak_huge_resize(struct hak_superslab *huge, size_t size) {
    size_t bytes = hak_align_up(size, hak_page_bytes());
    if (bytes < size || (bytes <= HAK_LARGE_MAX && bytes < huge->huge_bytes)) return NULL;
    if (bytes == huge->huge_bytes) return huge;
    if (bytes > HAK_LARGE_MAX) huge_has_grown(huge);
    if (huge->huge_slots) {
        struct hak_superslab *resized = huge_resize_in_region(huge, bytes);
        if (resized || bytes <= HAK_HUGE_REGION_MAX) return resized;
        return huge_move(huge, bytes);
    }
    if (hak_region_resize_dedicated(huge, bytes)) {
        huge->huge_bytes = bytes;
        return huge;
    }
    return bytes > huge->huge_bytes ? huge_move(huge, bytes) : NULL;
}

struct hak_superslab *hak_huge_of(const void *address) {
    struct hak_superslab *huge = hak_map_superslab(address);
    if (!huge || huge->base != address ||
        atomic_load_explicit(&huge->kind, memory_order_relaxed) != HAK_SUPERSLAB_HUGE) {
        return NULL;
    }
    return huge;
}
