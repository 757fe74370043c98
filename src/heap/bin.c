/* SPDX-License-Identifier: MIT
 *
 * Refill and flush.  Header: heap/bin.h.
 */
#include "heap/bin.h"

#include "config/option.h"
#include "heap/adopt.h"
#include "heap/idle.h"
#include "heap/magazine.h"
#include "heap/remote.h"
#include "heap/slots.h"
#include "os/report.h"
#include "slab/thin.h"

#include <string.h>

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

/* Takes up to `max` blocks from one listed slab, as hak_slab_take; it leaves the list when it has
 * nothing more.  *zeroed: they read as zeros. */
static unsigned bin_from_slab(struct hak_heap *heap, struct hak_slab *slab, unsigned max,
                              struct hak_slot *slot, bool *zeroed) {
    if (heap->cold[slab->class].kept == slab) heap->cold[slab->class].kept = NULL;
    unsigned count = hak_slab_take(slab, max, slot);
    if (!count) {
        size_t ahead = hak_magazine_ahead(heap, slab->class);
        if (ahead) hak_slab_populate(slab, ahead);
        count = hak_slab_carve(slab, max, heap->mark, slot);
        *zeroed = count && slab->clean;
    }
    if (!hak_slab_has_free(slab) && slab->carved == slab->capacity) hak_heap_slab_full(heap, slab);
    return count;
}

/* `drained`: blocks have come home just before. */
static unsigned bin_from_own_slabs(struct hak_heap *heap, unsigned class, bool drained,
                                   unsigned max, struct hak_slot *slot, bool *zeroed) {
    struct hak_slab *slab;
    while ((slab = heap->cold[class].partial)) {
        uint32_t carved = slab->carved;
        unsigned count = bin_from_slab(heap, slab, max, slot, zeroed);
        if (!count) continue; /* it was empty and has left the list */
        if (slab->carved != carved) heap->counts.refill_carve++;
        else if (drained) heap->counts.refill_inbox++;
        else heap->counts.refill_slab++;
        return count;
    }
    return 0;
}

static unsigned bin_from_elsewhere(struct hak_heap *heap, unsigned class, unsigned max,
                                   struct hak_slot *slot, bool *zeroed) {
    /* A dedicated heap is destroyed with all its slabs: it must own them from the first block on.
     */
    struct hak_slab *slab = heap->dedicated ? NULL : hak_adopt_slab_for(heap, class);
    unsigned count = slab ? bin_from_slab(heap, slab, max, slot, zeroed) : 0;
    if (count) {
        heap->counts.refill_adopted++;
        return count;
    }
    if (class <= HAK_SHARED_CLASSES) hak_idle_reclaim(heap);
    slab = hak_slab_new(heap->id, class);
    if (!slab) {
        heap->counts.refill_failed++;
        return 0;
    }
    hak_heap_slab_add(heap, slab);
    heap->counts.refill_fresh++;
    return bin_from_slab(heap, slab, max, slot, zeroed);
}

/* Fills the empty bin, and takes the first block out of it again; without an array, just that one.
 * NULL: no memory. */
static struct hak_block *bin_fill(struct hak_heap *heap, unsigned class, bool drained,
                                  bool *zeroed) {
    struct hak_slot one[2], *slot = hak_magazine_ready(heap, class) ? heap->cold[class].base : one;
    unsigned max = slot != one ? hak_magazine_batch(&heap->cold[class]) : 1;
    unsigned count = bin_from_own_slabs(heap, class, drained, max, slot, zeroed);
    if (!count) count = bin_from_elsewhere(heap, class, max, slot, zeroed);
    if (!count) return NULL;
    if (slot != one) heap->bin[class].top = slot + count - 1;
    struct hak_block *block = slot[count].block;
    if (heap->mark) {
        struct hak_used_bit at = {slot[count].used, hak_used_bit_of(block)};
        /* Set, and then looked at: reading it first would take a page fault of its own. */
        hak_used_flip(at);
        if (hak_unlikely(!hak_used_get(at))) { /* it was set: the block is in use */
            hak_used_flip(at);
            hak_bin_report_twice(class, block);
            return hak_bin_take(heap, class, zeroed);
        }
    }
    return block;
}

/* None of the free blocks of these classes will do: their units may, for any class. */
static void bin_clear_single(struct hak_heap *heap) {
    for (unsigned class = HAK_SHARED_CLASSES + 1; class <= HAK_CLASSES; class ++)
        if (hak_heap_bin_count(heap, class)) hak_bin_flush(heap, class, 0, 1);
}

struct hak_block *hak_bin_refill(struct hak_heap *heap, unsigned class, bool *zeroed) {
    struct hak_bin_cold *cold = &heap->cold[class];
    *zeroed = false;
    if (hak_unlikely(class > HAK_SHARED_CLASSES)) {
        unsigned found = class;
        if (hak_bin_find_single(heap, &found)) return hak_bin_pop(heap, found);
    }
    heap->bin[class].top = cold->base; /* empty: whatever was flushed from below has room again */
    cold->floor = 0;
    cold->refills++;
    cold->was_refilled = 1;
    if (cold->was_flushed) {
        cold->was_flushed = 0;
        hak_magazine_turn(heap, class);
    } else {
        hak_magazine_follow(heap, class);
    }
    bool drained = hak_remote_drain(heap);
    if (hak_unlikely(class > HAK_SHARED_CLASSES)) bin_clear_single(heap);
    return bin_fill(heap, class, drained, zeroed);
}

/* ---- Flush ----------------------------------------------------------------------------------- */

static void bin_release(struct hak_heap *heap, struct hak_slab *slab) {
    hak_heap_slab_remove(heap, slab);
    if (HAK_STRESS && heap->mark && hak_used_forget(slab)) hak_die("L4: a free slab is in use");
    hak_slab_release(slab);
}

/* Should a slab of which no block is in use stay?  Only where the class has no other with room, and
 * not in heaps that nobody allocates from. */
static bool bin_keeps(const struct hak_heap *heap, const struct hak_slab *slab) {
    const struct hak_slab *first = heap->cold[slab->class].partial;
    bool is_only = !first || (first == slab && !slab->next);
    return !HAK_STRESS && is_only && slab->units == 1 && slab->capacity > 1 && heap == hak_tls.heap;
}

void hak_bin_drop_kept(struct hak_heap *heap, unsigned class) {
    if (heap->cold[class].kept) bin_release(heap, heap->cold[class].kept);
}

/* Returns blocks of one slab, as hak_slab_put_run. */
static unsigned bin_return_run(struct hak_heap *heap, const struct hak_slot *slot, unsigned max) {
    struct hak_slab *slab = hak_slab_of(slot->block);
    unsigned count = hak_slab_put_run(slab, slot, max);
    if (hak_unlikely(!count)) return 1; /* fast mode: freed twice, and its slab is gone */
    bool keep = !slab->used && bin_keeps(heap, slab);
    if (!slab->used && !keep) {
        bin_release(heap, slab);
        return count;
    }
    if (!slab->listed) hak_heap_slab_partial(heap, slab);
    if (hak_unlikely(keep)) {
        heap->cold[slab->class].kept = slab;
        heap->cold[slab->class].kept_looks = 0;
    }
    return count;
}

void hak_bin_return_all(struct hak_heap *heap, const struct hak_slot *slot, unsigned count) {
    for (unsigned done; count; slot += done, count -= done)
        done = bin_return_run(heap, slot, count);
}

void hak_bin_return(struct hak_heap *heap, struct hak_block *block) {
    hak_bin_return_all(heap, &(struct hak_slot){.block = block}, 1);
}

static void bin_flush_slots(struct hak_heap *heap, unsigned class, const struct hak_slot *slot,
                            uint32_t count) {
    heap->counts.flushed += count;
    heap->cold[class].flushes++;
    for (uint32_t done; count; slot += done, count -= done) {
        uint32_t tag = hak_slot_is_borrowed(slot) ? hak_map_tag(slot->block) : heap->tag;
        if (hak_unlikely(hak_tag_owner(tag) != heap->id)) {
            hak_remote_free(heap, slot->block, tag);
            done = 1;
        } else {
            done = bin_return_run(heap, slot, count);
        }
    }
}

/* From the bottom: what is above stays where it is, and the top too. */
void hak_bin_flush(struct hak_heap *heap, unsigned class, uint32_t keep, uint32_t max) {
    struct hak_bin_cold *cold = &heap->cold[class];
    uint32_t count = hak_heap_bin_count(heap, class);
    if (count <= keep) return;
    max = count - keep < max ? count - keep : max;
    bin_flush_slots(heap, class, &cold->base[cold->floor + 1], max);
    cold->floor = (uint16_t)(cold->floor + max);
    cold->base[cold->floor].block = NULL;
}

/* Makes room in a bin without a floor.  The newest blocks stay, as they are in the processor's
 * caches, and move down; what goes is below them: one block where each has a slab to itself, and
 * several together are no cheaper. */
static void bin_spill(struct hak_heap *heap, unsigned class) {
    struct hak_bin *bin = &heap->bin[class];
    uint32_t count = hak_heap_bin_count(heap, class);
    uint32_t keep = class > HAK_SHARED_CLASSES ? count - 1
                                               : hak_magazine_level(&heap->cold[class], -1);
    uint32_t moved = keep < HAK_BATCH_MAX ? keep : HAK_BATCH_MAX;
    uint32_t flushed = count - keep < HAK_BATCH_MAX ? count - keep : HAK_BATCH_MAX;
    struct hak_slot *first = bin->top + 1 - moved - flushed;
    bin_flush_slots(heap, class, first, flushed);
    memmove(first, first + flushed, moved * sizeof *first);
    bin->top -= flushed;
}

void hak_bin_clear(struct hak_heap *heap, unsigned class) {
    hak_bin_flush(heap, class, 0, UINT32_MAX);
    hak_bin_drop_kept(heap, class);
}

void hak_bin_clear_all(struct hak_heap *heap) {
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) hak_bin_clear(heap, class);
}

size_t hak_bin_thin_all(struct hak_heap *heap, const _Atomic uint32_t *stop) {
    size_t bytes = 0;
    for (unsigned class = 1; class <= HAK_SHARED_CLASSES; class ++) {
        struct hak_slab *slab = heap->cold[class].partial;
        for (; slab; slab = slab->next) {
            if (stop && atomic_load_explicit(stop, memory_order_relaxed)) return bytes;
            bytes += hak_slab_thin(slab);
        }
    }
    return bytes;
}

void hak_bin_retire(struct hak_heap *heap) {
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) {
        struct hak_bin *bin = &heap->bin[class];
        struct hak_bin_cold *cold = &heap->cold[class];
        struct hak_slot *old = cold->base;
        if (old == hak_slots_none() && !cold->kept) continue; /* was not in use */
        uint32_t half = cold->capacity / 2u, first = hak_heap_first_capacity(class);
        hak_bin_clear(heap, class);
        cold->capacity = (uint16_t)(half > first ? half : first);
        cold->floor = 0;
        cold->young = 0;
        bin->top = bin->limit = cold->base = hak_slots_none();
        hak_slots_keep(heap, old);
    }
}

/* Moves the blocks of a bin with a floor down to the base. */
static void bin_settle(struct hak_heap *heap, unsigned class) {
    struct hak_bin_cold *cold = &heap->cold[class];
    uint32_t count = hak_heap_bin_count(heap, class);
    memmove(cold->base + 1, cold->base + cold->floor + 1, count * sizeof *cold->base);
    cold->floor = 0;
    heap->bin[class].top = cold->base + count;
}

/* Makes room in a full bin, unless there is no memory for it.  Returns whether there is some. */
static __attribute__((noinline)) bool bin_overflow(struct hak_heap *heap, unsigned class) {
    struct hak_bin *bin = &heap->bin[class];
    struct hak_bin_cold *cold = &heap->cold[class];
    if (!hak_magazine_ready(heap, class)) return false;
    if (bin->top < bin->limit) return true;
    if (!cold->floor) {
        if (!cold->was_flushed) hak_magazine_turn(heap, class);
        cold->was_flushed = 1;
        if (bin->top < bin->limit) return true;
        bin_spill(heap, class);
    } else {
        bin_settle(heap, class);
    }
    return bin->top < bin->limit;
}

void hak_bin_push(struct hak_heap *heap, unsigned class, struct hak_block *block) {
    struct hak_bin *bin = &heap->bin[class];
    uint64_t *used = heap->mark ? hak_used_find(block).word : NULL;
    if (hak_likely(hak_bin_try_push(bin, block, used))) return;
    if (!bin_overflow(heap, class) || !hak_bin_try_push(bin, block, used))
        hak_bin_return(heap, block);
}
