/* SPDX-License-Identifier: MIT
 *
 * Blocks that come home: what heap/bin.c does with those that other threads have freed, and with
 * slabs whose last block has come.
 */
#include "engine.h"

#include "config/option.h"
#include "heap/bin.h"
#include "slab/used.h"

static struct hak_heap *make(const char *mode) {
    engine_mode(mode);
    hak_option_init();
    struct hak_heap *heap = hak_heap_make(HAK_HEAP_THREAD);
    assert_non_null(heap);
    return heap;
}

static struct hak_block *take(struct hak_heap *heap, unsigned class) {
    bool zeroed;
    return hak_bin_take(heap, class, &zeroed);
}

static uint32_t length(const struct hak_heap *heap, unsigned class) {
    return hak_heap_bin_count(heap, class);
}

/* Moves the blocks of a bin to their slabs, as a slow path would. */
static void flush(struct hak_heap *heap, unsigned class) {
    hak_heap_enter(&hak_tls);
    hak_bin_flush(heap, class, 0, UINT32_MAX);
    hak_heap_leave(&hak_tls);
}

static void look(struct hak_heap *heap, unsigned class) {
    hak_heap_enter(&hak_tls);
    heap->idle_class = class - 1;
    hak_bin_idle(heap);
    hak_heap_leave(&hak_tls);
}

/* The thread's heap keeps one empty slab of a class, until two looks have found it so. */
static void test_an_empty_slab_is_kept(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    static const size_t sizes[] = {16, 1000, 4096};
    for (size_t i = 0; i < UNIT_COUNT(sizes); i++) {
        unsigned class = hak_class_of(sizes[i]);
        void *block = hak_malloc(sizes[i]);
        struct hak_heap *heap = hak_tls.heap;
        struct hak_bin_cold *cold = &heap->cold[class];
        hak_free(block);
        assert_null(cold->kept); /* its blocks are in the magazine */
        flush(heap, class);
        struct hak_slab *slab = cold->kept;
        assert_ptr_equal(slab, hak_slab_of(block));
        engine_check_heaps();

        block = hak_malloc(sizes[i]); /* taken again */
        assert_ptr_equal(hak_slab_of(block), slab);
        assert_null(cold->kept);
        hak_free(block);

        flush(heap, class);
        assert_ptr_equal(cold->kept, slab);
        look(heap, class);
        assert_ptr_equal(cold->kept, slab);
        look(heap, class);
        assert_null(cold->kept);
        assert_null(cold->partial);
        engine_check_heaps();
    }
}

/* A second one is not kept, nor any that has more than a unit, nor another heap's. */
static void test_what_is_not_kept(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    static void *block[200];
    for (size_t i = 0; i < UNIT_COUNT(block); i++) block[i] = hak_malloc(1000); /* four slabs */
    struct hak_heap *heap = hak_tls.heap;
    unsigned class = hak_class_of(1000);
    for (size_t i = 0; i < UNIT_COUNT(block); i++) hak_free(block[i]);
    hak_free(hak_malloc(200 * KIB));
    flush(heap, class);
    flush(heap, hak_class_of(200 * KIB));
    assert_non_null(heap->cold[class].kept);
    assert_ptr_equal(heap->cold[class].partial, heap->cold[class].kept);
    assert_null(heap->cold[class].partial->next);
    assert_null(heap->cold[hak_class_of(200 * KIB)].partial);

    struct hak_heap *other = make("fast");
    hak_bin_return(other, take(other, 1));
    hak_bin_flush_all(other);
    assert_null(other->cold[1].partial);
    hak_collect();
    assert_null(heap->cold[class].partial);
}

/* Blocks that come back are put below the others, in a bin that leaves room for them. */
static void check_below(const char *mode) {
    if (HAK_STRESS) return;
    struct hak_heap *heap = make(mode);
    unsigned class = hak_class_of(100);
    struct hak_bin_cold *cold = &heap->cold[class];
    struct hak_block *first = take(heap, class), *second = take(heap, class);
    assert_false(hak_bin_try_push_below(heap, class, first, NULL)); /* it was not expected */
    while (length(heap, class)) take(heap, class);
    take(heap, class); /* a refill */
    uint32_t room = cold->floor, count = length(heap, class);
    assert_true(room > 0 && room + count < cold->capacity);
    struct hak_block *on_top = heap->bin[class].top->block;
    for (unsigned i = 0; i < 2; i++) {
        struct hak_block *block = i ? second : first;
        struct hak_used_bit at = hak_used_find(block);
        if (heap->mark) assert_true(hak_used_clear(at));
        assert_true(hak_bin_try_push_below(heap, class, block, at.word));
    }
    assert_int_equal(length(heap, class), count + 2);
    assert_ptr_equal(heap->bin[class].top->block, on_top);
    engine_check_heaps();
    while (length(heap, class) > 2) take(heap, class);
    assert_ptr_equal(take(heap, class), first);
    assert_ptr_equal(take(heap, class), second);
    assert_int_equal(length(heap, class), 0);
    for (unsigned i = 0; i <= HAK_BIN_RETURNS; i++) { /* it is not expected for ever */
        while (length(heap, class)) take(heap, class);
        take(heap, class);
    }
    assert_int_equal(cold->floor, 0);
}

static void test_below_in_fast_mode(void **state) {
    (void)state;
    check_below("fast");
}

static void test_below_in_checked_mode(void **state) {
    (void)state;
    check_below("checked");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_an_empty_slab_is_kept),
        ISOLATED(test_what_is_not_kept),
        ISOLATED(test_below_in_fast_mode),
        ISOLATED(test_below_in_checked_mode),
    };
    return cmocka_run_group_tests_name("whole/returns", tests, NULL, NULL);
}
