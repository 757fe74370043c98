/* SPDX-License-Identifier: MIT
 *
 * The hot path, whole: what a malloc that finds a block in its bin executes, and a free that finds
 * its block to be the thread's own.  No locks, no atomics but plain loads, no conditionals of the
 * preprocessor.
 *
 * Everything rare looks like one of three failed compares, and goes to slow.c:
 *   size >= fast_limit   a large size; no heap yet; checked mode; inside a slow path
 *   an empty bin         a refill is due; or a full one, a flush
 *   another tag          NULL, another's block, a large or huge one, a bad pointer; and as for
 *                        fast_limit
 *
 * Instantiated as hak_malloc and hak_free (malloc_fast.c) and as malloc and free (preload/libc.c).
 * tests/golden pins the number of instructions.
 */
#ifndef HAK_FRONT_FAST_PATH_H
#define HAK_FRONT_FAST_PATH_H

#include "front/slow.h"
#include "heap/heap.h"
#include "span/map.h"

HAK_INLINE void *hak_fast_malloc(size_t size) {
    struct hak_tls *tls = &hak_tls;
    if (hak_likely(size < tls->fast_limit)) {
        struct hak_heap *heap = tls->heap;
        struct hak_bin *bin = hak_heap_bin_at(heap, heap->class_words[(size + 15) >> 4]);
        struct hak_slot *top = bin->top;
        struct hak_block *block = top->block;
        if (hak_likely(block != NULL)) {
            bin->top = top - 1;
            return block;
        }
    }
    return hak_slow_malloc(size);
}

HAK_INLINE void hak_fast_free(void *pointer) {
    struct hak_tls *tls = &hak_tls;
    const struct hak_map *map = hak_map_moved((uintptr_t)pointer);
    uint64_t class_words = tls->tag ^ hak_leaf_tag(&map->zero, pointer);
    if (hak_likely(class_words - 2 <= 2 * HAK_FAST_CLASSES - 2)) {
        struct hak_heap *heap = tls->heap;
        struct hak_slot *top = hak_heap_bin_at(heap, class_words)->top;
        /* keeps the bin's address in the loads and the store: one instruction less */
        __asm__("" : "+r"(class_words));
        if (hak_likely(top < hak_heap_bin_at(heap, class_words)->limit)) {
            top[1].block = pointer;
            hak_order_stores(); /* H7 */
            __asm__("" : "+r"(class_words));
            hak_heap_bin_at(heap, class_words)->top = top + 1;
            return;
        }
        hak_slow_overflow(pointer, class_words);
        return;
    }
    hak_slow_free(pointer, class_words, map);
}

/* With the size that the caller promises; it is looked at in checked mode only. */
HAK_INLINE void hak_fast_free_sized(void *pointer, size_t size, const char *function) {
    if (hak_tls.checked_limit) hak_slow_free_sized(pointer, size, function);
    else hak_fast_free(pointer);
}

#endif
