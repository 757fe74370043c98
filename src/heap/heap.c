/* SPDX-License-Identifier: MIT
 *
 * Making heaps, and their lists of slabs.  Header: heap/heap.h.
 */
#include "heap/heap.h"

#include "base/counter.h"
#include "config/option.h"
#include "heap/registry.h"
#include "heap/slots.h"
#include "os/env.h"
#include "span/arena.h"

/* A magazine starts with so much room and grows where it is seen to help (heap/magazine.c). */
#define HEAP_MAGAZINE_START_BLOCKS 15u
#define HEAP_MAGAZINE_START_BYTES  ((size_t)8 << 10)

__thread struct hak_tls hak_tls __attribute__((tls_model("initial-exec")));

uint32_t hak_heap_first_capacity(unsigned class) {
    size_t blocks = hak_min_size(HEAP_MAGAZINE_START_BYTES / hak_class_table[class].block_bytes,
                                 HEAP_MAGAZINE_START_BLOCKS);
    return HAK_STRESS || !blocks ? 1 : (uint32_t)blocks;
}

static void heap_reset_bin(struct hak_heap *heap, unsigned class) {
    size_t blocks = hak_heap_first_capacity(class);
    struct hak_bin_cold *cold = &heap->cold[class];
    size_t room = hak_slots_room(cold->base, blocks);
    cold->capacity = (uint16_t)(room ? room : blocks);
    cold->floor = 0;
    heap->bin[class].top = cold->base;
    heap->bin[class].limit = cold->base + room;
}

void hak_heap_reset_lists(struct hak_heap *heap) {
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) {
        heap->cold[class].partial = heap->cold[class].kept = NULL;
        heap->cold[class].slabs = 0;
    }
    heap->full = NULL;
}

void hak_heap_reset(struct hak_heap *heap) {
    hak_heap_reset_lists(heap);
    for (unsigned i = 0; i < HAK_OUTBOXES; i++) heap->outbox[i].owner = 0;
    heap->pending = 0;
    atomic_store_explicit(&heap->inbox_bytes, 0, memory_order_relaxed);
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) heap_reset_bin(heap, class);
    heap->huge = NULL;
    heap->torn = false;
}

struct hak_heap *hak_heap_make(enum hak_heap_kind kind) {
    struct hak_heap *heap = hak_arena_alloc(sizeof *heap, HAK_CACHE_LINE);
    if (!heap) return NULL;
    heap->kind = kind;
    atomic_store_explicit(&heap->doubtful, HAK_NO_BLOCK, memory_order_relaxed);
    if (hak_option_int(HAK_OPTION_CHECK) == HAK_CHECK_CHECKED) heap->mark = hak_env_random() | 1;
    for (unsigned class = 1; class <= HAK_CLASSES; class ++)
        heap->cold[class].base = hak_slots_none();
    hak_heap_reset(heap);
    /* false: no memory; the arena keeps the heap's */
    if (!hak_registry_add(heap)) return NULL;
    hak_counter_add(&hak_counters.heaps, 1);
    return heap;
}

static void heap_list_push(struct hak_slab **list, struct hak_slab *slab) {
    slab->prev = NULL;
    slab->next = *list;
    if (slab->next) slab->next->prev = slab;
    *list = slab;
}

static void heap_list_remove(struct hak_slab **list, struct hak_slab *slab) {
    if (slab->next) slab->next->prev = slab->prev;
    if (slab->prev) slab->prev->next = slab->next;
    if (*list == slab) *list = slab->next;
    slab->next = slab->prev = NULL;
}

static void heap_slab_list(struct hak_heap *heap, struct hak_slab *slab) {
    heap_list_push(&heap->cold[slab->class].partial, slab);
    slab->listed = true;
}

static void heap_slab_unlist(struct hak_heap *heap, struct hak_slab *slab) {
    if (heap->cold[slab->class].kept == slab) heap->cold[slab->class].kept = NULL;
    if (slab->listed) heap_list_remove(&heap->cold[slab->class].partial, slab);
    else if (heap->dedicated) heap_list_remove(&heap->full, slab);
    slab->listed = false;
}

void hak_heap_slab_add(struct hak_heap *heap, struct hak_slab *slab) {
    heap->cold[slab->class].slabs++;
    heap_slab_list(heap, slab);
}

void hak_heap_slab_remove(struct hak_heap *heap, struct hak_slab *slab) {
    heap->cold[slab->class].slabs--;
    heap_slab_unlist(heap, slab);
}

void hak_heap_slab_resized(struct hak_heap *heap, unsigned from_class, unsigned to_class) {
    heap->cold[from_class].slabs--;
    heap->cold[to_class].slabs++;
}

void hak_heap_slab_partial(struct hak_heap *heap, struct hak_slab *slab) {
    heap_slab_unlist(heap, slab);
    heap_slab_list(heap, slab);
}

void hak_heap_slab_full(struct hak_heap *heap, struct hak_slab *slab) {
    heap_slab_unlist(heap, slab);
    if (heap->dedicated) heap_list_push(&heap->full, slab);
}
