/* SPDX-License-Identifier: MIT
 *
 * Parking and adoption.  Header: heap/adopt.h.
 */
#include "heap/adopt.h"

#include "heap/bin.h"
#include "heap/idle.h"
#include "heap/locked.h"
#include "heap/registry.h"
#include "heap/remote.h"
#include "os/helper.h"
#include "os/lock.h"
#include "os/thread.h"
#include "span/region.h"

/* Where the next raid looks first, so that raids go round.  atomic, relaxed. */
static _Atomic uint32_t adopt_cursor;

static bool adopt_is_parked(uint32_t id) {
    return hak_registry_is_parked(id, HAK_PARKED_THREAD) ||
           hak_registry_is_parked(id, HAK_PARKED_EMPTY);
}

/* Parks a claimed heap again, or an owned one for good. */
static void adopt_release(struct hak_heap *heap) {
    hak_heap_clear_busy(heap);
    hak_registry_park(heap->id, HAK_PARKED_THREAD);
}

/* Makes a heap that was claimed ready for work. */
static struct hak_heap *adopt_claimed(struct hak_heap *heap) {
    if (!heap) return NULL;
    hak_heap_mark_busy(heap);
    if (heap->torn) hak_adopt_repair(heap);
    return heap;
}

void hak_adopt_park(struct hak_heap *heap) {
    hak_heap_set_busy(heap);
    hak_remote_drain(heap);
    hak_bin_retire(heap);
    hak_remote_send_all(heap);
    atomic_store_explicit(&heap->thread, 0, memory_order_relaxed);
    adopt_release(heap);
}

struct hak_heap *hak_adopt_heap(void) {
    struct hak_heap *heap = adopt_claimed(hak_registry_claim_any(HAK_PARKED_THREAD, 0));
    if (heap) hak_heap_clear_busy(heap);
    return heap;
}

/* Claims the next parked heap, and drains some of its inbox. */
static struct hak_heap *adopt_next(void) {
    if (!hak_registry_parked_count(HAK_PARKED_THREAD)) return NULL;
    uint32_t cursor = atomic_load_explicit(&adopt_cursor, memory_order_relaxed);
    struct hak_heap *heap = adopt_claimed(hak_registry_claim_any(HAK_PARKED_THREAD, cursor));
    if (!heap) return NULL;
    atomic_store_explicit(&adopt_cursor, heap->id, memory_order_relaxed);
    hak_remote_drain(heap);
    return heap;
}

struct hak_slab *hak_adopt_slab_for(struct hak_heap *heap, unsigned class) {
    /* Not for a fallback heap: see heap/locked.c. */
    if (heap == hak_tls.heap) hak_adopt_after_fork();
    struct hak_heap *from = adopt_next();
    if (!from) return NULL;
    /* Only the heap of a thread that is gone since a fork has blocks in its bins. */
    hak_bin_flush(from, class, 0, HAK_BATCH_MAX);
    struct hak_slab *slab = hak_heap_bin_count(from, class) ? NULL : from->cold[class].partial;
    if (slab) {
        hak_heap_slab_remove(from, slab);
        hak_remote_note_shared(heap); /* blocks of the slab may wait in outboxes */
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
    if (!hak_remote_is_crowded(to) || heap != hak_tls.heap ||
        !hak_registry_claim(to->id, HAK_PARKED_THREAD)) {
        return;
    }
    adopt_claimed(to);
    hak_remote_drain(to);
    hak_remote_send_all(to);
    adopt_release(to);
}

void hak_adopt_idle(void) {
    hak_adopt_after_fork();
    struct hak_heap *heap = adopt_next();
    if (!heap) return;
    hak_idle_look(heap);
    hak_remote_send_all(heap);
    adopt_release(heap);
}

size_t hak_adopt_collect(void) {
    size_t bytes = 0;
    if (hak_tls.state != HAK_TLS_BUSY) hak_adopt_after_fork(); /* see heap/locked.c */
    uint32_t count = hak_registry_count();
    for (uint32_t id = 1; id <= count; id++) {
        if (!hak_registry_claim(id, HAK_PARKED_THREAD)) continue;
        struct hak_heap *heap = adopt_claimed(hak_registry_get(id));
        while (hak_remote_drain(heap)) {
        }
        hak_bin_clear_all(heap);
        hak_remote_send_all(heap);
        bytes += hak_bin_thin_all(heap, NULL);
        adopt_release(heap);
    }
    return bytes;
}

/* ---- Fork ------------------------------------------------------------------------------------ */

typedef void adopt_visitor(struct hak_heap *owner, struct hak_slab *slab);

static void adopt_visit_superslab(struct hak_superslab *superslab, struct hak_heap *heap,
                                  adopt_visitor *visit) {
    uint32_t kind = atomic_load_explicit(&superslab->kind, memory_order_relaxed);
    if (kind == HAK_SUPERSLAB_HUGE && heap && superslab->huge_heap == heap) {
        hak_locked_list_huge(heap, superslab);
    }
    for (unsigned unit = 0; kind == HAK_SUPERSLAB_PIECES && unit < HAK_SUPERSLAB_UNITS; unit++) {
        struct hak_slab *slab = hak_slab_at(superslab, unit);
        /* acquire: pairs with the release in hak_slab_new; then the owner is that of this class */
        bool whole = __atomic_load_n(&slab->class, __ATOMIC_ACQUIRE) != 0; /* L3 */
        struct hak_heap *owner = whole ? hak_registry_get(slab->owner) : NULL;
        if (owner && (heap ? owner == heap : owner->torn)) visit(owner, slab);
    }
}

/* Calls `visit` for each slab of `heap`, or of every torn heap (NULL).  Lists the huge blocks of
 * `heap`. */
static void adopt_visit(struct hak_heap *heap, adopt_visitor *visit) {
    uint32_t regions = hak_region_count();
    for (uint32_t i = 0; i < regions; i++) {
        struct hak_region *region = hak_region_at(i);
        uint32_t slots = region ? hak_region_slots(region) : 0;
        if (region && region->bytes && !slots) slots = 1; /* dedicated */
        for (uint32_t slot = 0; slot < slots; slot++) {
            adopt_visit_superslab(&region->superslab[slot], heap, visit);
        }
    }
}

/* The fork may have fallen between the tags of a slab that was being made, adopted, resized or
 * released: its descriptor, which is whole while it has a class, says whose it is. */
static void adopt_finish_tags(struct hak_heap *owner, struct hak_slab *slab) {
    hak_map_set_tags(slab->base, slab->units, hak_tag_make(owner->id, slab->class));
}

/* Is this a thread's heap, and its thread gone since a fork? */
static bool adopt_is_orphan(struct hak_heap *heap) {
    /* parked first: see registry_clear */
    return heap && heap->kind == HAK_HEAP_THREAD && !adopt_is_parked(heap->id) &&
           atomic_load_explicit(&heap->process, memory_order_relaxed) != hak_fork_generation();
}

/* Notes which orphans are torn, and completes the tags of their slabs. */
static void adopt_judge(uint32_t count) {
    bool torn = false;
    for (uint32_t id = 1; id <= count; id++) {
        struct hak_heap *heap = hak_registry_get(id); /* NULL: it was just being entered */
        if (!adopt_is_orphan(heap)) continue;
        heap->torn = atomic_load_explicit(&heap->busy, memory_order_relaxed) ||
                     atomic_load_explicit(&heap->visitor, memory_order_relaxed);
        atomic_store_explicit(&heap->held, 0, memory_order_relaxed);
        /* a thread of this process may get the same address */
        atomic_store_explicit(&heap->thread, 0, memory_order_relaxed);
        torn |= heap->torn;
    }
    if (torn) adopt_visit(NULL, adopt_finish_tags);
}

/* A heap that is used under a lock, whose holder may be gone.  One that somebody holds in this
 * process was repaired when its lock was taken (heap/locked.c). */
static void adopt_unlock(struct hak_heap *heap) {
    if (!atomic_load_explicit(&heap->busy, memory_order_relaxed) || !hak_lock_try(&heap->lock)) {
        return;
    }
    if (atomic_load_explicit(&heap->busy, memory_order_relaxed)) hak_adopt_repair(heap);
    hak_heap_clear_busy(heap);
    hak_lock_release(&heap->lock);
}

void hak_adopt_after_fork(void) {
    if (hak_likely(!hak_fork_pending())) return;
    /* Only the thread that forked knows that all other heaps have lost theirs; a new thread of the
     * child, which may come first, does not know that thread's heap. */
    struct hak_heap *own = hak_tls.heap;
    uint32_t process = hak_fork_generation();
    if (own ? atomic_load_explicit(&own->process, memory_order_relaxed) == process
            : !hak_thread_is_first()) {
        return;
    }
    if (!hak_fork_begin()) return;
    hak_helper_note();
    if (own) atomic_store_explicit(&own->process, process, memory_order_relaxed);
    uint32_t count = hak_registry_count();
    adopt_judge(count);
    for (uint32_t id = 1; id <= count; id++) {
        struct hak_heap *heap = hak_registry_get(id);
        if (adopt_is_orphan(heap)) hak_registry_park(id, HAK_PARKED_THREAD);
        else if (heap && heap->kind == HAK_HEAP_LOCKED) adopt_unlock(heap);
    }
    hak_fork_done();
}

static void adopt_repair_slab(struct hak_heap *owner, struct hak_slab *slab) {
    adopt_finish_tags(owner, slab);
    slab->next = slab->prev = NULL;
    slab->listed = false;
    hak_slab_recount(slab);
    hak_heap_slab_add(owner, slab);
    if (!hak_slab_has_free(slab) && slab->carved == slab->capacity) hak_heap_slab_full(owner, slab);
}

void hak_adopt_repair(struct hak_heap *heap) {
    hak_heap_mark_busy(heap); /* a second fork must find it torn again */
    atomic_store_explicit(&heap->visitor, 0, memory_order_relaxed);
    hak_heap_reset(heap);
    adopt_visit(heap, adopt_repair_slab);
}

void hak_adopt_relist(struct hak_heap *heap) {
    hak_heap_reset_lists(heap);
    adopt_visit(heap, adopt_repair_slab);
}
