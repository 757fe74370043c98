/* SPDX-License-Identifier: MIT
 *
 * The memory of magazines.  Header: heap/slots.h.
 */
#include "heap/slots.h"

#include "span/arena.h"

#define SLOTS_LOG2_MIN 2u

struct hak_slot *hak_slots_none(void) {
    /* const: nothing is put above a top that is at its limit */
    static const struct hak_slot none = {NULL, (uint64_t *)1};
    return (struct hak_slot *)(uintptr_t)&none;
}

static struct hak_slot **slots_spare(struct hak_heap *heap, unsigned log2) {
    return &heap->spare_slots[log2 - SLOTS_LOG2_MIN];
}

struct hak_slot *hak_slots_new(struct hak_heap *heap, size_t blocks) {
    unsigned log2 = hak_log2(hak_max_size(blocks, 3)) + 1;
    struct hak_slot **spare = slots_spare(heap, log2), *base = *spare;
    if (base) {
        *spare = (struct hak_slot *)(void *)base->block;
        base->block = NULL;
        hak_order_stores(); /* as below: not in both */
        return base;
    }
    base = hak_arena_alloc(sizeof *base << log2, HAK_CACHE_LINE);
    if (base) base->used = (uint64_t *)((uintptr_t)1 << log2);
    return base;
}

void hak_slots_keep(struct hak_heap *heap, struct hak_slot *base) {
    if (base == hak_slots_none()) return;
    hak_order_stores(); /* a torn heap (heap/adopt.h) has it in its magazine, or here */
    struct hak_slot **spare = slots_spare(heap, hak_log2((uintptr_t)base->used));
    base->block = (struct hak_block *)(void *)*spare;
    *spare = base;
}
