/* SPDX-License-Identifier: MIT
 *
 * Slabs.  Invariants and concurrency: slab/slab.h.
 */
#include "slab/slab.h"

#include "base/counter.h"

struct hak_slab *hak_slab_new(uint32_t owner, unsigned class) {
    const struct hak_class *info = &hak_class_table[class];
    unsigned first;
    bool dirty;
    struct hak_superslab *superslab = hak_superslab_claim(info->units, &first, &dirty);
    if (!superslab) return NULL;
    struct hak_slab *slab = hak_slab_at(superslab, first);
    slab->next = slab->prev = NULL;
    slab->free = NULL;
    slab->base = hak_superslab_unit_base(superslab, first);
    atomic_store_explicit(&slab->owner, owner, memory_order_relaxed);
    slab->used = slab->carved = 0;
    slab->capacity = info->capacity;
    slab->units = (uint8_t)info->units;
    slab->back = 0;
    slab->listed = false;
    slab->clean = !dirty;
    for (unsigned i = 1; i < info->units; i++) {
        struct hak_slab *further = hak_slab_at(superslab, first + i);
        further->class = 0;
        further->back = (uint8_t)i;
    }
    hak_order_stores(); /* L3 */
    /* release: pairs with the acquire in adopt_visit_superslab, in another thread after a fork */
    __atomic_store_n(&slab->class, (uint8_t) class, __ATOMIC_RELEASE);
    hak_order_stores();
    hak_map_set_tags(slab->base, info->units, hak_tag_make(owner, class));
    hak_counter_add(&hak_counters.slabs_new, 1);
    return slab;
}

void hak_slab_release(struct hak_slab *slab) {
    struct hak_superslab *superslab = hak_map_superslab(slab->base);
    unsigned first = (unsigned)((slab->base - superslab->base) >> HAK_UNIT_SHIFT);
    size_t touched = (size_t)slab->carved * hak_class_table[slab->class].block_bytes;
    unsigned written = (unsigned)((touched + HAK_UNIT_BYTES - 1) >> HAK_UNIT_SHIFT);
    hak_map_set_tags(slab->base, slab->units, 0);
    hak_order_stores(); /* L3 */
    slab->class = 0;
    hak_order_stores();
    hak_counter_add(&hak_counters.slabs_empty, 1);
    hak_superslab_release(superslab, first, slab->units, written);
}

void hak_slab_retag(struct hak_slab *slab, uint32_t owner) {
    atomic_store_explicit(&slab->owner, owner, memory_order_relaxed);
    hak_order_stores(); /* L3 */
    hak_map_set_tags(slab->base, slab->units, hak_tag_make(owner, slab->class));
    hak_counter_add(&hak_counters.slabs_adopted, 1);
}

bool hak_slab_take(struct hak_slab *slab, unsigned max, uintptr_t mark, struct hak_batch *batch,
                   const struct hak_block **broken) {
    struct hak_block *next = slab->free;
    unsigned count = 0;
    while (next && count < max) {
        if (hak_unlikely(mark && !hak_block_is_sealed(next, mark))) {
            *broken = next;
            next = NULL; /* the rest of the list can't be trusted: it is given up, not followed */
            break;
        }
        batch->block[count++] = next;
        next = next->next;
        __builtin_prefetch(next);
    }
    slab->used += count;
    hak_order_stores(); /* H3 */
    slab->free = next;
    hak_order_stores(); /* H7 */
    for (unsigned i = 0; mark && i < count; i++) batch->block[i]->seal = 0;
    batch->count = count;
    batch->zeroed = false;
    return count != 0;
}

bool hak_slab_carve(struct hak_slab *slab, unsigned max, uintptr_t mark, struct hak_batch *batch) {
    unsigned left = slab->capacity - slab->carved;
    if (!left) return false;
    size_t size = hak_class_table[slab->class].block_bytes;
    size_t offset = slab->carved * size;
    size_t page_end = hak_align_up(offset + 1, HAK_PAGE_BYTES_MIN);
    unsigned count = (unsigned)((page_end - offset + size - 1) / size);
    if (count > max) count = max;
    if (count > left) count = left;

    slab->used += count;
    hak_order_stores(); /* H3 */
    /* relaxed: other threads judge their pointers by it (check/verify.c) */
    __atomic_store_n(&slab->carved, slab->carved + count, __ATOMIC_RELAXED);
    char *first = slab->base + offset;
    for (unsigned i = 0; i < count; i++) {
        batch->block[i] = (struct hak_block *)(void *)(first + i * size);
        if (mark && !slab->clean) batch->block[i]->seal = 0;
    }
    batch->count = count;
    batch->zeroed = slab->clean;
    return true;
}
