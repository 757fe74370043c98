/* SPDX-License-Identifier: MIT
 *
 * The page map: from any address to the tag of its unit, and to its superslab's descriptor.
 *
 *   address bits   47 ....... 32 | 31 ....... 16 | 15 .... 0
 *                  root index      unit in leaf    within the unit
 *
 * A root entry is the distance in bytes from map.zero to the leaf: an unset entry, 0, leads to a
 * leaf of zeros.  Both tables are .bss or mapped: pages never touched cost nothing.
 *
 * A tag is  owner id << 9 | class << 1;  the owner's id is never 0.  Owner 0 with HAK_TAG_HUGE is
 * the first unit of a huge block.  The class is held doubled so that XOR with a heap's own tag
 * gives the offset of the class's bin in words of 8 bytes.  No class has the bit HAK_TAG_CHECKED:
 * a thread in checked mode sets it in its copy of its heap's tag, so that the hot path of fast mode
 * does not take the thread's blocks for its own.
 *
 * Invariant S1: a tag is non-zero only while its unit belongs to a slab or starts a huge block.
 *
 * Concurrency: tags are written, relaxed, by the thread that has claimed the unit.  A reader that
 * holds a valid pointer got it through the program's own synchronisation; any other reader gets
 * some value that was stored there.  Leaves and superslab pointers are set with release and read
 * with acquire by those who follow them.
 */
#ifndef HAK_SPAN_MAP_H
#define HAK_SPAN_MAP_H

#include "base/base.h"

#include <stdatomic.h>

#define HAK_TAG_CLASS_BITS 9
#define HAK_TAG_CLASS_MASK (((uint32_t)1 << HAK_TAG_CLASS_BITS) - 1)
#define HAK_TAG_HUGE       HAK_TAG_CLASS_MASK
#define HAK_TAG_CHECKED    ((uint32_t)1 << (HAK_TAG_CLASS_BITS - 1)) /* see below */
#define HAK_OWNER_MAX      (((uint32_t)1 << (32 - HAK_TAG_CLASS_BITS)) - 1)

#define HAK_LEAF_SHIFT      32
#define HAK_LEAF_UNITS      ((size_t)1 << (HAK_LEAF_SHIFT - HAK_UNIT_SHIFT))
#define HAK_LEAF_SUPERSLABS ((size_t)1 << (HAK_LEAF_SHIFT - HAK_SUPERSLAB_SHIFT))
#define HAK_ROOT_ENTRIES    ((size_t)1 << (HAK_ADDRESS_BITS - HAK_LEAF_SHIFT))

/* A word has the allocated bits of so many bytes. */
#define HAK_USED_SHIFT 10

struct hak_superslab;

struct hak_leaf {
    _Atomic uint32_t tag[HAK_LEAF_UNITS];                           /* atomic */
    _Atomic(struct hak_superslab *) superslab[HAK_LEAF_SUPERSLABS]; /* atomic */
    _Atomic uintptr_t used[HAK_LEAF_SUPERSLABS];                    /* atomic: see hak_leaf_used */
};

struct hak_map {
    _Atomic ptrdiff_t root[HAK_ROOT_ENTRIES]; /* atomic, set once */
    struct hak_leaf zero;                     /* const */
};

extern struct hak_map hak_map;

/* Of the leaf that was made first, to which almost all addresses lead: set once. */
struct hak_map_first {
    _Atomic uintptr_t index;       /* atomic: its addresses, shifted; no address's before */
    _Atomic(struct hak_map *) map; /* atomic: hak_map_moved() for these; set before */
};

extern struct hak_map_first hak_map_first HAK_HIDDEN;

/* The map, moved so that its zero leaf is the leaf of an address.  For the first leaf that is known
 * without waiting for the root's entry: a comparison, which the processor foresees. */
HAK_INLINE struct hak_map *hak_map_moved(uintptr_t address) {
    uintptr_t index = address >> HAK_LEAF_SHIFT;
    /* acquire: pairs with the release in map_note_first */
    if (hak_likely(index == atomic_load_explicit(&hak_map_first.index, memory_order_acquire)))
        return atomic_load_explicit(&hak_map_first.map, memory_order_relaxed);
    /* relaxed: the address computed from it carries the dependency; see the header's last part */
    ptrdiff_t distance = atomic_load_explicit(&hak_map.root[(uint16_t)index], memory_order_relaxed);
    return (struct hak_map *)(void *)((char *)&hak_map + distance);
}

HAK_INLINE struct hak_leaf *hak_map_leaf(uintptr_t address) {
    return &hak_map_moved(address)->zero;
}

HAK_INLINE uint32_t hak_leaf_tag(const struct hak_leaf *leaf, const void *address) {
    return atomic_load_explicit(&leaf->tag[(uint32_t)(uintptr_t)address >> HAK_UNIT_SHIFT],
                                memory_order_relaxed);
}

/* The tag of the unit of any address whatever. Bits above HAK_ADDRESS_BITS are ignored. */
HAK_INLINE uint32_t hak_map_tag(const void *address) {
    return hak_leaf_tag(hak_map_leaf((uintptr_t)address), address);
}

/* The index of an address's superslab in its leaf. */
HAK_INLINE size_t hak_map_slot(uintptr_t address) {
    return (uint32_t)address >> HAK_SUPERSLAB_SHIFT;
}

/* The superslab descriptor of any address, or NULL. */
HAK_INLINE struct hak_superslab *hak_map_superslab(const void *address) {
    uintptr_t p = (uintptr_t)address;
    return atomic_load_explicit(&hak_map_leaf(p)->superslab[hak_map_slot(p)], memory_order_acquire);
}

/* The word with the allocated bit of an address (slab/used.h), which is in a unit that has a
 * tag.  The leaf holds, for each superslab, where its bits are less where those of the superslab
 * at address 0 would be from there: so that no part of the address has to be cut off. */
HAK_INLINE uint64_t *hak_leaf_used(const struct hak_leaf *leaf, const void *address) {
    uintptr_t p = (uintptr_t)address;
    /* As a number, and from the map's start: one addition, and the rest is in the load. */
    uintptr_t entry = (uintptr_t)leaf - offsetof(struct hak_map, zero) +
                      hak_map_slot(p) * sizeof(leaf->used[0]) + offsetof(struct hak_map, zero.used);
    /* relaxed: set before the unit got its tag */
    uintptr_t bits = atomic_load_explicit((_Atomic uintptr_t *)entry, memory_order_relaxed);
    return (uint64_t *)(bits + (p >> HAK_USED_SHIFT) * sizeof(uint64_t));
}

HAK_INLINE uint32_t hak_tag_make(uint32_t owner, unsigned class) {
    return owner << HAK_TAG_CLASS_BITS | class << 1;
}

HAK_INLINE uint32_t hak_tag_owner(uint32_t tag) {
    return tag >> HAK_TAG_CLASS_BITS;
}

HAK_INLINE unsigned hak_tag_class(uint32_t tag) {
    return (tag & HAK_TAG_CLASS_MASK) >> 1;
}

/* The class of the block at an address. */
HAK_INLINE unsigned hak_map_class(const void *block) {
    return hak_tag_class(hak_map_tag(block));
}

/* Makes sure that leaves exist for [start, start + bytes).  False: no memory for a leaf. */
bool hak_map_cover(const void *start, size_t bytes);

/* Stores the tag of `units` units from `start` on: covered, and claimed by the caller. */
void hak_map_set_tags(const void *start, size_t units, uint32_t tag);

/* Stores the descriptor (or NULL) of one superslab of covered space, and where its bits are. */
void hak_map_set_superslab(const void *start, struct hak_superslab *superslab);

#endif
