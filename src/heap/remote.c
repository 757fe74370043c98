/* SPDX-License-Identifier: MIT
 *
 * Outboxes and inboxes.  Header: heap/remote.h.
 */
#include "heap/remote.h"

#include "heap/adopt.h"
#include "heap/bin.h"
#include "heap/locked.h"
#include "heap/registry.h"

#define REMOTE_CHAIN_BLOCKS (HAK_STRESS ? 2u : 32u)
#define REMOTE_CHAIN_BYTES  ((size_t)16 << 10)
#define REMOTE_CROWD_BYTES  ((size_t)64 << 10)

static void remote_push(struct hak_heap *to, struct hak_block *head, struct hak_block *tail,
                        size_t bytes) {
    /* before the blocks can be drained */
    atomic_fetch_add_explicit(&to->inbox_bytes, bytes, memory_order_relaxed);
    struct hak_block *first = atomic_load_explicit(&to->inbox, memory_order_relaxed);
    do {
        hak_block_link(tail, first, to->mark);
        /* release: the owner that takes the chain sees the links, and all that was written to the
         * blocks */
    } while (!atomic_compare_exchange_weak_explicit(&to->inbox, &first, head, memory_order_release,
                                                    memory_order_relaxed));
}

static void remote_send(struct hak_heap *heap, struct hak_outbox *box) {
    struct hak_heap *to = box->to;
    struct hak_block *head = box->head;
    box->head = NULL;
    box->owner = 0;
    heap->counts.remote_sent += box->count;
    heap->counts.remote_batches++;
    remote_push(to, head, box->tail, box->bytes);
    hak_adopt_relieve(heap, to);
}

bool hak_remote_is_crowded(struct hak_heap *heap) {
    return atomic_load_explicit(&heap->inbox_bytes, memory_order_relaxed) >= REMOTE_CROWD_BYTES;
}

void hak_remote_free_now(struct hak_block *block, uint32_t tag) {
    struct hak_heap *to = hak_registry_get(hak_tag_owner(tag));
    remote_push(to, block, block, hak_class_table[hak_tag_class(tag)].block_bytes);
    if (to->kind == HAK_HEAP_LOCKED) hak_locked_relieve(to);
}

/* Starts to gather blocks for another owner.  False: not for this one. */
static bool remote_gather(struct hak_heap *heap, struct hak_outbox *box, uint32_t owner,
                          struct hak_block *tail) {
    struct hak_heap *to = hak_registry_get(owner);
    /* A first-class heap may be destroyed, and its memory reused, while a block waits here. */
    if (to->kind != HAK_HEAP_THREAD) return false;
    if (box->owner) remote_send(heap, box);
    *box = (struct hak_outbox){.owner = owner, .to = to, .tail = tail};
    return true;
}

void hak_remote_free(struct hak_heap *heap, struct hak_block *block, uint32_t tag) {
    uint32_t owner = hak_tag_owner(tag);
    struct hak_outbox *box = &heap->outbox[owner % HAK_OUTBOXES];
    if (hak_unlikely(box->owner != owner) && !remote_gather(heap, box, owner, block)) {
        hak_remote_free_now(block, tag);
        heap->counts.remote_sent++;
        heap->counts.remote_batches++;
        return;
    }
    hak_block_link(block, box->head, heap->mark);
    box->head = block;
    box->count++;
    box->bytes += hak_class_table[hak_tag_class(tag)].block_bytes;
    if (hak_unlikely(box->count >= REMOTE_CHAIN_BLOCKS || box->bytes >= REMOTE_CHAIN_BYTES))
        remote_send(heap, box);
}

void hak_remote_send_all(struct hak_heap *heap) {
    for (unsigned i = 0; i < HAK_OUTBOXES; i++) {
        if (heap->outbox[i].owner) remote_send(heap, &heap->outbox[i]);
    }
}

/* The next block of the chain; NULL: none, or its link can't be trusted. */
static struct hak_block *remote_next(struct hak_heap *heap) {
    struct hak_block *block = heap->pending;
    if (!block) return NULL;
    if (hak_unlikely(heap->mark && !hak_block_is_sealed(block, heap->mark))) {
        heap->pending = NULL; /* given up, not followed */
        hak_bin_report_broken(hak_tag_class(hak_map_tag(block)), block);
        return NULL;
    }
    heap->pending = block->next;
    return block;
}

bool hak_remote_drain(struct hak_heap *heap, unsigned class) {
    if (!heap->pending) {
        if (!atomic_load_explicit(&heap->inbox, memory_order_relaxed)) return false;
        /* acquire: pairs with the release in remote_push */
        heap->pending = atomic_exchange_explicit(&heap->inbox, NULL, memory_order_acquire);
    }
    size_t bytes = 0;
    unsigned drained = 0;
    struct hak_block *block;
    for (; drained < HAK_BATCH_MAX && (block = remote_next(heap)); drained++) {
        const struct hak_leaf *leaf = hak_map_leaf((uintptr_t)block);
        uint32_t tag = hak_leaf_tag(leaf, block);
        bytes += hak_class_table[hak_tag_class(tag)].block_bytes;
        bool own = hak_tag_owner(tag) == heap->id;
        struct hak_used_bit at = hak_used_find_in(leaf, block);
        if (hak_unlikely(heap->mark && !(own ? hak_used_clear(at) : hak_used_get(at)))) {
            heap->pending = NULL; /* what follows it may be in use */
            hak_bin_report_twice(hak_tag_class(tag), block);
        } else if (!own) { /* adopted by another heap since it was sent */
            heap->counts.forwarded++;
            hak_remote_free(heap, block, tag);
        } else if (hak_tag_class(tag) == class && heap->bin[class].top < heap->bin[class].limit) {
            if (heap->mark) block->seal = 0;
            hak_bin_try_push(&heap->bin[class], block, at.word);
        } else {
            hak_bin_return(heap, block);
        }
    }
    /* Nobody else subtracts; what is waiting may have been given up, or forgotten by a fork. */
    size_t waiting = atomic_load_explicit(&heap->inbox_bytes, memory_order_relaxed);
    atomic_fetch_sub_explicit(&heap->inbox_bytes, hak_min_size(bytes, waiting),
                              memory_order_relaxed);
    heap->counts.remote_drained += drained;
    return drained != 0;
}
