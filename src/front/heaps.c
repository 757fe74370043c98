/* SPDX-License-Identifier: MIT
 *
 * First-class heaps and giving memory back: the calls of hakmem.h that malloc's interface lacks.
 */
#include "front/slow.h"
#include "hakmem.h"
#include "heap/bin.h"
#include "heap/locked.h"
#include "heap/remote.h"
#include "heap/thread_heap.h"
#include "large/cached.h"
#include "observe/wrapper.h"
#include "policy/background.h"

#include <errno.h>
#include <string.h>

/* ---- First-class heaps ----------------------------------------------------------------------- */

struct hak_heap *hak_heap_new(void) {
    hak_slow_start();
    struct hak_heap *heap = hak_locked_new();
    if (!heap) errno = ENOMEM;
    return heap;
}

static void *heaps_try(struct hak_heap *heap, unsigned class, size_t size, size_t alignment,
                       bool *zeroed, const void *site) {
    if (class) {
        struct hak_block *block = hak_locked_take(heap, class, zeroed);
        if (block && class > HAK_SHARED_CLASSES)
            hak_site_took(NULL, block, hak_map_class(block), site);
        return block;
    }
    uintptr_t address;
    uint16_t number = hak_wrapper_site(HAK_CALL(site), true, &address);
    struct hak_superslab *huge = hak_cached_alloc(size, alignment, number, zeroed);
    if (!huge) return NULL;
    hak_site_took_huge(huge);
    hak_locked_adopt_huge(heap, huge);
    return huge->base;
}

static void *heaps_allocate(struct hak_heap *heap, size_t size, size_t alignment, bool *zeroed,
                            const void *site) {
    unsigned class = 0;
    if (size > PTRDIFF_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    if (alignment > HAK_MIN_ALIGN) class = hak_class_of_aligned(size, alignment);
    else if (size <= HAK_LARGE_MAX) class = hak_class_of(size);
    void *block = heaps_try(heap, class, size, alignment, zeroed, site);
    if (!block) {
        hak_slow_spare();
        block = heaps_try(heap, class, size, alignment, zeroed, site);
    }
    if (!block) errno = ENOMEM;
    return block;
}

void *hak_heap_malloc(struct hak_heap *heap, size_t size) {
    bool zeroed = false;
    return heaps_allocate(heap, size, HAK_MIN_ALIGN, &zeroed, hak_call_site());
}

void *hak_heap_calloc(struct hak_heap *heap, size_t count, size_t size) {
    size_t total;
    bool zeroed = true;
    if (__builtin_mul_overflow(count, size, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    void *block = heaps_allocate(heap, total, HAK_MIN_ALIGN, &zeroed, hak_call_site());
    if (block && !zeroed) memset(block, 0, total);
    return block;
}

void *hak_heap_aligned_alloc(struct hak_heap *heap, size_t alignment, size_t size) {
    bool zeroed = false;
    if (!hak_is_power_of_two(alignment)) {
        errno = EINVAL;
        return NULL;
    }
    return heaps_allocate(heap, size, alignment, &zeroed, hak_call_site());
}

static void heaps_free_huge(struct hak_superslab *huge) {
    hak_site_freed_huge(huge);
    hak_cached_free(huge, 0, 0);
}

void hak_heap_destroy(struct hak_heap *heap) {
    if (heap) hak_locked_destroy(heap, heaps_free_huge);
}

/* ---- Giving memory back ---------------------------------------------------------------------- */

/* Flushes bins first to last of the calling thread; thin: purges pages inside of its slabs, too.
 * Returns the bytes that this has given back. */
static size_t heaps_flush(unsigned first, unsigned last, bool thin) {
    struct hak_tls *tls = &hak_tls;
    if (tls->state != HAK_TLS_READY) return 0;
    struct hak_heap *heap = hak_heap_enter(tls);
    while (hak_remote_drain(heap)) {
    }
    for (unsigned class = first; class <= last; class ++) hak_bin_clear(heap, class);
    hak_remote_send_all(heap);
    size_t bytes = thin ? hak_bin_thin_all(heap, NULL) : 0;
    hak_heap_leave(tls);
    return bytes;
}

void hak_tiny_magazine_flush(int class_idx) {
    if (class_idx < 0 || (unsigned)class_idx >= HAK_CLASSES) return;
    heaps_flush((unsigned)class_idx + 1, (unsigned)class_idx + 1, false);
}

void hak_tiny_magazine_flush_all(void) {
    heaps_flush(1, HAK_CLASSES, false);
}

size_t hak_collect(void) {
    size_t thinned = heaps_flush(1, HAK_CLASSES, true);
    return thinned + hak_background_release();
}

int hak_malloc_trim(size_t pad) {
    (void)pad; /* there is no top of the heap to leave slack at */
    return hak_collect() != 0;
}
