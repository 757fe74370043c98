/* SPDX-License-Identifier: MIT
 *
 * Outboxes and inboxes.  Header: heap/remote.h.
 */
#include "heap/remote.h"

#include "heap/adopt.h"
#include "heap/bin.h"
#include "heap/locked.h"
#include "heap/parcel.h"
#include "heap/registry.h"

#define REMOTE_CROWD_BYTES ((size_t)64 << 10)

/* A link of a chain in an inbox is the address of a block, or of a parcel and this added. */
#define REMOTE_IS_PARCEL ((uintptr_t)1)
/* In a block it has this added, as the seal of a block in a parcel has not: what a second free has
 * brought into the chain, or taken out of it, is not followed. */
#define REMOTE_IN_BLOCK ((uintptr_t)8)

/* ---- Sending --------------------------------------------------------------------------------- */

/* Pushes a parcel, or if that is NULL a block. */
static void remote_push(struct hak_heap *to, struct hak_parcel *parcel, struct hak_block *block,
                        size_t bytes) {
    uintptr_t link = parcel ? (uintptr_t)parcel | REMOTE_IS_PARCEL : (uintptr_t)block;
    /* before the blocks can be drained */
    atomic_fetch_add_explicit(&to->inbox_bytes, bytes, memory_order_relaxed);
    uintptr_t first = atomic_load_explicit(&to->inbox, memory_order_relaxed);
    do {
        if (parcel) parcel->next = first;
        else hak_block_link(block, (struct hak_block *)(first | REMOTE_IN_BLOCK), to->mark);
        /* release: the owner that takes the chain sees the links, and all that was written to the
         * blocks */
    } while (!atomic_compare_exchange_weak_explicit(&to->inbox, &first, link, memory_order_release,
                                                    memory_order_relaxed));
}

void hak_remote_send(struct hak_heap *heap, struct hak_outbox *box) {
    struct hak_heap *to = box->to;
    struct hak_parcel *parcel = box->parcel;
    parcel->count = box->count;
    parcel->to = to;
    box->owner = 0;
    heap->counts.remote_sent += parcel->count;
    heap->counts.remote_batches++;
    remote_push(to, parcel, NULL, box->bytes);
    hak_adopt_relieve(heap, to);
}

bool hak_remote_is_crowded(struct hak_heap *heap) {
    return atomic_load_explicit(&heap->inbox_bytes, memory_order_relaxed) >= REMOTE_CROWD_BYTES;
}

void hak_remote_free_now(struct hak_block *block, uint32_t tag) {
    struct hak_heap *to = hak_registry_get(hak_tag_owner(tag));
    remote_push(to, NULL, block, hak_class_table[hak_tag_class(tag)].block_bytes);
    if (to->kind == HAK_HEAP_LOCKED) hak_locked_relieve(to);
}

/* ---- Gathering ------------------------------------------------------------------------------- */

/* Starts to gather blocks for another owner.  False: not for this one, or there is no parcel. */
static bool remote_start(struct hak_heap *heap, struct hak_outbox *box, uint32_t owner) {
    struct hak_heap *to = hak_registry_get(owner);
    /* A first-class heap may be destroyed, and its memory reused, while a block waits here. */
    if (to->kind != HAK_HEAP_THREAD) return false;
    if (box->owner) hak_remote_send(heap, box);
    struct hak_parcel *parcel = hak_parcel_take(heap);
    if (!parcel) return false;
    *box = (struct hak_outbox){.owner = owner, .to = to, .parcel = parcel};
    return true;
}

void hak_remote_free(struct hak_heap *heap, struct hak_block *block, uint32_t tag) {
    uint32_t owner = hak_tag_owner(tag);
    struct hak_outbox *box = &heap->outbox[owner % HAK_OUTBOXES];
    if (hak_unlikely(box->owner != owner) && !remote_start(heap, box, owner)) {
        hak_remote_free_now(block, tag);
        heap->counts.remote_sent++;
        heap->counts.remote_batches++;
        hak_adopt_relieve(heap, hak_registry_get(owner));
        return;
    }
    hak_remote_gather(heap, box, block, tag);
}

void hak_remote_send_all(struct hak_heap *heap) {
    for (unsigned i = 0; i < HAK_OUTBOXES; i++) {
        if (heap->outbox[i].owner) hak_remote_send(heap, &heap->outbox[i]);
    }
}

/* ---- Draining -------------------------------------------------------------------------------- */

/* Puts a block that came home into the bin of `class`, or its slab; one whose slab has another
 * owner by now is sent on.  False: it has come a second time. */
static bool remote_settle(struct hak_heap *heap, unsigned class, struct hak_block *block,
                          size_t *bytes) {
    const struct hak_leaf *leaf = hak_map_leaf((uintptr_t)block);
    uint32_t tag = hak_leaf_tag(leaf, block);
    *bytes += hak_class_table[hak_tag_class(tag)].block_bytes;
    bool own = hak_tag_owner(tag) == heap->id;
    struct hak_used_bit at = hak_used_find_in(leaf, block);
    if (hak_unlikely(heap->mark && !(own ? hak_used_clear(at) : hak_used_get(at)))) {
        hak_bin_report_twice(hak_tag_class(tag), block);
        return false;
    }
    if (!own) {
        heap->counts.forwarded++;
        hak_remote_free(heap, block, tag);
        return true;
    }
    if (heap->mark) block->seal = 0;
    if (hak_tag_class(tag) != class || !hak_bin_try_push(&heap->bin[class], block, at.word))
        hak_bin_return(heap, block);
    return true;
}

/* The chain's first block, in no parcel; its link is followed only if it can be trusted. */
static unsigned remote_drain_block(struct hak_heap *heap, unsigned class, size_t *bytes) {
    struct hak_block *block = (struct hak_block *)heap->pending;
    uintptr_t link = (uintptr_t)block->next;
    if (hak_unlikely(heap->mark &&
                     !(hak_block_is_sealed(block, heap->mark) && link & REMOTE_IN_BLOCK))) {
        heap->pending = 0; /* given up, not followed */
        hak_bin_report_broken(hak_tag_class(hak_map_tag(block)), block);
        return 0;
    }
    heap->pending = link - REMOTE_IN_BLOCK;
    if (!remote_settle(heap, class, block, bytes)) heap->pending = 0; /* it may be in use */
    return 1;
}

static unsigned remote_drain_parcel(struct hak_heap *heap, unsigned class,
                                    struct hak_parcel *parcel, size_t *bytes) {
    unsigned count = parcel->count;
    if (hak_unlikely(parcel->to != heap)) { /* a second free has led into another heap's chain */
        heap->pending = 0;
        return 0;
    }
    heap->pending = parcel->next;
    for (unsigned i = 0; i < count; i++) remote_settle(heap, class, parcel->block[i], bytes);
    hak_parcel_return(parcel);
    return count;
}

bool hak_remote_drain(struct hak_heap *heap, unsigned class) {
    if (!heap->pending) {
        if (!atomic_load_explicit(&heap->inbox, memory_order_relaxed)) return false;
        /* acquire: pairs with the release in remote_push */
        heap->pending = atomic_exchange_explicit(&heap->inbox, 0, memory_order_acquire);
    }
    size_t bytes = 0;
    unsigned drained = 0;
    while (heap->pending && drained < HAK_BATCH_MAX) {
        if (heap->pending & REMOTE_IS_PARCEL) {
            struct hak_parcel *parcel = (struct hak_parcel *)(heap->pending - REMOTE_IS_PARCEL);
            if (drained + parcel->count > HAK_BATCH_MAX) break;
            drained += remote_drain_parcel(heap, class, parcel, &bytes);
        } else {
            drained += remote_drain_block(heap, class, &bytes);
        }
    }
    /* Nobody else subtracts; what is waiting may have been given up, or forgotten by a fork. */
    size_t waiting = atomic_load_explicit(&heap->inbox_bytes, memory_order_relaxed);
    atomic_fetch_sub_explicit(&heap->inbox_bytes, hak_min_size(bytes, waiting),
                              memory_order_relaxed);
    heap->counts.remote_drained += drained;
    return drained != 0;
}
