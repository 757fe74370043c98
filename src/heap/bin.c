/* SPDX-License-Identifier: MIT
 *
 * Refill and flush.  Header: heap/bin.h.
 */
#include "heap/bin.h"

#include "config/option.h"
#include "heap/adopt.h"
#include "heap/remote.h"
#include "os/report.h"

/* Classes that hak_bin_idle looks at in one call. */
#define BIN_IDLE_CLASSES 8u

/* ---- Magazine sizes -------------------------------------------------------------------------- */

static uint32_t bin_capacity_max(unsigned class) {
    if (HAK_STRESS) return 1;
    size_t bytes = (size_t)hak_option_int(HAK_OPTION_MAGAZINE_BYTES);
    size_t blocks = (size_t)hak_option_int(HAK_OPTION_MAGAZINE_BLOCKS);
    blocks = hak_min_size(blocks, bytes / hak_class_table[class].block_bytes);
    return blocks ? (uint32_t)blocks : 1;
}

static void bin_resize(struct hak_heap *heap, unsigned class, uint32_t capacity) {
    heap->bin[class].room += (int32_t)capacity - (int32_t)heap->cold[class].capacity;
    heap->cold[class].capacity = capacity;
}

static void bin_grow(struct hak_heap *heap, unsigned class) {
    uint32_t max = bin_capacity_max(class), wanted = heap->cold[class].capacity * 2;
    bin_resize(heap, class, wanted < max ? wanted : max);
}

/* Blocks to move at once: half a magazine, H6. */
static unsigned bin_batch(const struct hak_heap *heap, unsigned class) {
    uint32_t half = (heap->cold[class].capacity + 1) / 2;
    return half < HAK_BATCH_MAX ? half : HAK_BATCH_MAX;
}

static void bin_report(unsigned class, const struct hak_block *block, const char *what,
                       const char *how) {
    static const char text[] = "malloc: %s: the free block of %u bytes at %p was %s";
    unsigned bytes = hak_class_table[class].block_bytes;
    if (hak_option_int(HAK_OPTION_ON_ERROR) == HAK_ON_ERROR_ABORT) {
        hak_die(text, what, bytes, (const void *)block, how);
    }
    hak_report(text, what, bytes, (const void *)block, how);
}

void hak_bin_report_broken(unsigned class, const struct hak_block *block) {
    bin_report(class, block, "write after free", "written to");
}

void hak_bin_report_twice(unsigned class, const struct hak_block *block) {
    bin_report(class, block, "double free", "freed by two threads");
}

/* ---- Refill ---------------------------------------------------------------------------------- */

/* Takes a batch from one listed slab; it leaves the list when it has nothing more. */
static bool bin_from_slab(struct hak_heap *heap, struct hak_slab *slab, struct hak_batch *batch,
                          bool *carved) {
    unsigned max = bin_batch(heap, slab->class);
    const struct hak_block *broken = NULL;
    *carved = !hak_slab_take(slab, max, heap->mark, batch, &broken);
    if (hak_unlikely(broken != NULL)) hak_bin_report_broken(slab->class, broken);
    bool got = !*carved || hak_slab_carve(slab, max, heap->mark, batch);
    if (!slab->free && slab->carved == slab->capacity) hak_heap_slab_full(heap, slab);
    return got;
}

static bool bin_from_own_slabs(struct hak_heap *heap, unsigned class, struct hak_batch *batch) {
    struct hak_slab *slab;
    while ((slab = heap->cold[class].partial)) {
        bool carved;
        if (!bin_from_slab(heap, slab, batch, &carved))
            continue; /* it was empty and has left the list */
        if (carved) heap->counts.refill_carve++;
        else heap->counts.refill_slab++;
        return true;
    }
    return false;
}

static bool bin_from_elsewhere(struct hak_heap *heap, unsigned class, struct hak_batch *batch) {
    bool carved;
    /* A dedicated heap is destroyed with all its slabs: it must own them from the first block on.
     */
    struct hak_slab *slab = heap->dedicated ? NULL : hak_adopt_slab_for(heap, class);
    if (slab && bin_from_slab(heap, slab, batch, &carved)) {
        heap->counts.refill_adopted++;
        return true;
    }
    slab = hak_slab_new(heap->id, class);
    if (!slab) {
        heap->counts.refill_failed++;
        return false;
    }
    hak_heap_slab_add(heap, slab);
    heap->counts.refill_fresh++;
    return bin_from_slab(heap, slab, batch, &carved);
}

struct hak_block *hak_bin_refill(struct hak_heap *heap, unsigned class, bool *zeroed) {
    struct hak_bin *bin = &heap->bin[class];
    struct hak_bin_cold *cold = &heap->cold[class];
    *zeroed = false;
    cold->refills++;
    cold->was_refilled = 1;
    if (cold->was_flushed) {
        cold->was_flushed = 0;
        bin_grow(heap, class);
    }
    if (hak_remote_drain(heap, class)) {
        struct hak_block *block = hak_bin_pop(heap, class);
        if (block) {
            heap->counts.refill_inbox++;
            return block;
        }
    }
    struct hak_batch batch;
    if (!bin_from_own_slabs(heap, class, &batch) && !bin_from_elsewhere(heap, class, &batch))
        return NULL;
    bin->head = batch.rest;
    bin->room = (int32_t)(cold->capacity - batch.rest_count);
    *zeroed = batch.zeroed;
    if (!heap->mark) return batch.first;
    struct hak_used_bit at = hak_used_find(batch.first);
    if (hak_unlikely(hak_used_get(at))) {
        hak_bin_report_twice(class, batch.first);
        return hak_bin_take(heap, class, zeroed);
    }
    if (!batch.zeroed) batch.first->seal = 0;
    hak_used_flip(at);
    return batch.first;
}

/* ---- Flush ----------------------------------------------------------------------------------- */

static void bin_return_to(struct hak_heap *heap, struct hak_slab *slab, struct hak_block *block) {
    hak_slab_put(slab, block, heap->mark);
    if (slab->used) {
        if (!slab->listed) hak_heap_slab_partial(heap, slab);
        return;
    }
    hak_heap_slab_remove(heap, slab);
    if (HAK_STRESS && heap->mark && hak_used_forget(slab)) hak_die("L4: a free slab is in use");
    hak_slab_release(slab);
}

void hak_bin_return(struct hak_heap *heap, struct hak_block *block) {
    bin_return_to(heap, hak_slab_of(block), block);
}

void hak_bin_flush(struct hak_heap *heap, unsigned class, uint32_t keep, uint32_t max) {
    struct hak_bin *bin = &heap->bin[class];
    /* Of the last block: neighbours in the list are often neighbours in memory. */
    struct hak_slab *slab = NULL;
    uintptr_t unit = 0;
    uint32_t moved = 0;
    while (bin->head && moved < max && (!keep || hak_heap_bin_count(heap, class) > keep)) {
        struct hak_block *block = bin->head;
        if (hak_unlikely(heap->mark && !hak_block_is_sealed(block, heap->mark))) {
            hak_bin_corrupt(heap, class, block);
            break;
        }
        bin->head = block->next;
        bin->room++;
        if (!slab || (uintptr_t)block >> HAK_UNIT_SHIFT != unit) {
            unit = (uintptr_t)block >> HAK_UNIT_SHIFT;
            slab = hak_slab_of(block);
        }
        bin_return_to(heap, slab, block);
        moved++;
    }
    /* The count may have been wrong: `room` and `head` change one after the other (fork). */
    if (!bin->head) bin->room = (int32_t)heap->cold[class].capacity;
    heap->counts.flushed += moved;
    heap->cold[class].flushes++;
}

void hak_bin_overflow(struct hak_heap *heap, unsigned class) {
    struct hak_bin_cold *cold = &heap->cold[class];
    if (cold->was_refilled && cold->capacity < bin_capacity_max(class)) {
        cold->was_flushed = 1;
        cold->was_refilled = 0;
        bin_grow(heap, class);
        if (heap->bin[class].room >= 0) return;
    }
    cold->was_flushed = 1;
    hak_bin_flush(heap, class, cold->capacity / 2, HAK_BATCH_MAX);
}

void hak_bin_flush_all(struct hak_heap *heap) {
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) {
        if (heap->bin[class].head) hak_bin_flush(heap, class, 0, UINT32_MAX);
    }
}

/* Takes `count` blocks from behind the second one. */
static void bin_trim(struct hak_heap *heap, unsigned class, uint32_t count) {
    struct hak_bin *bin = &heap->bin[class];
    struct hak_block *second = bin->head ? bin->head->next : NULL;
    uintptr_t mark = heap->mark;
    if (!second || (mark && !hak_block_is_sealed(bin->head, mark))) return;
    for (uint32_t moved = 0; moved < count && moved < HAK_BATCH_MAX; moved++) {
        struct hak_block *block = mark && !hak_block_is_sealed(second, mark) ? NULL : second->next;
        if (!block || (mark && !hak_block_is_sealed(block, mark))) return;
        hak_block_link(second, block->next, mark);
        bin->room++;
        hak_bin_return(heap, block);
    }
}

/* Takes blocks out of a bin that the caller of malloc or free was not concerned with: in a signal
 * handler, the interrupted call may be.  Up to HAK_FAST_MAX that works on the bin without entering
 * the heap's slow path, and has loaded the first block, or the second. */
static void bin_shrink(struct hak_heap *heap, unsigned class, uint32_t count) {
    if (class <= HAK_FAST_CLASSES) bin_trim(heap, class, count);
    else hak_bin_flush(heap, class, 0, count < HAK_BATCH_MAX ? count : HAK_BATCH_MAX);
}

void hak_bin_shrink_all(struct hak_heap *heap) {
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) bin_shrink(heap, class, HAK_BATCH_MAX);
}

void hak_bin_idle(struct hak_heap *heap) {
    for (unsigned i = 0; i < BIN_IDLE_CLASSES; i++) {
        unsigned class = heap->idle_class % HAK_CLASSES + 1;
        heap->idle_class = class;
        struct hak_bin_cold *cold = &heap->cold[class];
        uint32_t count = hak_heap_bin_count(heap, class);
        if (!cold->was_refilled && count) {
            bin_shrink(heap, class, count - count / 2);
            if (count < cold->capacity / 5 && cold->capacity > 1)
                bin_resize(heap, class, cold->capacity / 2);
        }
        cold->was_refilled = 0;
    }
}

void hak_bin_corrupt(struct hak_heap *heap, unsigned class, const struct hak_block *block) {
    /* The rest of the list can't be trusted: it is given up, not followed. */
    heap->bin[class].head = NULL;
    heap->bin[class].room = (int32_t)heap->cold[class].capacity;
    if (hak_block_is_sealed(block, heap->mark)) hak_bin_report_twice(class, block);
    else hak_bin_report_broken(class, block);
}
