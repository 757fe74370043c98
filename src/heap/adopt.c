/* SPDX-License-Identifier: MIT
 *
 * Parking and adoption.  Header: heap/adopt.h.
 */
#include "heap/adopt.h"

#include "heap/bin.h"
#include "heap/registry.h"
#include "heap/remote.h"
#include "os/lock.h"
#include "os/thread.h"
#include "span/region.h"

/* A parked inbox of this size is drained by the thread that sees it. */
#define ADOPT_RELIEVE_BYTES ((size_t)64 << 10)

/* Where the next raid looks first, so that raids go round.  atomic, relaxed. */
static _Atomic uint32_t adopt_cursor;

static void adopt_set_busy(struct hak_heap *heap, uint32_t busy) {
    atomic_store_explicit(&heap->busy, busy, memory_order_relaxed);
    hak_order_stores();
}

static bool adopt_is_parked(uint32_t id) {
    return hak_registry_is_parked(id, HAK_PARKED_THREAD) ||
           hak_registry_is_parked(id, HAK_PARKED_EMPTY);
}

/* Parks a claimed heap again, or an owned one for good. */
static void adopt_release(struct hak_heap *heap) {
    adopt_set_busy(heap, 0);
    hak_registry_park(heap->id, HAK_PARKED_THREAD);
}

/* Makes a heap that was claimed ready for work. */
static struct hak_heap *adopt_claimed(struct hak_heap *heap) {
    if (!heap) return NULL;
    adopt_set_busy(heap, 1);
    if (heap->torn) hak_adopt_repair(heap);
    return heap;
}

void hak_adopt_park(struct hak_heap *heap) {
    adopt_set_busy(heap, 1);
    hak_remote_drain(heap, false);
    hak_remote_send_all(heap);
    hak_bin_flush_all(heap);
    atomic_store_explicit(&heap->thread, 0, memory_order_relaxed);
    adopt_release(heap);
}

struct hak_heap *hak_adopt_heap(void) {
    struct hak_heap *heap = adopt_claimed(hak_registry_claim_any(HAK_PARKED_THREAD, 0));
    if (heap) adopt_set_busy(heap, 0);
    return heap;
}

/* Claims the next parked heap, and drains some of its inbox. */
static struct hak_heap *adopt_next(void) {
    hak_adopt_after_fork();
    if (!hak_registry_parked_count(HAK_PARKED_THREAD)) return NULL;
    uint32_t cursor = atomic_load_explicit(&adopt_cursor, memory_order_relaxed);
    struct hak_heap *heap = adopt_claimed(hak_registry_claim_any(HAK_PARKED_THREAD, cursor));
    if (!heap) return NULL;
    atomic_store_explicit(&adopt_cursor, heap->id, memory_order_relaxed);
    hak_remote_drain(heap, false);
    return heap;
}

struct hak_slab *hak_adopt_slab_for(struct hak_heap *heap, unsigned class) {
    struct hak_heap *from = adopt_next();
    if (!from) return NULL;
    /* Only the heap of a thread that is gone since a fork has blocks in its bins. */
    if (from->bin[class].head) hak_bin_flush(from, class, 0, HAK_BATCH_MAX);
    struct hak_slab *slab = from->bin[class].head ? NULL : from->cold[class].partial;
    if (slab) {
        hak_heap_slab_remove(from, slab);
        from->check[class].carve_left = 0;
        hak_slab_retag(slab, heap->id);
        hak_heap_slab_add(heap, slab);
    }
    hak_remote_send_all(from);
    adopt_release(from);
    return slab;
}

void hak_adopt_relieve(struct hak_heap *heap, struct hak_heap *to) {
    /* Only for the thread's own heap: a claimed heap that forwards blocks must not claim a third
     * one. */
    size_t waiting = atomic_load_explicit(&to->inbox_bytes, memory_order_relaxed) +
                     atomic_load_explicit(&to->pending_bytes, memory_order_relaxed);
    if (waiting < ADOPT_RELIEVE_BYTES || heap != hak_tls.heap ||
        !hak_registry_claim(to->id, HAK_PARKED_THREAD)) {
        return;
    }
    adopt_claimed(to);
    hak_remote_drain(to, false);
    hak_remote_send_all(to);
    adopt_release(to);
}

void hak_adopt_idle(void) {
    struct hak_heap *heap = adopt_next();
    if (!heap) return;
    hak_bin_idle(heap);
    hak_remote_send_all(heap);
    adopt_release(heap);
}

void hak_adopt_collect(void) {
    hak_adopt_after_fork();
    uint32_t count = hak_registry_count();
    for (uint32_t id = 1; id <= count; id++) {
        if (!hak_registry_claim(id, HAK_PARKED_THREAD)) continue;
        struct hak_heap *heap = adopt_claimed(hak_registry_get(id));
        while (hak_remote_drain(heap, false)) {
        }
        hak_remote_send_all(heap);
        hak_bin_flush_all(heap);
        adopt_release(heap);
    }
}

/* ---- Fork ------------------------------------------------------------------------------------ */

typedef void adopt_visitor(struct hak_heap *owner, struct hak_slab *slab);

/* Calls `visit` for each slab of `heap`, or of every torn heap (NULL). */
static void adopt_visit(struct hak_heap *heap, adopt_visitor *visit) {
    uint32_t regions = hak_region_count();
    for (uint32_t i = 0; i < regions; i++) {
        struct hak_region *region = hak_region_at(i);
        for (uint32_t slot = 0; region && slot < hak_region_slots(region); slot++) {
            struct hak_superslab *superslab = &region->superslab[slot];
            if (atomic_load_explicit(&superslab->kind, memory_order_relaxed) !=
                HAK_SUPERSLAB_PIECES) {
                continue;
            }
            for (unsigned unit = 0; unit < HAK_SUPERSLAB_UNITS; unit++) {
                struct hak_slab *slab = hak_slab_at(superslab, unit);
                struct hak_heap *owner = slab->class ? hak_registry_get(slab->owner) : NULL;
                if (owner && (heap ? owner == heap : owner->torn)) visit(owner, slab);
            }
        }
    }
}

/* The fork may have fallen between the tags of a slab that was being made, adopted or released: its
 * descriptor, which is whole while it has a class, says whose it is. */
static void adopt_finish_tags(struct hak_heap *owner, struct hak_slab *slab) {
    hak_map_set_tags(slab->base, slab->units, hak_tag_make(owner->id, slab->class));
}

/* Parks, or frees the lock of, a heap whose thread is gone.  True: it is torn. */
static bool adopt_orphan(struct hak_heap *heap) {
    heap->torn = atomic_load_explicit(&heap->busy, memory_order_relaxed) != 0;
    /* a thread of this process may get the same address */
    atomic_store_explicit(&heap->thread, 0, memory_order_relaxed);
    if (heap->kind == HAK_HEAP_LOCKED) {
        hak_lock_release(&heap->lock); /* P1; and threads of this process may be waiting for it */
    }
    return heap->torn;
}

void hak_adopt_after_fork(void) {
    if (hak_likely(!hak_fork_pending())) return;
    /* Only the thread that forked knows that all other heaps have lost theirs; a new thread of the
     * child, which may come first, does not know that thread's heap. */
    struct hak_heap *own = hak_tls.heap;
    if (own ? own->since_fork : !hak_thread_is_first()) return;
    if (!hak_fork_begin()) return;
    uint32_t count = hak_registry_count();
    bool torn = false;
    for (uint32_t id = 1; id <= count; id++) {
        struct hak_heap *heap = hak_registry_get(id); /* NULL: it was just being entered */
        if (heap && heap != own && !heap->since_fork && !adopt_is_parked(id))
            torn |= adopt_orphan(heap);
    }
    if (torn) adopt_visit(NULL, adopt_finish_tags);
    for (uint32_t id = 1; id <= count; id++) {
        struct hak_heap *heap = hak_registry_get(id);
        if (!heap) continue;
        if (heap->kind == HAK_HEAP_THREAD && heap != own && !heap->since_fork &&
            !adopt_is_parked(id)) {
            hak_registry_park(id, HAK_PARKED_THREAD);
        }
        heap->since_fork = false;
    }
    hak_registry_recount();
    hak_fork_done();
}

static void adopt_repair_slab(struct hak_heap *owner, struct hak_slab *slab) {
    adopt_finish_tags(owner, slab);
    slab->next = slab->prev = NULL;
    slab->listed = false;
    if (slab->free || slab->carved < slab->capacity) hak_heap_slab_add(owner, slab);
    else hak_heap_slab_full(owner, slab);
}

void hak_adopt_repair(struct hak_heap *heap) {
    adopt_set_busy(heap, 1); /* a second fork must find it torn again */
    hak_heap_reset(heap);
    adopt_visit(heap, adopt_repair_slab);
}
