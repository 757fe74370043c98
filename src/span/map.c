/* SPDX-License-Identifier: MIT
 *
 * Building the page map.  Look-ups are inline in span/map.h.
 */
#include "span/map.h"

#include "os/page.h"
#include "span/arena.h"
#include "span/region.h"

struct hak_map hak_map HAK_TABLE;
struct hak_map_first hak_map_first = {.index = UINTPTR_MAX};

/* The first leaf of all, which another thread may have made, too. */
static void map_note_first(size_t index, ptrdiff_t distance) {
    struct hak_map *none = NULL, *map = (struct hak_map *)(void *)((char *)&hak_map + distance);
    if (atomic_compare_exchange_strong_explicit(&hak_map_first.map, &none, map,
                                                memory_order_relaxed, memory_order_relaxed)) {
        /* release: pairs with the acquire in hak_map_moved */
        atomic_store_explicit(&hak_map_first.index, index, memory_order_release);
    }
}

static bool map_cover_leaf(size_t index) {
    /* A write, which leaves it as it is: reading it first would take a page fault of its own.
     * acquire: pairs with the release below */
    if (atomic_fetch_add_explicit(&hak_map.root[index], 0, memory_order_acquire) != 0) return true;
    struct hak_leaf *leaf = hak_arena_alloc(sizeof *leaf, hak_page_bytes());
    if (!leaf) return false;
    ptrdiff_t none = 0;
    ptrdiff_t distance = (char *)leaf - (char *)&hak_map.zero;
    /* If another thread is first, this leaf stays in the arena, unused and untouched. */
    if (atomic_compare_exchange_strong_explicit(&hak_map.root[index], &none, distance,
                                                memory_order_release, memory_order_relaxed))
        map_note_first(index, distance);
    return true;
}

bool hak_map_cover(const void *start, size_t bytes) {
    uintptr_t first = (uintptr_t)start >> HAK_LEAF_SHIFT;
    uintptr_t last = ((uintptr_t)start + bytes - 1) >> HAK_LEAF_SHIFT;
    if (last >= HAK_ROOT_ENTRIES) return false; /* above HAK_ADDRESS_BITS: not ours to use */
    for (uintptr_t index = first; index <= last; index++) {
        if (!map_cover_leaf(index)) return false;
    }
    return true;
}

void hak_map_set_tags(const void *start, size_t units, uint32_t tag) {
    uintptr_t address = (uintptr_t)start;
    for (size_t i = 0; i < units; i++, address += HAK_UNIT_BYTES) {
        atomic_store_explicit(&hak_map_leaf(address)->tag[(uint32_t)address >> HAK_UNIT_SHIFT], tag,
                              memory_order_relaxed);
    }
}

void hak_map_set_superslab(const void *start, struct hak_superslab *superslab) {
    uintptr_t address = (uintptr_t)start;
    size_t index = hak_map_slot(address);
    struct hak_leaf *leaf = hak_map_leaf(address);
    if (leaf == &hak_map.zero) return; /* not covered: nothing was stored either */
    uintptr_t used = 0;
    if (superslab) {
        used = (uintptr_t)superslab->meta->used - (address >> HAK_USED_SHIFT) * sizeof(uint64_t);
    }
    atomic_store_explicit(&leaf->used[index], used, memory_order_relaxed);
    atomic_store_explicit(&leaf->superslab[index], superslab, memory_order_release);
}
