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

/* ---- Sending --------------------------------------------------------------------------------- */

/* Pushes a parcel, or if that is NULL the blocks from `block` to `last`. */
static void remote_push(struct hak_heap *to, struct hak_parcel *parcel, struct hak_block *block,
                        struct hak_block *last, size_t bytes) {
    uintptr_t link = parcel ? (uintptr_t)parcel | HAK_REMOTE_IS_PARCEL : (uintptr_t)block;
    /* before the blocks can be drained */
    atomic_fetch_add_explicit(&to->inbox_bytes, bytes, memory_order_relaxed);
    uintptr_t first = atomic_load_explicit(&to->inbox, memory_order_relaxed);
    do {
        if (parcel) parcel->next = first;
        else hak_remote_link(last, first, to->mark);
        /* release: the owner that takes the chain sees the links, and all that was written to the
         * blocks */
    } while (!atomic_compare_exchange_weak_explicit(&to->inbox, &first, link, memory_order_release,
                                                    memory_order_relaxed));
}

/* Can the link of a block in a chain be trusted?  In fast mode it is. */
static inline bool remote_is_chained(const struct hak_block *block, uintptr_t mark) {
    return !mark ||
           (hak_block_is_sealed(block, mark) && (uintptr_t)block->next & HAK_REMOTE_IN_BLOCK);
}

/* The last block of a chain was linked to nothing; is that still so?  Its link is written once more
 * when the chain is pushed, which must not heal what a program has written over, nor touch a block
 * that is not on its way any more. */
static bool remote_is_last(const struct hak_block *last, uintptr_t mark) {
    return !mark || (remote_is_chained(last, mark) && (uintptr_t)last->next == HAK_REMOTE_IN_BLOCK);
}

/* Sends what has been gathered. */
void hak_remote_send(struct hak_heap *heap, struct hak_outbox *box) {
    struct hak_heap *to = box->to;
    struct hak_parcel *parcel = box->parcel;
    box->owner = 0;
    if (parcel) {
        parcel->count = box->count;
        parcel->bytes = box->bytes;
        parcel->to = to;
    } else if (hak_unlikely(!remote_is_last(box->last, heap->mark))) {
        hak_bin_report_broken(hak_tag_class(hak_map_tag(box->last)), box->last);
        return; /* given up */
    }
    heap->counts.remote_sent += box->count;
    heap->counts.remote_batches++;
    remote_push(to, parcel, box->first, box->last, box->bytes);
    hak_adopt_relieve(heap, to);
}

bool hak_remote_is_crowded(struct hak_heap *heap) {
    return atomic_load_explicit(&heap->inbox_bytes, memory_order_relaxed) >= REMOTE_CROWD_BYTES;
}

void hak_remote_free_now(struct hak_block *block, uint32_t tag) {
    struct hak_heap *to = hak_registry_get(hak_tag_owner(tag));
    remote_push(to, NULL, block, block, hak_class_table[hak_tag_class(tag)].block_bytes);
    if (to->kind == HAK_HEAP_LOCKED) hak_locked_relieve(to);
}

/* ---- Gathering ------------------------------------------------------------------------------- */

/* Starts to gather blocks for another owner.  False: not for this one. */
static bool remote_start(struct hak_heap *heap, struct hak_outbox *box, uint32_t owner) {
    struct hak_heap *to = hak_registry_get(owner);
    /* A first-class heap may be destroyed, and its memory reused, while a block waits here. */
    if (to->kind != HAK_HEAP_THREAD) return false;
    if (box->owner) hak_remote_send(heap, box);
    *box = (struct hak_outbox){.owner = owner, .to = to, .parcel = hak_parcel_take(heap)};
    return true;
}

void hak_remote_free(struct hak_heap *heap, struct hak_block *block, uint32_t tag) {
    uint32_t owner = hak_tag_owner(tag);
    struct hak_outbox *box = &heap->outbox[owner % HAK_OUTBOXES];
    /* What a visitor has closed stays so, and the owner gathers in what is open (H8). */
    bool visited = atomic_load_explicit(&heap->visitor, memory_order_relaxed);
    if (hak_unlikely(visited || (box->owner != owner && !remote_start(heap, box, owner)))) {
        hak_remote_free_now(block, tag);
        heap->counts.remote_sent++;
        heap->counts.remote_batches++;
        hak_adopt_relieve(heap, hak_registry_get(owner));
        return;
    }
    bool send = !hak_remote_has_room(box, hak_tag_class(tag));
    hak_remote_gather(heap, box, block, hak_tag_class(tag));
    if (send) hak_remote_send(heap, box);
}

void hak_remote_send_all(struct hak_heap *heap) {
    for (unsigned i = 0; i < HAK_OUTBOXES; i++) {
        if (heap->outbox[i].owner) hak_remote_send(heap, &heap->outbox[i]);
    }
}

/* ---- Draining -------------------------------------------------------------------------------- */

/* What a drain has taken so far. */
struct remote_load {
    struct hak_slot slot[HAK_BATCH_MAX]; /* blocks to be put into their slabs */
    unsigned own;                        /* how many those are */
    unsigned drained;                    /* all blocks */
    size_t bytes;
};

/* Takes a block that came home out of use, into slot[own]; one whose slab has another owner by now
 * is sent on.  False: it has come a second time. */
static inline bool remote_settle(struct hak_heap *heap, struct hak_block *block,
                                 struct hak_slot *slot, unsigned *own) {
    const struct hak_leaf *leaf = hak_map_leaf((uintptr_t)block);
    uint32_t tag = hak_leaf_tag(leaf, block);
    uint32_t owner = hak_tag_owner(tag);
    if (hak_unlikely(!owner)) return false; /* and its slab is gone */
    bool is_own = owner == heap->id;
    struct hak_used_bit at = hak_used_find_in(leaf, block);
    if (hak_unlikely(heap->mark && !(is_own ? hak_used_clear(at) : hak_used_get(at)))) {
        hak_bin_report_twice(hak_tag_class(tag), block);
        return false;
    }
    if (hak_unlikely(!is_own)) {
        heap->counts.forwarded++;
        hak_remote_free(heap, block, tag);
        return true;
    }
    if (heap->mark) block->seal = 0;
    slot[(*own)++].block = block;
    return true;
}

/* The chain's first block, in no parcel; its link is followed only if it can be trusted. */
static void remote_drain_block(struct hak_heap *heap, struct remote_load *load) {
    struct hak_block *block = (struct hak_block *)heap->pending;
    if (hak_unlikely(!remote_is_chained(block, heap->mark))) {
        heap->pending = 0; /* given up, not followed */
        hak_bin_report_broken(hak_tag_class(hak_map_tag(block)), block);
        return;
    }
    heap->pending = (uintptr_t)block->next - HAK_REMOTE_IN_BLOCK;
    load->drained++;
    load->bytes += hak_class_table[hak_tag_class(hak_map_tag(block))].block_bytes;
    if (!remote_settle(heap, block, load->slot, &load->own)) heap->pending = 0; /* may be in use */
}

static void remote_drain_parcel(struct hak_heap *heap, struct hak_parcel *parcel,
                                struct remote_load *load) {
    if (hak_unlikely(parcel->to != heap)) { /* a second free has led into another heap's chain */
        heap->pending = 0;
        return;
    }
    heap->pending = parcel->next;
    unsigned count = parcel->count, own = load->own;
    for (unsigned i = 0; i < count; i++) remote_settle(heap, parcel->block[i], load->slot, &own);
    load->own = own;
    load->drained += count;
    load->bytes += parcel->bytes;
    hak_parcel_return(parcel);
}

bool hak_remote_drain(struct hak_heap *heap) {
    if (!heap->pending) {
        if (!atomic_load_explicit(&heap->inbox, memory_order_relaxed)) return false;
        /* acquire: pairs with the release in remote_push */
        heap->pending = atomic_exchange_explicit(&heap->inbox, 0, memory_order_acquire);
    }
    struct remote_load load;
    load.own = load.drained = 0;
    load.bytes = 0;
    while (heap->pending && load.drained < HAK_BATCH_MAX) {
        if (heap->pending & HAK_REMOTE_IS_PARCEL) {
            struct hak_parcel *parcel = (struct hak_parcel *)(heap->pending - HAK_REMOTE_IS_PARCEL);
            if (load.drained + parcel->count > HAK_BATCH_MAX) break;
            remote_drain_parcel(heap, parcel, &load);
        } else {
            remote_drain_block(heap, &load);
        }
    }
    hak_bin_return_all(heap, load.slot, load.own);
    /* Nobody else subtracts; what is waiting may have been given up, or forgotten by a fork. */
    size_t waiting = atomic_load_explicit(&heap->inbox_bytes, memory_order_relaxed);
    atomic_fetch_sub_explicit(&heap->inbox_bytes, hak_min_size(load.bytes, waiting),
                              memory_order_relaxed);
    heap->counts.remote_drained += load.drained;
    return load.drained != 0;
}
