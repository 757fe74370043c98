/* SPDX-License-Identifier: MIT
 *
 * Visits.  Header: heap/visit.h; the owner's side: hak_heap_set_busy, and front/open.h.
 *
 * A magazine, by slots.  `at` is the one whose block the visitor has taken out:
 *
 *     | none | block | block | none | block |       |
 *       floor                  at     top
 *              the visitor's          the owner's
 *
 * The owner may put blocks above its top at any time.  It can't take one from `at` or below, unless
 * it had read that slot before the barrier; then its top is at `at` at the most.  Up to
 * HAK_SMALL_MAX such a call can't be told from one that comes to `at` now, so that one block stays;
 * above, it has `held` the heap.
 */
#include "heap/visit.h"

#include "heap/adopt.h"
#include "heap/bin.h"
#include "heap/registry.h"
#include "heap/remote.h"
#include "os/barrier.h"
#include "os/helper.h"
#include "os/thread.h"

/* What is read here the hot path writes by plain single stores; the order is that of os/barrier.h,
 * which a race detector knows nothing of. */
#if defined(__SANITIZE_THREAD__)
#define VISIT_RACY __attribute__((no_sanitize("thread")))
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define VISIT_RACY __attribute__((no_sanitize("thread")))
#endif
#endif
#ifndef VISIT_RACY
#define VISIT_RACY
#endif

/* Another processor sees a thread's stores in their order. */
#if defined(__x86_64__)
#define VISIT_IN_ORDER true
#else
#define VISIT_IN_ORDER false
#endif

/* So many batches of an inbox are drained: others may fill it as fast. */
#define VISIT_DRAINS 4096u

#define VISIT_WAIT_MS 10u

/* What was closed. */
struct visit {
    struct hak_heap *heap;
    bool all;                                 /* so far everything that there was */
    struct hak_slot *at[HAK_CLASSES + 1];     /* NULL: this magazine was not */
    struct hak_block *block[HAK_CLASSES + 1]; /* that was there */
    uint32_t outbox[HAK_OUTBOXES];            /* owners; 0: this one was not */
};

/* ---- Slow paths ------------------------------------------------------------------------------ */

static bool visit_is_interrupted(const struct hak_heap *heap) {
    return atomic_load_explicit(&heap->busy, memory_order_acquire);
}

static void visit_end(struct hak_heap *heap) {
    /* seq_cst: the owner's wait sees it, or its `busy` is seen here.  Its acquire sees all that was
     * done. */
    atomic_store_explicit(&heap->visitor, 0, memory_order_seq_cst);
    if (atomic_load_explicit(&heap->busy, memory_order_seq_cst)) hak_helper_wake(&heap->visitor);
}

static bool visit_has_owner(const struct hak_heap *heap) {
    /* acquire: pairs with the release in hak_thread_heap_attach */
    return atomic_load_explicit(&heap->thread, memory_order_acquire) &&
           atomic_load_explicit(&heap->process, memory_order_relaxed) == hak_fork_generation();
}

static bool visit_may_begin(const struct hak_heap *heap) {
    return !visit_is_interrupted(heap) && visit_has_owner(heap);
}

/* From here on the owner enters no slow path. */
static bool visit_begin(struct hak_heap *heap) {
    uint32_t nobody = 0;
    if (!visit_may_begin(heap)) return false;
    /* In a forked child the owner may not have ended yet what another process's had begun. */
    if (!atomic_compare_exchange_strong_explicit(&heap->visitor, &nobody, hak_fork_generation(),
                                                 memory_order_relaxed, memory_order_relaxed)) {
        return false;
    }
    if (hak_barrier() && visit_may_begin(heap)) return true;
    visit_end(heap);
    return false;
}

/* In a forked child, whose visitor is not there: what was closed has been taken, up to there. */
static void visit_close_for_good(struct hak_heap *heap) {
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) {
        struct hak_slot *slot = heap->bin[class].top;
        while (slot->block) slot--;
        heap->cold[class].floor = (uint16_t)(slot - heap->cold[class].base);
    }
}

void hak_heap_await(struct hak_heap *heap) {
    uint32_t visitor;
    bool gone = false;
    while ((visitor = atomic_load_explicit(&heap->visitor, memory_order_acquire))) {
        if (visitor == hak_fork_generation() && !gone) {
            /* Not without end: a signal handler may fork here, and the child waits on. */
            hak_helper_wait(&heap->visitor, visitor, VISIT_WAIT_MS);
            /* valgrind ends all threads but one, and then has libc free what it holds.  (Between
             * vfork and exec the visitor is the parent's.) */
            gone = hak_helper_may_start() && hak_helper_has_ended();
            continue;
        }
        visit_close_for_good(heap);
        hak_adopt_relist(heap);
        hak_order_stores(); /* until then a second fork finds all of this to be done */
        atomic_store_explicit(&heap->visitor, 0, memory_order_relaxed);
    }
}

/* ---- Closing and opening --------------------------------------------------------------------- */

/* The slot at which to close a magazine, or NULL. */
VISIT_RACY static struct hak_slot *visit_place(const struct hak_heap *heap, unsigned class) {
    struct hak_slot *top = __atomic_load_n(&heap->bin[class].top, __ATOMIC_RELAXED);
    struct hak_slot *floor = heap->cold[class].base + heap->cold[class].floor;
    struct hak_slot *at = class <= HAK_FAST_CLASSES ? top - 1 : top;
    return at > floor ? at : NULL;
}

VISIT_RACY static void visit_close_bin(struct visit *visit, unsigned class) {
    struct hak_slot *at = visit_place(visit->heap, class);
    struct hak_block *block = at ? __atomic_load_n(&at->block, __ATOMIC_RELAXED) : NULL;
    /* seq_cst: it is the barrier that orders it */
    if (block && !__atomic_compare_exchange_n(&at->block, &block, NULL, false, __ATOMIC_SEQ_CST,
                                              __ATOMIC_RELAXED)) {
        block = NULL; /* the owner is at work */
        visit->all = false;
    }
    visit->at[class] = block ? at : NULL;
    visit->block[class] = block;
}

/* A block that the owner has put there meanwhile stays.  If the slot is above the owner's top, what
 * is in it means nothing. */
VISIT_RACY static void visit_open_bin(struct visit *visit, unsigned class) {
    struct hak_block *none = NULL;
    if (visit->at[class])
        __atomic_compare_exchange_n(&visit->at[class]->block, &none, visit->block[class], false,
                                    __ATOMIC_RELEASE, __ATOMIC_RELAXED);
    visit->at[class] = NULL;
}

/* After the barrier: is what is below `at` the visitor's?  held: a call in open.h was under way. */
VISIT_RACY static bool visit_is_closed(const struct visit *visit, unsigned class, bool held) {
    const struct hak_slot *at = visit->at[class];
    /* acquire: a block that the owner has put there is seen if a top above it is */
    const struct hak_slot *top = __atomic_load_n(&visit->heap->bin[class].top, __ATOMIC_ACQUIRE);
    bool above = top > at || (top == at && class > HAK_FAST_CLASSES && !held);
    return above && !__atomic_load_n(&at->block, __ATOMIC_RELAXED);
}

static void visit_open_unless_closed(struct visit *visit, bool held) {
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) {
        if (!visit->at[class] || visit_is_closed(visit, class, held)) continue;
        visit_open_bin(visit, class);
        visit->all = false;
    }
}

static void visit_close_outbox(struct visit *visit, unsigned i) {
    struct hak_outbox *box = &visit->heap->outbox[i];
    visit->outbox[i] = __atomic_load_n(&box->owner, __ATOMIC_RELAXED);
    __atomic_store_n(&box->owner, 0, __ATOMIC_RELAXED);
}

static void visit_open_outboxes(struct visit *visit) {
    for (unsigned i = 0; i < HAK_OUTBOXES; i++) {
        struct hak_outbox *box = &visit->heap->outbox[i];
        if (visit->outbox[i]) __atomic_store_n(&box->owner, visit->outbox[i], __ATOMIC_RELAXED);
        visit->outbox[i] = 0;
    }
}

static void visit_open(struct visit *visit) {
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) visit_open_bin(visit, class);
    visit_open_outboxes(visit);
}

/* Closes what there is, and leaves that closed of which the owner is certain not to be at work on
 * it. */
static void visit_close(struct visit *visit) {
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) visit_close_bin(visit, class);
    for (unsigned i = 0; i < HAK_OUTBOXES; i++) visit_close_outbox(visit, i);
    if (!hak_barrier()) {
        visit->all = false;
        visit_open(visit);
        return;
    }
    /* before any top: a call that begins later finds the slot without a block */
    bool held = atomic_load_explicit(&visit->heap->held, memory_order_acquire);
    if (held) {
        visit->all = false;
        visit_open_outboxes(visit);
    }
    visit_open_unless_closed(visit, held);
    if (VISIT_IN_ORDER) return;
    /* A top may have been seen before a block below it: not after one more. */
    if (hak_barrier()) visit_open_unless_closed(visit, held);
    else visit_open(visit);
}

/* ---- Giving back ----------------------------------------------------------------------------- */

/* Copies some of the lowest blocks of a closed magazine; sends those that were borrowed to their
 * owners.  Returns how many there are left. */
VISIT_RACY static unsigned visit_copy(const struct hak_heap *heap, const struct hak_slot *from,
                                      unsigned count, struct hak_slot *to) {
    unsigned own = 0;
    for (unsigned i = 0; i < count; i++) {
        struct hak_block *block = __atomic_load_n(&from[i].block, __ATOMIC_RELAXED);
        bool borrowed = !heap->mark && hak_slot_is_borrowed(&from[i]);
        uint32_t tag = borrowed ? hak_map_tag(block) : heap->tag;
        if (hak_tag_owner(tag) == heap->id) to[own++].block = block;
        else hak_remote_free_now(block, tag);
    }
    return own;
}

static void visit_return(struct hak_heap *heap, const struct hak_slot *from, unsigned count) {
    struct hak_slot slot[HAK_BATCH_MAX];
    hak_bin_return_all(heap, slot, visit_copy(heap, from, count, slot));
}

/* Empties a closed magazine, from below.  False: the owner waits, and has what is left. */
static bool visit_empty(struct visit *visit, unsigned class) {
    struct hak_heap *heap = visit->heap;
    struct hak_bin_cold *cold = &heap->cold[class];
    struct hak_slot *at = visit->at[class];
    cold->flushes++;
    for (;;) {
        struct hak_slot *floor = cold->base + cold->floor;
        size_t count = hak_min_size((size_t)(at - floor) - 1, HAK_BATCH_MAX);
        if (!count) break;
        visit_return(heap, floor + 1, (unsigned)count);
        __atomic_store_n(&floor[count].block, NULL, __ATOMIC_RELAXED);
        __atomic_store_n(&cold->floor, (uint16_t)(cold->floor + count), __ATOMIC_RELAXED);
        heap->counts.flushed += count;
        if (visit_is_interrupted(heap)) return false;
    }
    struct hak_slot last = {visit->block[class], at->used};
    visit_return(heap, &last, 1);
    heap->counts.flushed++;
    __atomic_store_n(&cold->floor, (uint16_t)(at - cold->base), __ATOMIC_RELAXED);
    visit->at[class] = NULL;
    return true;
}

static bool visit_empty_bins(struct visit *visit) {
    struct hak_heap *heap = visit->heap;
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) {
        if (visit_is_interrupted(heap)) return false;
        if (visit->at[class] && !visit_empty(visit, class)) return false;
        hak_bin_drop_kept(heap, class);
    }
    return true;
}

static bool visit_send(struct visit *visit) {
    for (unsigned i = 0; i < HAK_OUTBOXES; i++) {
        if (visit_is_interrupted(visit->heap)) return false;
        if (visit->outbox[i]) hak_remote_send(visit->heap, &visit->heap->outbox[i]);
        visit->outbox[i] = 0;
    }
    return true;
}

static bool visit_drain(struct hak_heap *heap) {
    for (unsigned i = 0; i < VISIT_DRAINS; i++) {
        if (visit_is_interrupted(heap)) return false;
        if (heap->mark || !hak_remote_drain(heap)) return true;
    }
    return false;
}

static bool visit_thin(struct hak_heap *heap) {
    hak_bin_thin_all(heap, &heap->busy);
    return !visit_is_interrupted(heap);
}

bool hak_visit(struct hak_heap *heap, bool thin) {
    if (!visit_begin(heap)) return false;
    struct visit visit = {.heap = heap, .all = true};
    visit_close(&visit);
    bool done = visit_send(&visit) && visit_empty_bins(&visit) && visit_drain(heap) &&
                (!thin || visit_thin(heap));
    visit_open(&visit);
    visit_end(heap);
    return done && visit.all;
}

/* ---- When ------------------------------------------------------------------------------------ */

/* struct hak_quiet.done */
enum { VISIT_NOTHING, VISIT_EMPTIED, VISIT_THINNED };

VISIT_RACY static uint32_t visit_ops(const struct hak_heap *heap) {
    return __atomic_load_n(&heap->slow_ops, __ATOMIC_RELAXED);
}

static bool visit_look(struct hak_heap *heap, uint32_t now_ms, uint32_t empty_ms,
                       uint32_t thin_ms) {
    struct hak_quiet *quiet = &heap->quiet;
    uint32_t ops = visit_ops(heap);
    if (!now_ms) now_ms = 1; /* 0: not seen yet */
    if (!quiet->ms || quiet->ops != ops) *quiet = (struct hak_quiet){ops, now_ms, VISIT_NOTHING};
    uint32_t age = now_ms - quiet->ms;
    bool thin = age >= thin_ms;
    bool due = quiet->done == VISIT_NOTHING ? age >= empty_ms
                                            : thin && quiet->done == VISIT_EMPTIED;
    bool waiting = !heap->mark && atomic_load_explicit(&heap->inbox, memory_order_relaxed);
    if ((due || (waiting && quiet->done != VISIT_NOTHING)) && hak_visit(heap, thin))
        quiet->done = thin ? VISIT_THINNED : VISIT_EMPTIED;
    return quiet->done != VISIT_THINNED;
}

bool hak_visit_quiet(uint32_t now_ms, uint32_t empty_ms, uint32_t thin_ms) {
    uint32_t count = hak_barrier_is_ready() && hak_fork_is_certain() ? hak_registry_count() : 0;
    bool more = false;
    for (uint32_t id = 1; id <= count; id++) {
        struct hak_heap *heap = hak_registry_get(id);
        if (heap && heap->kind == HAK_HEAP_THREAD && visit_has_owner(heap))
            more |= visit_look(heap, now_ms, empty_ms, thin_ms);
    }
    return more;
}
