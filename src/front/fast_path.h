/* SPDX-License-Identifier: MIT
 *
 * The hot path, whole: what a malloc that finds a block in its bin executes, and a free that finds
 * its block to be the thread's own.  No locks, no atomics but loads, no conditionals of the
 * preprocessor.
 *
 * There are two doors, fast mode's and checked mode's, of which at most one is open; they differ by
 * one compare.  Everything rare looks like one of these failed compares, and goes to slow.c:
 *   size >= both limits  a large size; no heap yet; inside a slow path
 *   an empty bin         a refill is due; or a full one, a flush
 *   another tag          NULL, another's block, a large or huge one, a bad pointer; and as for the
 *                        limits
 *   no allocated bit     checked mode: a bad pointer
 *
 * Instantiated as hak_malloc and hak_free (malloc_fast.c) and as malloc and free (preload/libc.c).
 * tests/golden pins the number of instructions.
 */
#ifndef HAK_FRONT_FAST_PATH_H
#define HAK_FRONT_FAST_PATH_H

#include "front/sizes.h"
#include "front/slow.h"
#include "heap/bin.h"
#include "heap/heap.h"
#include "slab/used.h"
#include "span/map.h"

/* The bin for a size of at most HAK_SMALL_MAX. */
HAK_INLINE struct hak_bin *hak_fast_bin(struct hak_heap *heap, size_t size) {
    return hak_heap_bin_at(heap, hak_class_words[(size + 15) >> 4]);
}

HAK_INLINE void *hak_fast_malloc(size_t size) {
    struct hak_tls *tls = &hak_tls;
    if (hak_likely(size < tls->fast_limit)) {
        struct hak_block *block = hak_bin_pop_fast(hak_fast_bin(tls->heap, size));
        if (hak_likely(block != NULL)) return block;
    } else if (hak_likely(size < tls->checked_limit)) {
        struct hak_block *block = hak_bin_pop_checked(hak_fast_bin(tls->heap, size));
        if (hak_likely(block != NULL)) {
            __asm__("" : "+r"(block)); /* a return of its own: two instructions less */
            return block;
        }
    }
    return hak_slow_malloc(size, hak_call_site());
}

/* alignment: a power of two.  Up to HAK_SMALL_MAX a block of a multiple of the alignment has it
 * (hak_class_of_aligned). */
HAK_INLINE void *hak_fast_aligned(size_t alignment, size_t size) {
    if (hak_likely(alignment <= HAK_SMALL_MAX && size <= HAK_SMALL_MAX))
        return hak_fast_malloc(hak_align_up(size ? size : 1, alignment));
    bool zeroed = false;
    return hak_slow_allocate(size, alignment, &zeroed, hak_call_site());
}

/* Checked mode: is what is said to be the heap's own block one that is in use?  *at is set to its
 * allocated bit.  A block that another thread has freed keeps its bit until it is drained, but is
 * sealed: that is looked at only in heaps that share blocks, as its line may be cold. */
HAK_INLINE bool hak_fast_in_use(const struct hak_heap *heap, const struct hak_block *block,
                                const struct hak_map *map, struct hak_used_bit *at) {
    uintptr_t bits = (uintptr_t)block;
    if (hak_unlikely(bits & atomic_load_explicit(&heap->doubtful, memory_order_relaxed)) &&
        (bits & HAK_NO_BLOCK || hak_block_is_sealed(block, heap->mark))) {
        return false;
    }
    *at = hak_used_find_in(&map->zero, block);
    return hak_used_get(*at);
}

/* The same, and takes the bit from it. */
HAK_INLINE bool hak_fast_unuse(const struct hak_heap *heap, const struct hak_block *block,
                               const struct hak_map *map, uint64_t **used) {
    struct hak_used_bit at;
    if (hak_unlikely(!hak_fast_in_use(heap, block, map, &at))) return false;
    *used = at.word;
    hak_used_flip(at);
    return true;
}

/* What a tag differs by from that of the thread, for a block that the hot path may take: the class
 * field of one of its bins, and the door. */
#define HAK_FAST_DOOR    0u
#define HAK_CHECKED_DOOR HAK_TAG_CHECKED

HAK_INLINE bool hak_fast_is_own(uint64_t difference, uint64_t door) {
    return difference - (door + 2) <= 2 * HAK_FAST_CLASSES - 2;
}

/* Puts a block that is not in use into its bin, or leaves that to the slow path. */
HAK_INLINE void hak_fast_push(struct hak_heap *heap, uint64_t difference, uint64_t door,
                              struct hak_block *block, uint64_t *used) {
    /* keeps the computation of the bin's address in the loads and the store */
    __asm__("" : "+r"(difference));
    struct hak_slot *top = hak_heap_bin_at(heap, difference - door)->top;
    __asm__("" : "+r"(difference));
    if (hak_unlikely(top >= hak_heap_bin_at(heap, difference - door)->limit)) {
        hak_slow_overflow(block, difference);
        return;
    }
    top[1].block = block;
    if (door == HAK_CHECKED_DOOR) top[1].used = used; /* which fast mode does not use */
    hak_order_stores();                               /* H7 */
    __asm__("" : "+r"(difference));
    hak_heap_bin_at(heap, difference - door)->top = top + 1;
}

HAK_INLINE void hak_fast_free(void *pointer) {
    struct hak_tls *tls = &hak_tls;
    const struct hak_map *map = hak_map_moved((uintptr_t)pointer);
    uint64_t difference = tls->tag ^ hak_leaf_tag(&map->zero, pointer);
    if (hak_likely(hak_fast_is_own(difference, HAK_FAST_DOOR))) {
        hak_fast_push(tls->heap, difference, HAK_FAST_DOOR, pointer, NULL);
        return;
    }
    if (hak_likely(hak_fast_is_own(difference, HAK_CHECKED_DOOR))) {
        struct hak_heap *heap = tls->heap;
        uint64_t *used = NULL;
        if (hak_likely(hak_fast_unuse(heap, pointer, map, &used))) {
            hak_fast_push(heap, difference, HAK_CHECKED_DOOR, pointer, used);
            return;
        }
    }
    hak_slow_free(pointer);
}

/* As hak_sizes_usable; the thread's own blocks need no judging. */
HAK_INLINE size_t hak_fast_usable(const void *pointer, const char *function) {
    struct hak_tls *tls = &hak_tls;
    const struct hak_map *map = hak_map_moved((uintptr_t)pointer);
    uint64_t difference = tls->tag ^ hak_leaf_tag(&map->zero, pointer);
    struct hak_used_bit at;
    if (hak_fast_is_own(difference, HAK_FAST_DOOR))
        return hak_class_table[difference / 2].block_bytes;
    if (hak_fast_is_own(difference, HAK_CHECKED_DOOR) &&
        hak_likely(hak_fast_in_use(tls->heap, pointer, map, &at))) {
        return hak_class_table[(difference - HAK_CHECKED_DOOR) / 2].block_bytes;
    }
    return hak_sizes_usable(pointer, function);
}

/* With the size that the caller promises; it is looked at in checked mode only. */
HAK_INLINE void hak_fast_free_sized(void *pointer, size_t size, const char *function) {
    if (hak_tls.checked_limit) hak_slow_free_sized(pointer, size, function);
    else hak_fast_free(pointer);
}

#endif
