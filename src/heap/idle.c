/* SPDX-License-Identifier: MIT
 *
 * Looks at magazines.  Header: heap/idle.h.
 */
#include "heap/idle.h"

#include "heap/bin.h"
#include "heap/magazine.h"

/* Classes that one look by the clock takes in, and one before the heap grows. */
#define IDLE_CLASSES         8u
#define IDLE_CLASSES_RECLAIM 2u

/* What idle_shrink leaves alone. */
#define IDLE_LEFT_ALONE 1u

/* Takes blocks out of a bin that the caller of malloc or free was not concerned with: in a signal
 * handler, the interrupted call may be.  Up to HAK_SMALL_MAX that works on the bin without entering
 * the heap's slow path, and has loaded the top, and the block there, or is about to put one above
 * it: both stay as they are. */
static void idle_shrink(struct hak_heap *heap, unsigned class, uint32_t keep, uint32_t max) {
    if (class <= HAK_FAST_CLASSES && keep < IDLE_LEFT_ALONE) keep = IDLE_LEFT_ALONE;
    hak_bin_flush(heap, class, keep, max);
}

/* What can be spared of a class: the same, and the slab that is kept for it. */
static void idle_empty(struct hak_heap *heap, unsigned class, uint32_t max) {
    idle_shrink(heap, class, 0, max);
    hak_bin_drop_kept(heap, class);
}

void hak_idle_shrink_all(struct hak_heap *heap) {
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) idle_empty(heap, class, UINT32_MAX);
}

void hak_idle_squeeze(struct hak_heap *heap) {
    hak_idle_shrink_all(heap);
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) {
        uint32_t most = hak_magazine_max(class);
        if (heap->cold[class].capacity > most) hak_magazine_resize(heap, class, most);
    }
}

/* The class after the last one, which it is then. */
static unsigned idle_next(uint32_t *last) {
    *last = *last % HAK_CLASSES + 1;
    return *last;
}

void hak_idle_look(struct hak_heap *heap) {
    for (unsigned i = 0; i < IDLE_CLASSES; i++) {
        unsigned class = idle_next(&heap->idle_class);
        struct hak_bin_cold *cold = &heap->cold[class];
        uint32_t count = hak_heap_bin_count(heap, class);
        if (!cold->was_refilled && count) {
            idle_shrink(heap, class, count / 2, HAK_BATCH_MAX + count / 4);
            if (count < cold->capacity / 5u && cold->capacity > 1)
                hak_magazine_resize(heap, class, cold->capacity / 2u);
        }
        if (cold->kept && ++cold->kept_looks > 1) hak_bin_drop_kept(heap, class);
        cold->was_refilled = 0;
        cold->turns = 0;
    }
}

/* What changes with each use of a magazine, but for as many mallocs as frees.  (An array has 2048
 * slots at most: heap/slots.h.) */
static uint32_t idle_trace(const struct hak_heap *heap, unsigned class) {
    const struct hak_bin_cold *cold = &heap->cold[class];
    return (uint32_t)(cold->refills + cold->flushes) << 11 | hak_heap_bin_count(heap, class);
}

void hak_idle_reclaim(struct hak_heap *heap) {
    for (unsigned i = 0; i < IDLE_CLASSES_RECLAIM; i++) {
        unsigned class = idle_next(&heap->reclaim_class);
        uint32_t *trace = &heap->cold[class].trace;
        if (*trace == idle_trace(heap, class)) idle_empty(heap, class, HAK_BATCH_MAX);
        *trace = idle_trace(heap, class);
    }
}
