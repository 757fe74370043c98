/* SPDX-License-Identifier: MIT
 *
 * A heap: one thread's allocator, and the thread-local words that lead to it.
 *
 *   bin[class]  the magazine: an array of free blocks; malloc takes from its top, free puts there
 *   cold[class] partial slabs, magazine size, counts
 *   outbox      blocks of other heaps, gathered to be sent
 *   inbox       blocks of this heap, sent by others
 *
 * Invariants
 *   H1  A bin holds blocks of slabs that the heap owns, and few others: hak_bin_borrow.
 *   H4  A heap is parked exactly while its bit in the registry's parked mask is set; whoever clears
 *       the bit has it.  Otherwise it belongs to the thread whose thread-local data points to it,
 *       or to the thread that claimed it.
 *   H5  `busy` is set while anyone is inside a slow path of the heap; then the thread-local words
 *       are closed (hak_tls_close).  Gathering (hak_remote_gather), and hits in magazines above the
 *       hot path's, only make the state BUSY, and set `held`.
 *   H8  While `visitor` is set the owner is inside no slow path, and waits before the next one: the
 *       visitor works on what only slow paths use (heap/visit.h).
 *   H7  Magazines are valid at every instant: a slot is stored before the top reaches it.
 *
 * Concurrency: every field belongs to the owner unless it says otherwise.
 *
 * Not here: refill and flush (heap/bin.h), how large magazines are (heap/magazine.h), looks at them
 * (heap/idle.h), their arrays (heap/slots.h), sending and draining (heap/remote.h), change of owner
 * (heap/adopt.h), work for a thread that sleeps (heap/visit.h), the table of heaps
 * (heap/registry.h), threads (heap/thread_heap.h).
 */
#ifndef HAK_HEAP_HEAP_H
#define HAK_HEAP_HEAP_H

#include "base/base.h"
#include "slab/class.h"
#include "slab/slab.h"

#include <stdatomic.h>

/* Bits that are clear in the address of any block. */
#define HAK_NO_BLOCK (~(uintptr_t)0 << HAK_ADDRESS_BITS | (HAK_MIN_ALIGN - 1))

enum hak_heap_kind {
    HAK_HEAP_THREAD, /* a thread's, or parked */
    HAK_HEAP_LOCKED  /* a first-class or fallback heap: used under its lock */
};

/* Was the block of a slot borrowed (hak_bin_borrow)?  In fast mode; maybe true also of a block that
 * was once. */
HAK_INLINE bool hak_slot_is_borrowed(const struct hak_slot *slot) {
    return slot->used == &slot->block->seal;
}

/* A magazine: an array of slots.  The program can't overwrite it, and neither malloc nor free has
 * to wait for a line of the block.
 *
 *     | none | none | block | block | block |       |       |       |
 *       base   floor                  top             limit
 *
 * The floor is above the base where the oldest blocks were flushed.  A class that is not in use has
 * no array: hak_slots_none (heap/slots.h), which is empty and full.
 *
 * 16 bytes, so that a tag's class field (class << 1) counted in words of 8 bytes finds it. */
struct hak_bin {
    struct hak_slot *top;   /* the block that malloc takes next; a slot without one: empty */
    struct hak_slot *limit; /* free puts blocks above the top while that is below */
};

_Static_assert(sizeof(struct hak_bin) == 16, "found by a tag's class field: span/map.h");

struct hak_bin_cold {
    struct hak_slab *partial; /* slabs with free or uncut blocks */
    struct hak_slab *kept;    /* one of them, if none of its blocks is in use; or NULL */
    struct hak_slot *base;    /* of the magazine */
    uint64_t refills, flushes;
    uint16_t capacity;      /* of the magazine, in blocks */
    uint16_t floor;         /* slots above the base that hold nothing any more; relaxed: H8 */
    uint32_t trace;         /* of its use, when the heap last needed a new slab: heap/idle.c */
    uint32_t slabs;         /* that the heap owns */
    uint8_t was_flushed;    /* since the last refill */
    uint8_t was_refilled;   /* since the last look for idle magazines */
    int8_t drift;           /* refills in a row, or -flushes: heap/magazine.c */
    uint8_t young : 2;      /* refills for its thread, a few of them: heap/magazine.c */
    uint8_t turns : 3;      /* what says that it is too small: heap/magazine.c */
    uint8_t kept_looks : 3; /* for idle magazines, since the slab was kept */
};

/* Blocks of one other heap, gathered to be sent. */
struct hak_outbox {
    uint32_t owner; /* its id; 0: empty.  relaxed: a visitor closes it (H8) */
    uint32_t count, bytes;
    struct hak_heap *to;
    struct hak_parcel *parcel; /* NULL: they are chained, as in an inbox */
    struct hak_block *first, *last;
};

#define HAK_OUTBOXES    8u
#define HAK_SLOTS_SIZES 10u

struct hak_heap_counts {
    uint64_t refill_inbox, refill_slab, refill_carve, refill_adopted, refill_fresh, refill_failed;
    uint64_t flushed, remote_sent, remote_batches, remote_drained, forwarded, free_null;
};

/* What the visitor keeps of a heap (heap/visit.h). */
struct hak_quiet {
    uint32_t ops; /* slow_ops, when that was seen to have changed ... */
    uint32_t ms;  /* ... and when (low 32 bits); 0: not yet */
    uint8_t done; /* what has been given back since */
};

struct hak_heap {
    struct hak_bin bin[HAK_CLASSES + 1]; /* first: found without adding an offset.  [0] is unused */

    /* What other threads read when they free a block of the heap: lines that are rarely written. */
    _Alignas(HAK_CACHE_LINE) uint32_t id; /* const once in the registry */
    uint32_t tag;                         /* const once there: hak_tag_make(id, 0) */
    uint32_t kind;                        /* const while in use */
    uintptr_t mark;                       /* const: the process's mark, 0 unless in checked mode */
    /* atomic, relaxed: bits of an address for which a free in checked mode looks twice.  Those that
     * no block has; and all of them once others have freed blocks of the heap. */
    _Atomic uintptr_t doubtful;

    /* atomic: H5; read in forked children, by the next holder of the lock, and by a visitor */
    _Alignas(HAK_CACHE_LINE) _Atomic uint32_t busy;
    _Atomic uint32_t held; /* atomic: H5; the visitor reads it */
    /* atomic: the process (hak_fork_generation) whose visitor is at work; 0: none is.  H8 */
    _Atomic uint32_t visitor;
    uint32_t slow_ops;      /* slow paths entered, blocks gathered: when to look at the clock */
    uint32_t idle_class;    /* the last class that was looked at for an idle magazine ... */
    uint32_t idle_ms;       /* ... and when (low 32 bits) */
    uint32_t reclaim_class; /* the same when the heap last needed a new slab */
    uintptr_t pending;      /* a chain taken from the inbox, not yet worked off */
    /* atomic: the owner's thread pointer; 0: it has none.  heap/thread_heap.c looks at it from any
     * thread, for that thread's own; a visitor, whether there is one. */
    _Atomic uintptr_t thread;
    /* atomic, relaxed: hak_fork_generation() of the process in which it was made, attached or
     * claimed last; in another one its thread is gone.  heap/adopt.c reads it. */
    _Atomic uint32_t process;
    bool torn; /* was busy in another thread when this process was forked */
    struct hak_quiet quiet;
    struct hak_outbox outbox[HAK_OUTBOXES];
    struct hak_parcel *parcels; /* its own empty ones: heap/parcel.h */
    uint32_t parcels_made;
    struct hak_slot *spare_slots[HAK_SLOTS_SIZES]; /* heap/slots.h */
    struct hak_site_cells *sites;                  /* observe/site.h; NULL: none were needed yet */

    _Alignas(HAK_CACHE_LINE) _Atomic uintptr_t inbox; /* atomic: pushed by anyone, heap/remote.c */
    _Atomic size_t inbox_bytes;            /* atomic, relaxed, an estimate: of inbox and pending */
    _Atomic(struct hak_parcel *) returned; /* atomic: its own, emptied by others */

    _Alignas(HAK_CACHE_LINE) struct hak_bin_cold cold[HAK_CLASSES + 1];
    struct hak_heap_counts counts;

    /* HAK_HEAP_LOCKED only */
    _Atomic uint32_t lock;          /* os/lock.h */
    bool dedicated;                 /* first-class: keeps lists of all it owns, for destruction */
    struct hak_slab *full;          /* slabs without a free block */
    struct hak_superslab *huge;     /* its huge blocks */
    struct hak_heap *next_fallback; /* const once linked */
};

enum hak_tls_state {
    HAK_TLS_NEW,   /* no heap yet */
    HAK_TLS_READY, /* the heap may be worked on */
    HAK_TLS_BUSY,  /* inside a slow path: what is not in a bin, the fallback heap serves */
    HAK_TLS_EXITED /* the thread is ending, and its heap was parked */
};

/* What the fast path reads.  All zero at the start of a thread, and zeroed whenever a call must
 * take the slow path: zero fails every compare.  32 bytes of .tbss (no initialised thread-local
 * data: the dynamic linker copies that only after it has run IFUNC resolvers, which may call
 * malloc). */
struct hak_tls {
    struct hak_heap *heap;
    size_t fast_limit;    /* malloc: sizes below take a block from a bin; 0 in checked mode */
    size_t checked_limit; /* the same in checked mode, looked at second */
    uint32_t tag;         /* free: the heap's tag, in checked mode with HAK_TAG_CHECKED */
    uint32_t state;       /* enum hak_tls_state */
};

extern __thread struct hak_tls hak_tls __attribute__((tls_model("initial-exec")));

_Static_assert(HAK_CLASSES << 1 < HAK_TAG_CHECKED, "the bit is in no class: span/map.h");

/* Opens and closes the trap doors: while closed, every call takes the slow path. */
HAK_INLINE void hak_tls_open(struct hak_tls *tls, const struct hak_heap *heap) {
    tls->state = HAK_TLS_READY;
    if (heap->mark) {
        tls->tag = heap->tag | HAK_TAG_CHECKED;
        tls->checked_limit = HAK_SMALL_MAX + 1;
    } else {
        tls->tag = heap->tag;
        tls->fast_limit = HAK_SMALL_MAX + 1;
    }
}

HAK_INLINE void hak_tls_close(struct hak_tls *tls, enum hak_tls_state state) {
    tls->state = state;
    hak_order_stores(); /* first: a signal handler opens nothing any more, only READY is opened */
    tls->fast_limit = tls->checked_limit = 0;
    tls->tag = 0;
}

/* Waits until nobody visits the heap; the caller has said that it is busy.  heap/visit.c */
void hak_heap_await(struct hak_heap *heap) HAK_COLD;

/* Says that work on a heap begins which nobody visits: it was claimed, or is torn. */
HAK_INLINE void hak_heap_mark_busy(struct hak_heap *heap) {
    atomic_store_explicit(&heap->busy, 1, memory_order_relaxed);
    hak_order_stores();
}

/* Says that the owner begins to work on the heap, and lets a visitor end.  No fence: the visitor's
 * barrier (os/barrier.h) makes one of the two see the other. */
HAK_INLINE void hak_heap_set_busy(struct hak_heap *heap) {
    hak_heap_mark_busy(heap);
    /* acquire: pairs with the visitor's end */
    if (hak_unlikely(atomic_load_explicit(&heap->visitor, memory_order_acquire)))
        hak_heap_await(heap);
}

/* release: pairs with the acquire of a visitor */
HAK_INLINE void hak_heap_clear_busy(struct hak_heap *heap) {
    atomic_store_explicit(&heap->busy, 0, memory_order_release);
}

/* Enters and leaves the slow path of the calling thread's heap, which is READY (H5). */
HAK_INLINE struct hak_heap *hak_heap_enter(struct hak_tls *tls) {
    hak_tls_close(tls, HAK_TLS_BUSY);
    hak_heap_set_busy(tls->heap);
    return tls->heap;
}

HAK_INLINE void hak_heap_leave(struct hak_tls *tls) {
    hak_heap_clear_busy(tls->heap);
    hak_tls_open(tls, tls->heap);
}

/* The bin that a tag's class field leads to. */
HAK_INLINE struct hak_bin *hak_heap_bin_at(struct hak_heap *heap, size_t class_words) {
    return (struct hak_bin *)(void *)((uint64_t *)(void *)heap + class_words);
}

/* The number of blocks in a bin. */
HAK_INLINE uint32_t hak_heap_bin_count(const struct hak_heap *heap, unsigned class) {
    const struct hak_bin_cold *cold = &heap->cold[class];
    return (uint32_t)(heap->bin[class].top - cold->base) -
           __atomic_load_n(&cold->floor, __ATOMIC_RELAXED);
}

/* A new heap, entered in the registry, owned by the caller; NULL: no memory. */
struct hak_heap *hak_heap_make(enum hak_heap_kind kind);

/* Forgets all blocks and slabs, as in a new heap: they are elsewhere, or lost. */
void hak_heap_reset(struct hak_heap *heap);

/* Forgets the lists of slabs. */
void hak_heap_reset_lists(struct hak_heap *heap);

/* The capacity of a magazine that nothing is known about. */
uint32_t hak_heap_first_capacity(unsigned class);

/* A heap's slabs are in the list of partial slabs of their class (`listed`) while they have blocks
 * to give, and otherwise in no list, or in that of full slabs if the heap is dedicated. */
void hak_heap_slab_add(struct hak_heap *heap, struct hak_slab *slab); /* new: partial */
void hak_heap_slab_remove(struct hak_heap *heap,
                          struct hak_slab *slab); /* from the list it is in */
void hak_heap_slab_resized(struct hak_heap *heap, unsigned from_class, unsigned to_class);
void hak_heap_slab_partial(struct hak_heap *heap, struct hak_slab *slab); /* it has blocks again */
void hak_heap_slab_full(struct hak_heap *heap, struct hak_slab *slab);    /* it has none left */

#endif
