/* SPDX-License-Identifier: MIT
 *
 * The sizes of magazines and of batches.  Header: heap/magazine.h.
 */
#include "heap/magazine.h"

#include "config/option.h"
#include "heap/slots.h"
#include "span/purge.h"

#include <string.h>

/* So often a magazine is refilled and flushed in turn, since the last look for idle ones, before it
 * grows: its array is memory, too. */
#define MAGAZINE_TURNS 4u

/* Refills, or flushes, in a row after which more are expected. */
#define MAGAZINE_DRIFT 4

/* A thread's first refills of a class bring few blocks: 2, then 4.  Many threads need no more. */
#define MAGAZINE_YOUNG 2u

/* A magazine that may hold more than so many bytes grows only while those of the whole heap may
 * hold less than magazine_bytes, so many times. */
#define MAGAZINE_SMALL_BYTES ((size_t)64 << 10)
#define MAGAZINE_CLASSES     16u

/* While memory is tight a magazine has room for no more than that. */
#define MAGAZINE_TIGHT_BYTES  ((size_t)8 << 10)
#define MAGAZINE_TIGHT_BLOCKS 31u

/* So many slabs of a class are many. */
#define MAGAZINE_MANY_SLABS 4u

/* A magazine that grows because its class does has room for no more than this share of what that
 * has. */
#define MAGAZINE_FOLLOW_SHARE 128u

/* What is made resident ahead is no more than this share of the slabs of its class. */
#define MAGAZINE_AHEAD_SHARE 32u

uint32_t hak_magazine_max(unsigned class) {
    if (HAK_STRESS) return 1;
    size_t bytes = (size_t)hak_option_int(HAK_OPTION_MAGAZINE_BYTES);
    size_t blocks = (size_t)hak_option_int(HAK_OPTION_MAGAZINE_BLOCKS);
    if (hak_purge_is_tight()) {
        bytes = hak_min_size(bytes, MAGAZINE_TIGHT_BYTES);
        blocks = hak_min_size(blocks, MAGAZINE_TIGHT_BLOCKS);
    }
    blocks = hak_min_size(blocks, bytes / hak_class_table[class].block_bytes);
    if (blocks > 3 && hak_is_power_of_two(blocks)) blocks--; /* an array has a slot without one */
    return blocks ? (uint32_t)blocks : 1;
}

void hak_magazine_resize(struct hak_heap *heap, unsigned class, uint32_t capacity) {
    struct hak_bin *bin = &heap->bin[class];
    struct hak_bin_cold *cold = &heap->cold[class];
    if (hak_slots_room(cold->base, capacity) < capacity) {
        struct hak_slot *old = cold->base, *larger = hak_slots_new(heap, capacity);
        if (!larger) return;
        uint32_t count = hak_heap_bin_count(heap, class);
        memcpy(larger + 1, old + cold->floor + 1, count * sizeof *old);
        cold->base = larger;
        cold->floor = 0;
        bin->top = larger + count;
        hak_slots_keep(heap, old);
    }
    cold->capacity = (uint16_t)capacity;
    bin->limit = cold->base + capacity;
}

/* How much more the magazines of all classes may hold.  What a class may have in any case is
 * little, or one block. */
static size_t magazine_bytes_left(const struct hak_heap *heap) {
    size_t max = MAGAZINE_CLASSES * (size_t)hak_option_int(HAK_OPTION_MAGAZINE_BYTES), used = 0;
    for (unsigned class = 1; class <= HAK_CLASSES; class ++)
        used += (size_t)(heap->cold[class].capacity - 1) * hak_class_table[class].block_bytes;
    return used < max ? max - used : 0;
}

void hak_magazine_turn(struct hak_heap *heap, unsigned class) {
    if (++heap->cold[class].turns < MAGAZINE_TURNS) return;
    heap->cold[class].turns = 0;
    size_t size = hak_class_table[class].block_bytes, capacity = heap->cold[class].capacity;
    size_t wanted = hak_min_size(capacity * 2 + 1, hak_magazine_max(class));
    if (wanted > capacity && wanted * size > MAGAZINE_SMALL_BYTES &&
        (wanted - capacity) * size > magazine_bytes_left(heap))
        wanted = hak_max_size(MAGAZINE_SMALL_BYTES / size, capacity);
    hak_magazine_resize(heap, class, (uint32_t)wanted);
}

/* A program that allocates for a while, and has much of the class already, is given a batch at each
 * refill: not of blocks with a slab to themselves, of which a refill brings one. */
void hak_magazine_follow(struct hak_heap *heap, unsigned class) {
    struct hak_bin_cold *cold = &heap->cold[class];
    if (class > HAK_SHARED_CLASSES || cold->drift < MAGAZINE_DRIFT - 1 ||
        cold->slabs < MAGAZINE_MANY_SLABS)
        return;
    const struct hak_class *info = &hak_class_table[class];
    size_t share = (size_t)cold->slabs * info->capacity / MAGAZINE_FOLLOW_SHARE;
    size_t wanted = hak_min_size(hak_min_size(cold->capacity * 2u + 1, HAK_BATCH_MAX - 1), share);
    if (wanted <= cold->capacity) return;
    wanted = hak_min_size(wanted, hak_magazine_max(class));
    if (wanted > cold->capacity) hak_magazine_resize(heap, class, (uint32_t)wanted);
}

bool hak_magazine_ready(struct hak_heap *heap, unsigned class) {
    if (heap->cold[class].base == hak_slots_none())
        hak_magazine_resize(heap, class, heap->cold[class].capacity);
    return heap->cold[class].base != hak_slots_none();
}

/* Half of what it has room for: in the middle between the next flush and the next refill.  After a
 * few of the same kind in a row the program is seen to allocate, or to free, for a while, and it
 * has almost all, or almost none. */
uint32_t hak_magazine_level(struct hak_bin_cold *cold, int step) {
    int drift = cold->drift * step > 0 ? cold->drift + step : step;
    uint32_t capacity = cold->capacity;
    if (drift < MAGAZINE_DRIFT && drift > -MAGAZINE_DRIFT) {
        cold->drift = (int8_t)drift;
        return capacity / 2;
    }
    return step > 0 ? capacity - capacity / 8 : capacity / 8;
}

unsigned hak_magazine_batch(struct hak_bin_cold *cold) {
    uint32_t level = hak_magazine_level(cold, 1);
    if (cold->young < MAGAZINE_YOUNG)
        level = (uint32_t)hak_min_size(level, (size_t)2 << cold->young++);
    return level > HAK_BATCH_MAX ? HAK_BATCH_MAX : level ? level : 1;
}

/* A class that has many slabs fills the next one, too.  Of blocks above a page a program may leave
 * whole pages alone. */
size_t hak_magazine_ahead(const struct hak_heap *heap, unsigned class) {
    size_t slabs = heap->cold[class].slabs;
    if (slabs < MAGAZINE_MANY_SLABS || hak_class_table[class].block_bytes > HAK_PAGE_BYTES_MIN)
        return 0;
    size_t ahead = slabs * (HAK_UNIT_BYTES / MAGAZINE_AHEAD_SHARE);
    return hak_min_size(ahead & ~(size_t)(HAK_PAGE_BYTES_MIN - 1), HAK_UNIT_BYTES);
}
