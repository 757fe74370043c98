/* SPDX-License-Identifier: MIT
 *
 * Work on the thread's heap while the hot path stays open: hits in the magazines above its sizes,
 * and gathering blocks for another heap.  Signal handlers may use the hot path's magazines
 * meanwhile; the state keeps them from all else (H5).  A fork finds nothing torn, as in the hot
 * path: so it is not for what changes slabs or lists.
 *
 * Where more is to be done than that they leave everything as it was, and say so.
 */
#ifndef HAK_FRONT_OPEN_H
#define HAK_FRONT_OPEN_H

#include "front/fast_path.h"
#include "heap/bin.h"
#include "heap/remote.h"
#include "observe/site.h"
#include "policy/release.h"

/* The hot path stays open, for signal handlers; what it does not serve is the caller's.  The heap
 * is READY. */
HAK_INLINE struct hak_heap *hak_open_hold(struct hak_tls *tls) {
    tls->state = HAK_TLS_BUSY;
    hak_order_stores();
    struct hak_heap *heap = tls->heap; /* not before: a handler may have given the thread one */
    atomic_store_explicit(&heap->held, 1, memory_order_relaxed);
    hak_order_stores();
    return heap;
}

HAK_INLINE void hak_open_let_go(struct hak_tls *tls, struct hak_heap *heap) {
    /* release: pairs with the acquire of a visitor */
    atomic_store_explicit(&heap->held, 0, memory_order_release);
    hak_order_stores();
    tls->state = HAK_TLS_READY;
}

/* ---- Hits ------------------------------------------------------------------------------------ */

/* Above 32 KiB. */
HAK_INLINE struct hak_block *hak_open_take_single(struct hak_heap *heap, unsigned class,
                                                  const void *site) {
    struct hak_block *block = hak_bin_find_single(heap, &class);
    if (!block || !hak_site_took_one_more(heap, hak_site_slab(block), class, site)) return NULL;
    hak_bin_pop_found(heap, class, block);
    return block;
}

/* A block from a magazine above the hot path's, of the heap of the thread, which is READY; or
 * NULL. */
HAK_INLINE struct hak_block *hak_open_take(struct hak_tls *tls, unsigned class, const void *site) {
    if (class <= HAK_FAST_CLASSES) return NULL; /* seen to be empty, and a handler's, too */
    struct hak_heap *heap = hak_open_hold(tls);
    struct hak_block *block = NULL;
    if (hak_likely(!hak_release_is_due(heap->slow_ops + 1))) {
        block = class > HAK_SHARED_CLASSES ? hak_open_take_single(heap, class, site)
                                           : hak_bin_pop(heap, class);
        heap->slow_ops += block != NULL;
    }
    hak_open_let_go(tls, heap);
    return block;
}

/* Puts a block back into such a magazine; the thread's tag says that it is its own. */
HAK_INLINE bool hak_open_put(struct hak_tls *tls, struct hak_block *block,
                             const struct hak_map *map, unsigned class) {
    if (class <= HAK_FAST_CLASSES) return false;
    struct hak_heap *heap = hak_open_hold(tls);
    struct hak_bin *bin = &heap->bin[class];
    struct hak_used_bit at = {0};
    bool put = bin->top < bin->limit && !hak_release_is_due(heap->slow_ops + 1) &&
               (!heap->mark || hak_fast_in_use(heap, block, map, &at)) &&
               (class <= HAK_SHARED_CLASSES ||
                hak_site_freed_one_more(heap, hak_site_slab(block), class));
    if (hak_likely(put)) {
        if (heap->mark) hak_used_flip(at);
        hak_bin_try_push(bin, block, at.word);
        heap->slow_ops++;
    }
    hak_open_let_go(tls, heap);
    return put;
}

/* ---- Gathering ------------------------------------------------------------------------------- */

/* Is it certain that another heap's block, gathered in this outbox, may be freed, and not kept? */
HAK_INLINE bool hak_open_may_gather(const struct hak_heap *heap, const struct hak_outbox *box,
                                    const struct hak_block *block, const struct hak_map *map,
                                    uint32_t tag) {
    if (hak_tag_class(tag) > HAK_SHARED_CLASSES) return false; /* its site is to be told */
    if (heap->mark) return hak_remote_in_use(box->to, block, map);
    return !((uintptr_t)block >> HAK_ADDRESS_BITS) && !hak_bin_may_borrow(heap, hak_tag_class(tag));
}

/* A block of a heap for which others are being gathered, as in threads that free what another one
 * allocates: puts it to them, unless they are enough to be sent, or the clock is to be looked
 * at. */
HAK_INLINE bool hak_open_gather(struct hak_tls *tls, struct hak_block *block,
                                const struct hak_map *map, uint32_t tag) {
    if (hak_unlikely(tls->state != HAK_TLS_READY)) return false;
    struct hak_heap *heap = hak_open_hold(tls);
    struct hak_outbox *box = hak_remote_outbox(heap, hak_tag_owner(tag));
    bool gather = box && hak_open_may_gather(heap, box, block, map, tag) &&
                  hak_remote_has_room(box, hak_tag_class(tag)) &&
                  !hak_release_is_due(heap->slow_ops + 1);
    if (hak_likely(gather)) {
        hak_remote_gather(heap, box, block, hak_tag_class(tag));
        heap->slow_ops++;
    }
    hak_open_let_go(tls, heap);
    return gather;
}

#endif
