/* SPDX-License-Identifier: MIT
 *
 * Where parcels come from and go to.  Header: heap/parcel.h.
 */
#include "heap/parcel.h"

#include "span/arena.h"

/* Of one heap: 16 KiB, for 1792 blocks on their way.  More are chained. */
#define PARCEL_MAX (HAK_STRESS ? 3u : 64u)

static struct hak_parcel *parcel_make(struct hak_heap *heap) {
    if (heap->parcels_made >= PARCEL_MAX) return NULL;
    struct hak_parcel *parcel = hak_arena_alloc(sizeof *parcel, HAK_CACHE_LINE);
    if (!parcel) return NULL;
    parcel->home = heap;
    heap->parcels_made++;
    return parcel;
}

struct hak_parcel *hak_parcel_take(struct hak_heap *heap) {
    struct hak_parcel *parcel = heap->parcels;
    if (!parcel && atomic_load_explicit(&heap->returned, memory_order_relaxed)) {
        /* acquire: pairs with the release in hak_parcel_return */
        parcel = atomic_exchange_explicit(&heap->returned, NULL, memory_order_acquire);
    }
    if (!parcel) return parcel_make(heap);
    heap->parcels = (struct hak_parcel *)parcel->next; /* torn before this: they are lost */
    return parcel;
}

void hak_parcel_return(struct hak_parcel *parcel) {
    struct hak_heap *home = parcel->home;
    struct hak_parcel *first = atomic_load_explicit(&home->returned, memory_order_relaxed);
    do {
        parcel->next = (uintptr_t)first;
        /* release: its home writes to it after all that was read here */
    } while (!atomic_compare_exchange_weak_explicit(&home->returned, &first, parcel,
                                                    memory_order_release, memory_order_relaxed));
}
