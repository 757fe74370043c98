/* SPDX-License-Identifier: MIT
 *
 * The table of sites.  Header: observe/site.h.
 *
 * Entries are taken in the order in which sites are first seen, so that a small program touches
 * little of them; an index finds them by address.  It is small at first.  When it is half full
 * the large one is filled, and used from then on.
 */
#include "observe/site.h"

#include "observe/wrapper.h"
#include "os/clock.h"
#include "slab/class.h"
#include "span/arena.h"

#define SITE_INDEX_FIRST 256u
#define SITE_INDEX       (2 * HAK_SITES)
#define SITE_PROBES      16u

/* The first calls that a cell counts are added at once, the next ones 16 at a time, the rest 64. */
static uint8_t site_batch(uint32_t calls) {
    return calls < 16 ? 1 : calls < 256 ? 16 : 64;
}

typedef _Atomic uint16_t site_index;

HAK_TABLE _Alignas(HAK_CACHE_LINE) struct hak_site hak_site_table[HAK_SITES];
HAK_TABLE site_index hak_site_index[SITE_INDEX];
HAK_TABLE struct hak_site_large hak_site_rest; /* what has no place, and what site 0 counts */

static site_index site_index_first[SITE_INDEX_FIRST];
static _Atomic bool site_index_grown; /* atomic: the whole index is filled */
_Atomic uint32_t hak_site_used = 1;

/* ---- The table ------------------------------------------------------------------------------- */

uint32_t hak_site_count(void) {
    uint32_t used = atomic_load_explicit(&hak_site_used, memory_order_relaxed);
    return used < HAK_SITES ? used : HAK_SITES;
}

/* A new entry; 0: the table is full. */
static uint16_t site_enter(uintptr_t address) {
    if (hak_site_count() == HAK_SITES) return 0;
    uint32_t number = atomic_fetch_add_explicit(&hak_site_used, 1, memory_order_relaxed);
    if (number >= HAK_SITES) return 0;
    atomic_store_explicit(&hak_site_table[number].address, address, memory_order_relaxed);
    return (uint16_t)number;
}

/* Finds an address, or enters it: as `number`, or as a new entry if that is 0. */
static uint16_t site_search(site_index *index, uint32_t places, uintptr_t address,
                            uint16_t number) {
    uint32_t place = hak_hash(address, 32);
    for (uint32_t probe = 0; probe < SITE_PROBES; probe++, place++) {
        site_index *at = &index[place & (places - 1)];
        /* acquire: pairs with the release below: the entry's address is there */
        uint16_t found = atomic_load_explicit(at, memory_order_acquire);
        if (!found) {
            if (!number && !(number = site_enter(address))) return 0;
            if (atomic_compare_exchange_strong_explicit(at, &found, number, memory_order_release,
                                                        memory_order_acquire)) {
                return number;
            }
        }
        if (atomic_load_explicit(&hak_site_table[found].address, memory_order_relaxed) == address) {
            /* another thread was first: a place that was taken for it stays empty */
            if (number && number != found)
                atomic_store_explicit(&hak_site_table[number].address, 0, memory_order_relaxed);
            return found;
        }
    }
    return 0;
}

/* Whoever enters the last site that the first index is for fills the whole one.  What others enter
 * meanwhile is entered again when it is next asked for. */
static void site_grow(void) {
    for (uint32_t number = 1; number <= SITE_INDEX_FIRST / 2; number++) {
        uintptr_t address = atomic_load_explicit(&hak_site_table[number].address,
                                                 memory_order_relaxed);
        if (address) site_search(hak_site_index, SITE_INDEX, address, (uint16_t)number);
    }
    /* release: who sees it finds those */
    atomic_store_explicit(&site_index_grown, true, memory_order_release);
}

uint16_t hak_site_find(const void *site) {
    uintptr_t address = (uintptr_t)site;
    if (!address) return 0;
    if (atomic_load_explicit(&site_index_grown, memory_order_acquire))
        return site_search(hak_site_index, SITE_INDEX, address, 0);
    uint16_t number = site_search(site_index_first, SITE_INDEX_FIRST, address, 0);
    if (number == SITE_INDEX_FIRST / 2) site_grow();
    return number;
}

static struct hak_site_large *site_large(uint16_t number) {
    struct hak_site *site = &hak_site_table[number];
    /* acquire: pairs with the release below */
    struct hak_site_large *large = atomic_load_explicit(&site->large, memory_order_acquire);
    if (large) return large;
    struct hak_site_large *fresh = number ? hak_arena_alloc(sizeof *fresh, HAK_CACHE_LINE) : NULL;
    if (!fresh) fresh = &hak_site_rest;
    /* The loser's stays in the arena, unused. */
    return atomic_compare_exchange_strong_explicit(&site->large, &large, fresh,
                                                   memory_order_release, memory_order_acquire)
               ? fresh
               : large;
}

/* ---- Counting -------------------------------------------------------------------------------- */

static unsigned site_size(size_t bytes) {
    unsigned size = bytes > HAK_UNIT_BYTES ? hak_log2(bytes - 1) + 1 - HAK_UNIT_SHIFT : 0;
    return size < HAK_SITE_SIZES ? size : HAK_SITE_SIZES - 1;
}

static void site_time(hak_count_t *times, uint32_t from_ms, uint32_t to_ms) {
    uint32_t ms = to_ms - from_ms;
    unsigned time = ms ? hak_log2(ms) / 2 + 1 : 0;
    hak_counter_add(&times[time < HAK_SITE_TIMES ? time : HAK_SITE_TIMES - 1], 1);
}

/* Never 0, which says that nobody has looked. */
static uint32_t site_now(void) {
    uint32_t now = (uint32_t)hak_clock_ms();
    return now ? now : 1;
}

typedef void site_adder(uint16_t site, size_t bytes, uint32_t blocks);

static void site_add_taken(uint16_t site, size_t bytes, uint32_t blocks) {
    struct hak_site_large *large = site_large(site);
    hak_counter_add(&large->taken[site_size(bytes)], blocks);
    hak_counter_add(&large->taken_bytes, blocks * (uint64_t)bytes);
}

static void site_add_freed(uint16_t site, size_t bytes, uint32_t blocks) {
    struct hak_site_large *large = site_large(site);
    hak_counter_add(&large->freed, blocks);
    hak_counter_add(&large->freed_bytes, blocks * (uint64_t)bytes);
}

void hak_site_refilled(const void *site, unsigned class, uint32_t blocks) {
    if (!site) return;
    uintptr_t address;
    struct hak_site *entry = &hak_site_table[hak_wrapper_site(HAK_CALL(site), false, &address)];
    hak_counter_add(&entry->blocks, blocks);
    hak_counter_add(&entry->bytes, (uint64_t)blocks * hak_class_table[class].block_bytes);
}

/* ---- Cells ----------------------------------------------------------------------------------- */

static struct hak_site_cells *site_cells(struct hak_heap *heap) {
    if (heap && !heap->sites) heap->sites = hak_arena_alloc(sizeof *heap->sites, HAK_CACHE_LINE);
    return heap ? heap->sites : NULL;
}

static size_t site_key_bytes(uint64_t key) {
    return hak_class_table[key >> HAK_SITE_KEY_SHIFT].block_bytes;
}

/* Adds what a cell has counted, and starts it again. */
static void site_cell_add(struct hak_site_cell *cell, site_adder *add) {
    uint32_t blocks = (uint32_t)cell->batch - cell->left;
    if (blocks) add(cell->site, site_key_bytes(cell->key), blocks);
    cell->calls = (uint16_t)hak_min_size(cell->calls + blocks, UINT16_MAX);
    cell->left = cell->batch = site_batch(cell->calls);
}

/* Makes a cell count this call, which is the first of its key. */
static void site_cell_bind(struct hak_site_cell *cell, uint64_t key, uint16_t site,
                           site_adder *add) {
    site_cell_add(cell, add);
    *cell = (struct hak_site_cell){.key = key, .site = site, .batch = 1};
}

/* A site that has been found to be a wrapper has no cell: its next calls would be counted there. */
static void site_cell_drop(struct hak_site_cells *cells, const void *site, unsigned class) {
    uint64_t key = hak_site_key((uintptr_t)site, class);
    struct hak_site_cell *cell = &cells->taken[hak_site_cell_of(key)];
    if (cell->key != key) return;
    site_cell_add(cell, site_add_taken);
    *cell = (struct hak_site_cell){0};
}

void hak_site_took_slow(struct hak_heap *heap, struct hak_slab *slab, unsigned class,
                        const void *site) {
    struct hak_site_cells *cells = site_cells(heap);
    uintptr_t address;
    slab->one.site = hak_wrapper_site(HAK_CALL(site), true, &address);
    if (!cells) {
        slab->one.born_ms = site_now();
        site_add_taken(slab->one.site, hak_class_table[class].block_bytes, 1);
        return;
    }
    if (address != (uintptr_t)site) site_cell_drop(cells, site, class);
    uint64_t key = hak_site_key(address, class);
    unsigned at = hak_site_cell_of(key);
    struct hak_site_cell *cell = &cells->taken[at];
    slab->one.born_ms = 0;
    if (cell->key == key && cell->left && --cell->left) return;
    uint32_t now = site_now();
    if (cell->key != key) {
        site_cell_bind(cell, key, slab->one.site, site_add_taken);
        cells->freed_ms[at] = 0;
    }
    if (cells->freed_ms[at]) site_time(site_large(cell->site)->gap, cells->freed_ms[at], now);
    else slab->one.born_ms = now; /* not both, or each block would have the next one looked at */
    cells->freed_ms[at] = 0;
    site_cell_add(cell, site_add_taken);
}

/* The next block that is taken of this size by the site tells the gap. */
static void site_mind_gap(struct hak_site_cells *cells, uint16_t site, unsigned class,
                          uint32_t now) {
    uintptr_t address = atomic_load_explicit(&hak_site_table[site].address, memory_order_relaxed);
    uint64_t key = hak_site_key(address, class);
    unsigned at = hak_site_cell_of(key);
    struct hak_site_cell *cell = &cells->taken[at];
    if (!address || cell->key != key) return;
    cells->freed_ms[at] = now;
    cell->batch = (uint8_t)(cell->batch - cell->left + 1);
    cell->left = 1;
}

void hak_site_freed_slow(struct hak_heap *heap, struct hak_slab *slab, unsigned class) {
    struct hak_site_cells *cells = site_cells(heap);
    uint16_t site = slab->one.site;
    uint32_t born = slab->one.born_ms, now = site_now();
    if (born) site_time(site_large(site)->life, born, now);
    if (!cells) {
        site_add_freed(site, hak_class_table[class].block_bytes, 1);
        if (!heap) hak_counter_add(&site_large(site)->elsewhere, 1);
        return;
    }
    if (born) site_mind_gap(cells, site, class, now);
    uint64_t key = hak_site_key(site, class);
    struct hak_site_cell *cell = &cells->freed[hak_site_cell_of(key)];
    if (cell->key != key) site_cell_bind(cell, key, site, site_add_freed);
    else if (cell->left) cell->left--;
    site_cell_add(cell, site_add_freed);
}

void hak_site_resized(void *block, unsigned from_class, unsigned to_class) {
    uint16_t site = hak_site_slab(block)->one.site;
    site_add_freed(site, hak_class_table[from_class].block_bytes, 1);
    site_add_taken(site, hak_class_table[to_class].block_bytes, 1);
    hak_counter_add(&site_large(site)->resized, 1);
}

/* ---- Huge blocks ----------------------------------------------------------------------------- */

uint32_t hak_site_took_huge(struct hak_superslab *huge) {
    huge->born_ms = site_now();
    site_add_taken(huge->site, huge->huge_bytes, 1);
    return huge->born_ms;
}

uint32_t hak_site_freed_huge(struct hak_superslab *huge) {
    uint32_t now = site_now();
    site_time(site_large(huge->site)->life, huge->born_ms, now);
    site_add_freed(huge->site, huge->huge_bytes, 1);
    return now;
}

void hak_site_resized_huge(struct hak_superslab *huge, size_t from_bytes) {
    if (from_bytes == huge->huge_bytes) return;
    site_add_freed(huge->site, from_bytes, 1);
    site_add_taken(huge->site, huge->huge_bytes, 1);
    hak_counter_add(&site_large(huge->site)->resized, 1);
}
