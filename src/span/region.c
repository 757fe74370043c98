/* SPDX-License-Identifier: MIT
 *
 * The table of regions, and claiming superslabs from them.  Invariants: span/region.h.
 *
 * The table grows by chunks of doubling size whose pointers are set once, so that a reader needs no
 * lock and an index stays valid for ever.
 */
#include "span/region.h"

#include "base/bits.h"
#include "base/counter.h"
#include "os/page.h"
#include "span/arena.h"
#include "span/map.h"
#include "span/purge.h"
#include "span/taken.h"

#define REGION_CHUNK_FIRST_SHIFT 6
#define REGION_CHUNKS            26 /* 2^32 regions: more than address space */

/* The first region of a process is small: it must fit under a small RLIMIT_AS. */
#define REGION_SLOTS_FIRST (HAK_STRESS ? 2u : 16u)

/* A purge claims so many slots at once.  It takes its time, and what is claimed then is lost to a
 * child that another thread forks (S5). */
#define REGION_PURGE_SLOTS 4u

typedef _Atomic(struct hak_region *) region_ref;

static region_ref region_first_chunk[1u << REGION_CHUNK_FIRST_SHIFT];
static _Atomic(region_ref *) region_chunk[REGION_CHUNKS]; /* atomic, set once; [0] is unused */
static _Atomic uint32_t region_used;                      /* atomic: only grows */
static _Atomic uint32_t region_retired;                   /* atomic: how many are retired */
static struct hak_region_hint region_hint;

_Atomic(void (*)(void)) hak_region_yield;

/* ---- The table ------------------------------------------------------------------------------- */

uint32_t hak_region_count(void) {
    return atomic_load_explicit(&region_used, memory_order_acquire);
}

/* The entry of `index`; make: a missing chunk is made.  NULL: there is
 * none, or no memory for it. */
static region_ref *region_entry(uint32_t index, bool make) {
    uint32_t group = index >> REGION_CHUNK_FIRST_SHIFT;
    if (!group) return &region_first_chunk[index];
    unsigned chunk = hak_log2(group) + 1;
    uint32_t first = (uint32_t)1 << (chunk - 1 + REGION_CHUNK_FIRST_SHIFT);
    region_ref *entries = atomic_load_explicit(&region_chunk[chunk], memory_order_acquire);
    if (!entries && make) {
        region_ref *fresh = hak_arena_alloc(first * sizeof *fresh, HAK_CACHE_LINE);
        if (!fresh) return NULL;
        /* release: readers see zeroed entries.  The loser's chunk stays in the arena, unused. */
        if (atomic_compare_exchange_strong_explicit(&region_chunk[chunk], &entries, fresh,
                                                    memory_order_release, memory_order_acquire)) {
            entries = fresh;
        }
    }
    return entries ? &entries[index - first] : NULL;
}

struct hak_region *hak_region_at(uint32_t index) {
    region_ref *entry = region_entry(index, false);
    /* acquire: pairs with the release in region_append */
    return entry ? atomic_load_explicit(entry, memory_order_acquire) : NULL;
}

static bool region_append(struct hak_region *region) {
    uint32_t index = atomic_fetch_add_explicit(&region_used, 1, memory_order_acq_rel);
    region_ref *entry = region_entry(index, true);
    if (!entry) return false; /* the index stays empty for ever */
    region->index = index;
    atomic_store_explicit(entry, region, memory_order_release);
    return true;
}

/* ---- Making and retiring --------------------------------------------------------------------- */

static struct hak_region *region_reuse(uint32_t capacity) {
    if (!atomic_load_explicit(&region_retired, memory_order_relaxed)) return NULL;
    uint32_t count = hak_region_count();
    for (uint32_t i = 0; i < count; i++) {
        struct hak_region *region = hak_region_at(i);
        uint32_t retired = 1;
        if (!region || region->capacity < capacity ||
            !atomic_load_explicit(&region->retired, memory_order_relaxed)) {
            continue;
        }
        /* acquire: pairs with the release in region_retire */
        if (atomic_compare_exchange_strong_explicit(&region->retired, &retired, 0,
                                                    memory_order_acquire, memory_order_relaxed)) {
            atomic_fetch_sub_explicit(&region_retired, 1, memory_order_relaxed);
            return region;
        }
    }
    return NULL;
}

static void region_retire(struct hak_region *region) {
    region->bytes = 0;
    atomic_fetch_add_explicit(&region_retired, 1, memory_order_relaxed);
    atomic_store_explicit(&region->retired, 1, memory_order_release);
}

/* A descriptor with all slots claimed, without address space. */
static struct hak_region *region_descriptor(uint32_t capacity) {
    struct hak_region *region = region_reuse(capacity);
    if (region) return region;
    if (!region_entry(hak_region_count(), true)) return NULL; /* no place for it in the table */
    size_t head = hak_align_up(sizeof *region + capacity * sizeof region->superslab[0],
                               _Alignof(struct hak_meta));
    region = hak_arena_alloc(head + capacity * sizeof(struct hak_meta), _Alignof(struct hak_meta));
    if (!region) return NULL;
    region->capacity = capacity;
    struct hak_meta *meta = (struct hak_meta *)(void *)((char *)region + head);
    for (uint32_t slot = 0; slot < capacity; slot++) {
        region->superslab[slot].region = region;
        region->superslab[slot].slot = (uint16_t)slot;
        region->superslab[slot].meta = &meta[slot];
    }
    return region_append(region) ? region : NULL;
}

/* Moves a region to `base` (NULL: nowhere), and tells the page map, where that covers it. */
static void region_rebase(struct hak_region *region, char *base, size_t bytes) {
    uint32_t slots = hak_region_slots(region);
    if (!slots) slots = 1;
    if (region->base) {
        for (size_t slot = 0; slot < slots; slot++) {
            hak_map_set_superslab(region->base + (slot << HAK_SUPERSLAB_SHIFT), NULL);
        }
    }
    region->base = base;
    region->bytes = bytes;
    for (size_t slot = 0; base && slot < slots; slot++) {
        region->superslab[slot].base = base + (slot << HAK_SUPERSLAB_SHIFT);
        hak_map_set_superslab(region->superslab[slot].base, &region->superslab[slot]);
    }
}

/* Maps `bytes` for a descriptor whose slots are all claimed.  On failure it is retired. */
static bool region_map(struct hak_region *region, uint32_t slots, size_t bytes, size_t alignment) {
    char *base = hak_page_map(bytes, alignment, HAK_PAGE_HEAP);
    if (base && !hak_map_cover(base, bytes)) {
        if (!hak_page_unmap(base, bytes, HAK_PAGE_HEAP)) {
            /* P4: as a dedicated region that could not be unmapped */
            atomic_store_explicit(&region->slots, 0, memory_order_relaxed);
            region_rebase(region, base, bytes);
            atomic_store_explicit(&region->free_slots, 1, memory_order_release);
            return false;
        }
        base = NULL;
    }
    if (!base) {
        region_retire(region);
        return false;
    }
    atomic_store_explicit(&region->slots, slots, memory_order_relaxed);
    region_rebase(region, base, bytes);
    hak_page_avoid_huge(base, bytes);
    for (uint32_t slot = 0; slot < slots; slot++) {
        atomic_store_explicit(&region->superslab[slot].dirty_units, 0, memory_order_relaxed);
    }
    atomic_store_explicit(&region->dirty_slots, 0, memory_order_relaxed);
    return true;
}

/* A new region of as many slots as the process's size justifies and the kernel grants, at least
 * `need`; the first `need` of them are claimed for the caller. */
static struct hak_superslab *region_create(uint32_t need) {
    uint32_t slots = REGION_SLOTS_FIRST;
    for (uint32_t i = hak_region_count(); i && slots < HAK_REGION_SLOTS_MAX; i--) slots *= 2;
    if (slots < need) slots = need;
    for (;; slots = slots / 2 > need ? slots / 2 : need) {
        struct hak_region *region = region_descriptor(slots);
        if (region &&
            region_map(region, slots, (size_t)slots << HAK_SUPERSLAB_SHIFT, HAK_SUPERSLAB_BYTES)) {
            uint64_t left = hak_bits_run(0, slots) & ~hak_bits_run(0, need);
            /* release: claimers see the base and the cleared descriptors */
            atomic_store_explicit(&region->free_slots, left, memory_order_release);
            return &region->superslab[0];
        }
        if (slots == need) return NULL;
    }
}

/* ---- Claiming and releasing ------------------------------------------------------------------ */

static struct hak_superslab *region_try(struct hak_region *region, unsigned count) {
    if (!hak_region_slots(region)) return NULL; /* dedicated */
    uint64_t free = atomic_load_explicit(&region->free_slots, memory_order_relaxed);
    for (;;) {
        int first = hak_bits_find_run(free, count);
        if (first < 0) return NULL;
        /* acquire: pairs with the release in hak_region_release */
        if (atomic_compare_exchange_weak_explicit(&region->free_slots, &free,
                                                  free & ~hak_bits_run((unsigned)first, count),
                                                  memory_order_acquire, memory_order_relaxed)) {
            if (hak_likely(hak_region_slots(region) != 0)) return &region->superslab[first];
            /* R1: it has become a dedicated one meanwhile, that could not be unmapped */
            atomic_fetch_or_explicit(&region->free_slots, hak_bits_run((unsigned)first, count),
                                     memory_order_release);
            return NULL;
        }
    }
}

static struct hak_superslab *region_search(unsigned count) {
    uint32_t regions = hak_region_count();
    uint32_t start = atomic_load_explicit(&region_hint.index, memory_order_relaxed);
    if (start >= regions) start = 0;
    for (uint32_t step = 0; step < regions; step++) {
        uint32_t index = hak_region_step(start, step, regions);
        struct hak_region *region = hak_region_at(index);
        struct hak_superslab *found = region ? region_try(region, count) : NULL;
        if (!found) continue;
        if (step) atomic_store_explicit(&region_hint.index, index, memory_order_relaxed);
        return found;
    }
    return NULL;
}

struct hak_superslab *hak_region_claim(unsigned count) {
    size_t bytes = (size_t)count << HAK_SUPERSLAB_SHIFT;
    void (*yield)(void) = atomic_load_explicit(&hak_region_yield, memory_order_relaxed);
    if (yield) yield();
    if (!hak_taken_add(bytes)) return NULL;
    struct hak_superslab *found = region_search(count);
    if (!found) found = region_create(count);
    /* Out of address space: free regions may be in the wrong place or too short. */
    if (!found && hak_region_unmap_free()) found = region_create(count);
    if (!found) hak_taken_drop(bytes);
    return found;
}

/* Claims these slots if all of them are free. */
static bool region_claim_run(struct hak_region *region, uint64_t run) {
    uint64_t free = atomic_load_explicit(&region->free_slots, memory_order_relaxed);
    while ((free & run) == run) {
        if (atomic_compare_exchange_weak_explicit(&region->free_slots, &free, free & ~run,
                                                  memory_order_acquire, memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

bool hak_region_claim_next(struct hak_superslab *superslab, unsigned used, unsigned count) {
    struct hak_region *region = superslab->region;
    unsigned first = superslab->slot + used;
    if (first + count > hak_region_slots(region)) return false;
    size_t bytes = (size_t)count << HAK_SUPERSLAB_SHIFT;
    if (!hak_taken_add(bytes)) return false;
    if (region_claim_run(region, hak_bits_run(first, count))) return true;
    hak_taken_drop(bytes);
    return false;
}

void hak_region_release(struct hak_superslab *superslab, unsigned count) {
    struct hak_region *region = superslab->region;
    uint64_t run = hak_bits_run(superslab->slot, count), dirty = 0;
    for (unsigned i = 0; i < count; i++) {
        struct hak_superslab *one = &superslab[i];
        atomic_store_explicit(&one->kind, HAK_SUPERSLAB_FREE, memory_order_relaxed);
        if (!atomic_load_explicit(&one->dirty_units, memory_order_relaxed)) continue;
        atomic_store_explicit(&one->seen_ms, 0, memory_order_relaxed);
        dirty |= (uint64_t)1 << one->slot;
    }
    atomic_fetch_or_explicit(&region->free_slots, run, memory_order_release);
    hak_taken_drop((size_t)count << HAK_SUPERSLAB_SHIFT);
    /* After they are free: a purge that clears the hint and finds them
     * claimed would forget them. */
    if (dirty) atomic_fetch_or_explicit(&region->dirty_slots, dirty, memory_order_release);
    if (region->index < atomic_load_explicit(&region_hint.index, memory_order_relaxed)) {
        atomic_store_explicit(&region_hint.index, region->index, memory_order_relaxed);
    }
}

/* Gives back the metadata of free superslabs, which the caller has claimed: all that means anything
 * is zero. */
static void region_purge_meta(struct hak_superslab *superslab, unsigned count) {
    bool cut = false;
    for (unsigned i = 0; i < count; i++) cut |= superslab[i].cut;
    if (!cut) return;
    uintptr_t page = hak_page_bytes();
    uintptr_t start = hak_align_up((uintptr_t)superslab->meta, page);
    uintptr_t end = (uintptr_t)(superslab->meta + count) & ~(page - 1);
    if (start >= end) return; /* on large pages, with those of others */
    if (!hak_page_purge((void *)start, end - start, HAK_PAGE_META)) return;
    for (unsigned i = 0; i < count; i++) superslab[i].cut = false;
}

size_t hak_region_purge_slots(struct hak_region *region, uint64_t slots) {
    size_t purged = 0;
    while (slots) {
        unsigned first = (unsigned)__builtin_ctzll(slots);
        unsigned count = hak_bits_run_length(slots, first);
        if (count > REGION_PURGE_SLOTS) count = REGION_PURGE_SLOTS;
        uint64_t run = hak_bits_run(first, count);
        slots &= ~run;
        if (!region_claim_run(region, run)) continue;
        struct hak_superslab *superslab = &region->superslab[first];
        size_t bytes = (size_t)count << HAK_SUPERSLAB_SHIFT;
        enum hak_purge_result result = hak_purge_pages(superslab->base, bytes);
        if (result == HAK_PURGE_DONE) {
            for (unsigned i = 0; i < count; i++)
                atomic_store_explicit(&superslab[i].dirty_units, 0, memory_order_relaxed);
            purged += bytes;
            region_purge_meta(superslab, count);
        }
        if (result == HAK_PURGE_OFFER) hak_superslab_offered(superslab, count);
        atomic_fetch_or_explicit(&region->free_slots, run, memory_order_release);
    }
    return purged;
}

/* ---- Whole regions --------------------------------------------------------------------------- */

size_t hak_region_unmap_free(void) {
    size_t returned = 0;
    uint32_t count = hak_region_count();
    for (uint32_t i = 0; i < count; i++) {
        struct hak_region *region = hak_region_at(i);
        if (!region || atomic_load_explicit(&region->retired, memory_order_acquire)) continue;
        uint64_t full = atomic_load_explicit(&region->free_slots, memory_order_relaxed);
        uint32_t slots = hak_region_slots(region);
        if (!full || full != hak_bits_run(0, slots ? slots : 1)) continue;
        if (!atomic_compare_exchange_strong_explicit(&region->free_slots, &full, 0,
                                                     memory_order_acquire, memory_order_relaxed)) {
            continue;
        }
        /* Again, now that it can't change (R1): the region may have been unmapped meanwhile, and
         * its descriptor serve a longer one of which just these slots are free. */
        slots = hak_region_slots(region);
        if (full != hak_bits_run(0, slots ? slots : 1)) {
            atomic_fetch_or_explicit(&region->free_slots, full, memory_order_release);
            continue;
        }
        char *base = region->base;
        size_t bytes = region->bytes;
        region_rebase(region, NULL, 0);
        if (hak_page_unmap(base, bytes, HAK_PAGE_HEAP)) {
            returned += bytes;
            region_purge_meta(&region->superslab[0], region->capacity);
            region_retire(region);
        } else { /* P4: still ours */
            region_rebase(region, base, bytes);
            atomic_fetch_or_explicit(&region->free_slots, full, memory_order_release);
        }
    }
    return returned;
}

struct hak_superslab *hak_region_map_dedicated(size_t bytes, size_t alignment) {
    if (!hak_taken_add(bytes)) return NULL;
    struct hak_region *region = region_descriptor(1);
    if (region && !region_map(region, 0, bytes, alignment)) {
        region = hak_region_unmap_free() ? region_descriptor(1) : NULL;
        if (region && !region_map(region, 0, bytes, alignment)) region = NULL;
    }
    if (!region) hak_taken_drop(bytes);
    return region ? &region->superslab[0] : NULL;
}

void hak_region_unmap_dedicated(struct hak_superslab *superslab) {
    struct hak_region *region = superslab->region;
    char *base = region->base;
    size_t bytes = region->bytes;
    hak_taken_drop(bytes);
    atomic_store_explicit(&superslab->kind, HAK_SUPERSLAB_FREE, memory_order_relaxed);
    region_rebase(region, NULL, 0);
    if (hak_page_unmap(base, bytes, HAK_PAGE_HEAP)) {
        region_retire(region);
        return;
    }
    /* P4: its memory goes back at least; hak_region_unmap_free tries the rest again. */
    region_rebase(region, base, bytes);
    hak_page_purge(base, bytes, HAK_PAGE_HEAP);
    atomic_store_explicit(&region->free_slots, 1, memory_order_release);
}

bool hak_region_resize_dedicated(struct hak_superslab *superslab, size_t bytes) {
    struct hak_region *region = superslab->region;
    size_t old = region->bytes, more = bytes > old ? bytes - old : 0;
    if (!hak_taken_add(more)) return false;
    bool resized = hak_page_resize(region->base, old, bytes);
    hak_taken_drop(resized ? old + more - bytes : more);
    if (resized) region->bytes = bytes;
    return resized;
}

void hak_region_forget_dedicated(struct hak_superslab *superslab) {
    atomic_store_explicit(&superslab->kind, HAK_SUPERSLAB_FREE, memory_order_relaxed);
    hak_taken_drop(superslab->region->bytes);
    superslab->region->base = NULL; /* the page map has forgotten it already */
    region_retire(superslab->region);
}
