/* SPDX-License-Identifier: MIT
 *
 * heap/magazine.c: magazines and batches that follow use.
 *
 * The heaps here belong to the test: it works on them as a thread inside its slow path would.
 */
#include "engine.h"

#include "config/option.h"
#include "heap/bin.h"
#include "heap/idle.h"
#include "heap/magazine.h"

static unsigned length(const struct hak_heap *heap, unsigned class) {
    return hak_heap_bin_count(heap, class);
}

/* Grows while it is refilled and flushed in turn, up to the limits; shrinks when it is idle. */
static void test_growth(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    struct hak_heap *heap = engine_heap("fast");
    static struct hak_block *block[1000], *held[100];
    unsigned class = hak_class_of(64), least = heap->cold[class].capacity;
    engine_take_all(heap, class, held, UNIT_COUNT(held));
    for (int round = 0; round < 20; round++) {
        engine_take_all(heap, class, block, UNIT_COUNT(block));
        for (size_t i = 0; i < UNIT_COUNT(block); i++) hak_bin_push(heap, class, block[i]);
    }
    assert_int_equal(heap->cold[class].capacity, 1023);
    assert_true(least < 256);
    for (int i = 0; i < 40 * (int)HAK_CLASSES; i++) hak_idle_look(heap);
    assert_int_equal(length(heap, class), 1); /* see idle_shrink */
    assert_true(heap->cold[class].capacity < 64);
    assert_ptr_equal(heap->bin[class].limit, heap->cold[class].base + heap->cold[class].capacity);
    /* what was flushed from below leaves room when the top reaches the limit */
    unsigned capacity = heap->cold[class].capacity;
    for (unsigned i = 0; i < capacity + 1; i++) hak_bin_push(heap, class, held[i]);
    assert_true(length(heap, class) > capacity / 8);
    assert_int_equal(heap->cold[class].floor, 0);
}

/* Above 32 KiB, too: a program with several large buffers that come and go has them at hand, and
 * what does not fit is one block at a time. */
static void test_large(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    struct hak_heap *heap = engine_heap("fast");
    static struct hak_block *block[6];
    unsigned class = hak_class_of(300000);
    struct hak_bin_cold *cold = &heap->cold[class];
    assert_int_equal(cold->capacity, 1);
    for (int round = 0; round < 10; round++) {
        engine_take_all(heap, class, block, 3);
        for (unsigned i = 0; i < 3; i++) hak_bin_push(heap, class, block[i]);
    }
    assert_int_equal(cold->capacity, 3); /* a MiB */
    assert_int_equal(length(heap, class), 3);
    uint64_t before = cold->refills;
    engine_take_all(heap, class, block, UNIT_COUNT(block));
    assert_int_equal(cold->refills, before + 3);
    for (unsigned i = 0; i < UNIT_COUNT(block); i++) hak_bin_push(heap, class, block[i]);
    assert_int_equal(length(heap, class), 3);
    assert_ptr_equal(heap->bin[class].top->block, block[5]);
    for (int i = 0; i < 8 * (int)HAK_CLASSES; i++) hak_idle_look(heap);
    assert_int_equal(length(heap, class), 0);
    /* one that only takes gets no larger ones */
    static struct hak_block *many[600];
    class = hak_class_of(41000);
    engine_take_all(heap, class, many, UNIT_COUNT(many));
    assert_int_equal(heap->cold[class].capacity, 1);
    engine_check_span();
}

/* A refill leaves as much room as blocks; a program that only allocates gets more at a time, and
 * one that only frees has less left each time, until it turns. */
static void test_drift(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    struct hak_heap *heap = engine_heap("fast");
    static struct hak_block *block[200];
    unsigned class = hak_class_of(64), capacity = heap->cold[class].capacity, count = 0, most = 0;
    while (count < UNIT_COUNT(block)) {
        block[count++] = engine_take(heap, class);
        if (heap->cold[class].refills == 1) assert_true(length(heap, class) < capacity / 2);
        most = length(heap, class) > most ? length(heap, class) : most;
    }
    assert_in_range(most, capacity * 3 / 4, capacity - 2);
    assert_int_equal(heap->cold[class].capacity, capacity);
    unsigned least = capacity;
    while (count) {
        unsigned before = length(heap, class);
        hak_bin_push(heap, class, block[--count]);
        if (length(heap, class) <= before && length(heap, class) < least)
            least = length(heap, class);
    }
    assert_in_range(least, 1, capacity / 4);
}

static void take_slabs(struct hak_heap *heap, unsigned class, unsigned slabs) {
    while (heap->cold[class].slabs < slabs) assert_non_null(engine_take(heap, class));
}

/* The first refills of a thread bring few blocks. */
static void test_young(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    struct hak_heap *heap = engine_heap("fast");
    unsigned class = hak_class_of(64);
    for (int life = 0; life < 2; life++) {
        struct hak_block *block[16];
        uint64_t before = heap->cold[class].refills;
        engine_take_all(heap, class, block, 2);
        assert_int_equal(heap->cold[class].refills - before, 1);
        assert_int_equal(length(heap, class), 0);
        engine_take_all(heap, class, block + 2, 4);
        assert_int_equal(heap->cold[class].refills - before, 2);
        assert_int_equal(length(heap, class), 0);
        hak_bin_return_all(heap, (struct hak_slot[]){{.block = block[0]}, {.block = block[1]}}, 2);
        hak_bin_retire(heap);
    }
}

/* A class that grows and grows gets whole batches, from pages that come many at a time. */
static void test_follow(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    struct hak_heap *heap = engine_heap("fast");
    unsigned small = hak_class_of(512), first = heap->cold[small].capacity;
    unsigned long calls = fake_page_calls(FAKE_POPULATE);
    take_slabs(heap, small, 3);
    assert_int_equal(heap->cold[small].capacity, first);
    assert_int_equal(fake_page_calls(FAKE_POPULATE), calls);
    for (unsigned slabs = 4; slabs < 100; slabs++) {
        take_slabs(heap, small, slabs);
        size_t blocks = (size_t)slabs * hak_class_table[small].capacity;
        assert_true(heap->cold[small].capacity <= hak_max_size(first, blocks / 128));
        if (fake_page_calls(FAKE_POPULATE) == calls) continue;
        calls = fake_page_calls(FAKE_POPULATE);
        assert_true(fake_page_log(FAKE_POPULATE, 0).bytes <= slabs * HAK_UNIT_BYTES / 32);
    }
    assert_int_equal(heap->cold[small].capacity, HAK_BATCH_MAX - 1);
    assert_true(calls > 90);
    /* not of blocks of which whole pages may stay untouched */
    take_slabs(heap, hak_class_of(4097), 100);
    assert_int_equal(fake_page_calls(FAKE_POPULATE), calls);
    engine_check_heaps();
}

static void test_limits(void **state) {
    (void)state;
    struct hak_heap *heap = engine_heap("fast");
    static struct hak_block *block[300];
    hak_option_write("magazine_blocks", "20");
    hak_option_write("magazine_bytes", "4K");
    for (unsigned class = 1; class <= hak_class_of(8 * KIB); class ++) {
        for (int round = 0; round < 10; round++) {
            engine_take_all(heap, class, block, UNIT_COUNT(block));
            for (size_t i = 0; i < UNIT_COUNT(block); i++) hak_bin_push(heap, class, block[i]);
        }
        size_t size = hak_class_table[class].block_bytes, most = 4 * KIB / size;
        most = hak_max_size(hak_min_size(most, 20), 1);
        if (heap->cold[class].capacity > hak_max_size(most, hak_min_size(16, 8 * KIB / size))) {
            fail_msg("blocks of %zu: magazine of %u", size, heap->cold[class].capacity);
        }
        assert_true(length(heap, class) <= heap->cold[class].capacity);
    }
}

/* A lower limit holds for magazines that have grown already. */
static void test_lowered_limit(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    struct hak_heap *heap = engine_heap("fast");
    static struct hak_block *block[1000];
    unsigned class = hak_class_of(64);
    for (int round = 0; round < 20; round++) {
        if (round == 10) hak_option_write("magazine_blocks", "8");
        engine_take_all(heap, class, block, UNIT_COUNT(block));
        for (size_t i = 0; i < UNIT_COUNT(block); i++) hak_bin_push(heap, class, block[i]);
    }
    assert_int_equal(heap->cold[class].capacity, 7);
    assert_true(length(heap, class) <= 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_growth),        ISOLATED(test_large),  ISOLATED(test_drift),
        ISOLATED(test_young),         ISOLATED(test_follow), ISOLATED(test_limits),
        ISOLATED(test_lowered_limit),
    };
    return cmocka_run_group_tests_name("heap/magazine", tests, NULL, NULL);
}
