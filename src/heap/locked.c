/* SPDX-License-Identifier: MIT
 *
 * First-class and fallback heaps.  Header: heap/locked.h.
 */
#include "heap/locked.h"

#include "heap/adopt.h"
#include "heap/bin.h"
#include "heap/idle.h"
#include "heap/registry.h"
#include "heap/remote.h"
#include "os/lock.h"
#include "slab/used.h"

static _Atomic(struct hak_heap *) locked_fallbacks; /* atomic: grows at its head */

/* hak_locked_idle looks at so many ids. */
#define LOCKED_IDLE_HEAPS 16u

/* What a huge block of a first-class heap keeps in the first unit record of its superslab. */
struct locked_huge {
    struct hak_superslab *next, *prev;
};

static struct locked_huge *locked_links(struct hak_superslab *huge) {
    return (struct locked_huge *)(void *)&huge->meta->unit[0];
}

/* The lock is held: begins work on the heap. */
static void locked_begin(struct hak_heap *heap) {
    /* busy: its holder is gone since a fork */
    if (atomic_load_explicit(&heap->busy, memory_order_relaxed)) hak_adopt_repair(heap);
    atomic_store_explicit(&heap->busy, 1, memory_order_relaxed);
    hak_order_stores();
}

static void locked_end(struct hak_heap *heap) {
    hak_order_stores();
    atomic_store_explicit(&heap->busy, 0, memory_order_relaxed);
    hak_lock_release(&heap->lock);
}

/* Begins work on a heap if nobody is working on it. */
static bool locked_try(struct hak_heap *heap) {
    if (!hak_lock_try(&heap->lock)) return false;
    locked_begin(heap);
    return true;
}

static void locked_acquire(struct hak_heap *heap) {
    hak_lock_acquire(&heap->lock);
    locked_begin(heap);
}

/* ---- Fallback heaps -------------------------------------------------------------------------- */

static struct hak_heap *fallback_acquire(void) {
    /* Not in a signal handler inside a slow path: that may have claimed a heap of the process that
     * was forked. */
    if (hak_tls.state != HAK_TLS_BUSY) hak_adopt_after_fork();
    struct hak_heap *first = atomic_load_explicit(&locked_fallbacks, memory_order_acquire);
    for (struct hak_heap *heap = first; heap; heap = heap->next_fallback) {
        if (locked_try(heap)) return heap;
    }
    struct hak_heap *heap = hak_heap_make(HAK_HEAP_LOCKED);
    if (!heap || !locked_try(heap)) return NULL;
    do {
        heap->next_fallback = first;
        /* release: whoever walks the list sees the heap whole */
    } while (!atomic_compare_exchange_weak_explicit(&locked_fallbacks, &first, heap,
                                                    memory_order_release, memory_order_acquire));
    return heap;
}

struct hak_block *hak_fallback_take(unsigned class, bool *zeroed) {
    struct hak_heap *heap = fallback_acquire();
    if (!heap) return NULL;
    struct hak_block *block = hak_bin_take(heap, class, zeroed);
    locked_end(heap);
    return block;
}

/* ---- What was freed to heaps that may never be asked again ----------------------------------- */

void hak_locked_relieve(struct hak_heap *heap) {
    if (!hak_remote_is_crowded(heap) || !locked_try(heap)) return;
    hak_remote_drain(heap);
    locked_end(heap);
}

void hak_locked_idle(void) {
    static _Atomic uint32_t cursor; /* atomic, relaxed: where the last call ended */
    uint32_t count = hak_registry_count();
    uint32_t id = atomic_load_explicit(&cursor, memory_order_relaxed);
    for (uint32_t step = 0; step < LOCKED_IDLE_HEAPS && step < count; step++) {
        id = id % count + 1;
        struct hak_heap *heap = hak_registry_get(id);
        if (!heap || heap->kind != HAK_HEAP_LOCKED || !locked_try(heap)) continue;
        hak_remote_drain(heap);
        hak_idle_look(heap);
        locked_end(heap);
    }
    atomic_store_explicit(&cursor, id, memory_order_relaxed);
}

size_t hak_locked_collect(void) {
    uint32_t count = hak_registry_count();
    size_t bytes = 0;
    for (uint32_t id = 1; id <= count; id++) {
        struct hak_heap *heap = hak_registry_get(id);
        if (!heap || heap->kind != HAK_HEAP_LOCKED || !locked_try(heap)) continue;
        while (hak_remote_drain(heap)) {
        }
        hak_bin_clear_all(heap);
        bytes += hak_bin_thin_all(heap, NULL);
        locked_end(heap);
    }
    return bytes;
}

/* ---- First-class heaps ----------------------------------------------------------------------- */

struct hak_heap *hak_locked_new(void) {
    struct hak_heap *heap = hak_registry_claim_any(HAK_PARKED_EMPTY, 0);
    if (!heap) heap = hak_heap_make(HAK_HEAP_LOCKED);
    if (heap) heap->dedicated = true;
    return heap;
}

struct hak_block *hak_locked_take(struct hak_heap *heap, unsigned class, bool *zeroed) {
    locked_acquire(heap);
    struct hak_block *block = hak_bin_take(heap, class, zeroed);
    locked_end(heap);
    return block;
}

void hak_locked_list_huge(struct hak_heap *heap, struct hak_superslab *huge) {
    struct locked_huge *links = locked_links(huge);
    links->prev = NULL;
    links->next = heap->huge;
    if (links->next) locked_links(links->next)->prev = huge;
    heap->huge = huge;
}

void hak_locked_adopt_huge(struct hak_heap *heap, struct hak_superslab *huge) {
    locked_acquire(heap);
    huge->huge_heap = heap;
    hak_locked_list_huge(heap, huge);
    locked_end(heap);
}

void hak_locked_drop_huge(struct hak_superslab *huge) {
    struct locked_huge *links = locked_links(huge);
    struct hak_heap *heap = huge->huge_heap;
    if (!heap) return;
    locked_acquire(heap);
    if (links->next) locked_links(links->next)->prev = links->prev;
    if (links->prev) locked_links(links->prev)->next = links->next;
    if (heap->huge == huge) heap->huge = links->next;
    locked_end(heap);
    huge->huge_heap = NULL;
}

static void locked_release_slabs(struct hak_heap *heap, struct hak_slab **list) {
    while (*list) {
        struct hak_slab *slab = *list;
        hak_heap_slab_remove(heap, slab);
        if (heap->mark) hak_used_forget(slab);
        hak_slab_release(slab);
    }
}

void hak_locked_destroy(struct hak_heap *heap, void (*free_huge)(struct hak_superslab *)) {
    locked_acquire(heap);
    /* First: a forked child must find no way to what was released.  acquire: pairs with the release
     * in heap/remote.c */
    atomic_exchange_explicit(&heap->inbox, 0, memory_order_acquire);
    atomic_store_explicit(&heap->inbox_bytes, 0, memory_order_relaxed);
    heap->pending = 0;
    hak_order_stores();
    while (heap->huge) {
        struct hak_superslab *huge = heap->huge;
        heap->huge = locked_links(huge)->next;
        huge->huge_heap = NULL;
        free_huge(huge);
    }
    for (unsigned class = 1; class <= HAK_CLASSES; class ++)
        locked_release_slabs(heap, &heap->cold[class].partial);
    locked_release_slabs(heap, &heap->full);
    hak_heap_reset(heap);
    locked_end(heap);
    hak_registry_park(heap->id, HAK_PARKED_EMPTY);
}
