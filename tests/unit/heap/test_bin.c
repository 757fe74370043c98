/* SPDX-License-Identifier: MIT
 *
 * heap/bin.c: refill and flush, and magazines that follow use; H1, H3, H6, S1.
 *
 * The heaps here belong to the test: it works on them as a thread inside its slow path would.
 */
#include "engine.h"

#include "config/option.h"
#include "heap/bin.h"
#include "heap/idle.h"
#include "heap/magazine.h"
#include "heap/registry.h"
#include "heap/remote.h"
#include "slab/used.h"
#include "span/arena.h"
#include "span/region.h"

static unsigned length(const struct hak_heap *heap, unsigned class) {
    const struct hak_slot *top = heap->bin[class].top;
    unsigned count = 0;
    for (; top->block; top--, count++) {
        const struct hak_slab *slab = hak_slab_of(top->block);
        assert_int_equal(slab->class, class);
        assert_int_equal(slab->owner, heap->id); /* H1 */
    }
    assert_int_equal(hak_heap_bin_count(heap, class), count);
    return count;
}

/* The sources of a refill, in their order, each counted. */
static void test_sources(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    struct hak_heap *heap = engine_heap("fast");
    struct hak_heap_counts *counts = &heap->counts;
    unsigned class = hak_class_of(1000);
    struct hak_block *block[64];
    unsigned held = 0;
    block[held++] = engine_take(heap, class);
    assert_int_equal(counts->refill_fresh, 1);
    while (!counts->refill_carve) block[held++] = engine_take(heap, class);
    /* what is free in the slab before what is untouched */
    hak_bin_clear_all(heap);
    hak_bin_return(heap, block[--held]);
    block[held++] = engine_take(heap, class);
    assert_int_equal(counts->refill_slab, 1);
    /* what others freed before anything else */
    hak_bin_clear_all(heap);
    hak_remote_free_now(block[--held], hak_tag_make(heap->id, class));
    struct hak_block *expected = block[held];
    assert_ptr_equal(engine_take(heap, class), expected);
    assert_int_equal(counts->refill_inbox, 1);
    assert_int_equal(counts->refill_failed, 0);
    /* and the sum is right */
    assert_int_equal(heap->cold[class].refills, counts->refill_inbox + counts->refill_slab +
                                                    counts->refill_carve + counts->refill_adopted +
                                                    counts->refill_fresh);
}

/* An array of a power of two has a slot less for blocks. */
static size_t capacity_of(size_t most) {
    most = hak_min_size(most, 2048);
    return most > 3 && hak_is_power_of_two(most) ? most - 1 : most;
}

/* H6, for every class and every size of magazine. */
static void test_batches_are_bounded(void **state) {
    (void)state;
    struct hak_heap *heap = engine_heap("fast");
    hak_option_write("magazine_blocks", "2048");
    hak_option_write("magazine_bytes", "64M");
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) {
        for (int i = 0; i < 12 * 4; i++) { /* refilled after a flush, often: grows */
            heap->cold[class].was_flushed = 1;
            struct hak_block *block = engine_take(heap, class);
            assert_in_range(length(heap, class), 0, HAK_BATCH_MAX - 1);
            hak_bin_push(heap, class, block);
            hak_bin_flush(heap, class, 0, UINT32_MAX);
        }
        size_t most = 64 * MIB / hak_class_table[class].block_bytes;
        assert_int_equal(heap->cold[class].capacity, HAK_STRESS ? 1 : capacity_of(most));
        hak_magazine_resize(heap, class, 1); /* of what all may have the next one needs much */
    }
    engine_check_span();
}

/* A program that needs many blocks of each size by turns gets no more than 16 of the largest
 * magazines and, for each class, 64 KiB, or one block. */
static void test_total(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    struct hak_heap *heap = engine_heap("fast");
    size_t most = 0, total = 0, single = 0;
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) {
        for (int i = 0; i < 12 * 4; i++) {
            heap->cold[class].was_flushed = 1;
            struct hak_block *block = engine_take(heap, class);
            hak_bin_push(heap, class, block);
            hak_bin_flush(heap, class, 0, UINT32_MAX);
        }
        size_t size = hak_class_table[class].block_bytes;
        most += hak_min_size(MIB, 1024 * size);
        total += heap->cold[class].capacity * size;
        single += size;
        assert_true(heap->cold[class].capacity * size > hak_min_size(31 * KIB, 1000 * size));
    }
    assert_true(most > 60 * MIB);
    assert_in_range(total, 15 * MIB, 16 * MIB + single + HAK_SHARED_CLASSES * 64 * KIB);
}

static void test_overflow(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    struct hak_heap *heap = engine_heap("fast");
    static struct hak_block *block[4000];
    unsigned class = hak_class_of(32);
    engine_take_all(heap, class, block, UNIT_COUNT(block));
    hak_bin_clear_all(heap);
    for (size_t i = 0; i < UNIT_COUNT(block); i++) {
        unsigned before = length(heap, class);
        hak_bin_push(heap, class, block[i]);
        unsigned after = length(heap, class);
        assert_true(after <= heap->cold[class].capacity);
        assert_true(before + 1 - after <= HAK_BATCH_MAX); /* H6 */
        const struct hak_slot *top = heap->bin[class].top;
        size_t newest = hak_min_size(after, heap->cold[class].capacity / 8);
        for (size_t k = 0; k < newest; k++)
            assert_ptr_equal(top[-(ptrdiff_t)k].block, block[i - k]);
    }
    engine_check_span();
}

/* A used magazine is not idle. */
static void test_busy_magazine_is_kept(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    struct hak_heap *heap = engine_heap("fast");
    unsigned class = hak_class_of(64);
    struct hak_block *block[10];
    engine_take_all(heap, class, block, 10);
    hak_bin_clear_all(heap);
    struct hak_block *one = engine_take(heap, class); /* a refill */
    hak_bin_push(heap, class, one);
    unsigned count = length(heap, class);
    for (unsigned i = 0; i < HAK_CLASSES / 8; i++) hak_idle_look(heap);
    assert_int_equal(length(heap, class), count);
}

static void test_flush_keeps_and_stops(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    struct hak_heap *heap = engine_heap("fast");
    unsigned class = hak_class_of(16);
    static struct hak_block *block[15];
    engine_take_all(heap, class, block, 15);
    hak_bin_clear_all(heap);
    for (int i = 0; i < 15; i++) hak_bin_push(heap, class, block[i]);
    assert_int_equal(length(heap, class), 15);
    hak_bin_flush(heap, class, 12, UINT32_MAX);
    assert_int_equal(length(heap, class), 12);
    hak_bin_flush(heap, class, 0, 5);
    assert_int_equal(length(heap, class), 7);
    hak_bin_flush(heap, class, 7, UINT32_MAX);
    assert_int_equal(length(heap, class), 7);
    hak_bin_flush(heap, class, 0, UINT32_MAX);
    assert_int_equal(length(heap, class), 0);
}

/* Blocks of many slabs in one magazine; a slab that becomes empty goes back (S1). */
static void test_empty_slabs_go_back(void **state) {
    (void)state;
    struct hak_heap *heap = engine_heap("fast");
    struct engine_random random = {5};
    static struct hak_block *block[3000];
    for (unsigned class = 1; class <= hak_class_of(40 * KIB); class += 3) {
        size_t count = hak_min_size(UNIT_COUNT(block),
                                    4 * MIB / hak_class_table[class].block_bytes);
        engine_take_all(heap, class, block, (unsigned)count);
        for (size_t i = count; i > 1; i--) {
            size_t other = engine_below(&random, i);
            struct hak_block *swapped = block[i - 1];
            block[i - 1] = block[other];
            block[other] = swapped;
        }
        for (size_t i = 0; i < count; i++) hak_bin_push(heap, class, block[i]);
        hak_bin_clear_all(heap);
        assert_null(heap->cold[class].partial);
        engine_check_span();
    }
    for (uint32_t i = 0; i < hak_region_count(); i++) {
        struct hak_region *region = hak_region_at(i);
        assert_int_equal(__builtin_popcountll(atomic_load(&region->free_slots)), region->slots);
    }
}

static void test_zeroed(void **state) {
    (void)state;
    struct hak_heap *heap = engine_heap("fast");
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) {
        for (int i = 0; i < 40; i++) {
            bool zeroed;
            size_t size = hak_class_table[class].block_bytes;
            struct hak_block *block = hak_bin_take(heap, class, &zeroed);
            if (zeroed) assert_true(engine_is_zero(block, size));
            engine_fill(block, size, 1);
            if (i % 3) hak_bin_push(heap, class, block);
        }
        hak_bin_clear_all(heap);
    }
}

static void test_without_memory(void **state) {
    (void)state;
    struct hak_heap *heap = engine_heap("fast");
    fake_page_fail(FAKE_ALL, 1, FAKE_FOR_EVER);
    assert_null(engine_take(heap, 1));
    assert_int_equal(heap->counts.refill_failed, 1);
    assert_int_equal(length(heap, 1), 0);
    fake_page_fail_never();
    assert_non_null(engine_take(heap, 1));
}

/* Memory for a slab, but none for a larger magazine, or for one at all. */
static void test_without_memory_for_a_magazine(void **state) {
    (void)state;
    struct hak_heap *heap = engine_heap("fast");
    static struct hak_block *block[600];
    unsigned class = hak_class_of(64), other = hak_class_of(500);
    engine_take_all(heap, class, block, 8);
    hak_bin_push(heap, other, engine_take(heap, other));
    hak_bin_clear_all(heap);
    while (hak_arena_alloc(HAK_CACHE_LINE, HAK_CACHE_LINE)) { /* the chunk is used up */
        fake_page_fail(FAKE_ALL, 1, FAKE_FOR_EVER);
    }
    for (int round = 0; round < 4; round++) {
        engine_take_all(heap, class, block, UNIT_COUNT(block));
        for (size_t i = 0; i < UNIT_COUNT(block); i++) hak_bin_push(heap, class, block[i]);
        assert_in_range(length(heap, class), 1, heap->cold[class].capacity);
    }
    unsigned unused = hak_class_of(100);
    struct hak_slab *slab = hak_slab_new(heap->id, unused);
    assert_non_null(slab); /* of the superslab that is there */
    hak_heap_slab_add(heap, slab);
    struct hak_block *one = engine_take(heap, unused), *two = engine_take(heap, unused);
    assert_ptr_not_equal(one, two);
    assert_int_equal(length(heap, unused), 0);
    hak_bin_push(heap, unused, one);
    assert_int_equal(slab->used, 1);
    assert_ptr_equal(engine_take(heap, unused), one);
    engine_check_heaps();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_sources),
        ISOLATED(test_batches_are_bounded),
        ISOLATED(test_total),
        ISOLATED(test_overflow),
        ISOLATED(test_busy_magazine_is_kept),
        ISOLATED(test_flush_keeps_and_stops),
        ISOLATED(test_empty_slabs_go_back),
        ISOLATED(test_zeroed),
        ISOLATED(test_without_memory),
        ISOLATED(test_without_memory_for_a_magazine),
    };
    return cmocka_run_group_tests_name("heap/bin", tests, NULL, NULL);
}
