/* SPDX-License-Identifier: MIT
 *
 * front/heaps.c: first-class heaps and giving memory back, through hakmem.h.
 */
#include "engine.h"

#include "heap/heap.h"
#include "heap/registry.h"

#include <string.h>

/* Blocks of every kind, some freed, the rest destroyed with the heap. */
static void test_heap(void **state) {
    (void)state;
    struct engine_random random = {31};
    fake_page_reuse(true);
    for (int round = 0; round < 10; round++) {
        static struct engine_table table;
        struct hak_heap *heap = hak_heap_new();
        assert_non_null(heap);
        for (size_t i = 0; i < 300; i++) {
            size_t size = i == 7 ? 50 * MIB : engine_size(&random, 3 * MIB);
            void *block = hak_heap_malloc(heap, size);
            assert_non_null(block);
            assert_true(hak_usable_size(block) >= size);
            engine_enter(&table, i, block, size);
        }
        engine_check_table(&table);
        for (size_t i = 0; i < 300; i += 3) hak_free(engine_leave(&table, i));
        engine_check_table(&table);
        engine_check_span();
        engine_check_census(NULL);
        hak_heap_destroy(heap);
        memset(&table, 0, sizeof table);
        engine_check_empty();
    }
    hak_heap_destroy(NULL);
}

static void test_zeroed_and_aligned(void **state) {
    (void)state;
    struct hak_heap *heap = hak_heap_new();
    for (size_t size = 1; size < 6 * MIB; size *= 3) {
        for (int i = 0; i < 3; i++) {
            void *block = hak_heap_calloc(heap, size, 1);
            assert_true(engine_is_zero(block, size));
            memset(block, 0xff, size);
            hak_free(block);
        }
    }
    for (size_t alignment = 1; alignment <= 64 * MIB; alignment *= 2) {
        void *block = hak_heap_aligned_alloc(heap, alignment, 100);
        assert_int_equal((uintptr_t)block % alignment, 0);
    }
    hak_heap_destroy(heap);
    engine_check_empty();
}

static void test_bad_arguments(void **state) {
    (void)state;
    struct hak_heap *heap = hak_heap_new();
    volatile size_t most = SIZE_MAX; /* the compiler need not know */
    errno = 0;
    assert_null(hak_heap_malloc(heap, most));
    assert_int_equal(errno, ENOMEM);
    errno = 0;
    assert_null(hak_heap_calloc(heap, most / 2, 3));
    assert_int_equal(errno, ENOMEM);
    errno = 0;
    assert_null(hak_heap_aligned_alloc(heap, 24, 100));
    assert_int_equal(errno, EINVAL);
    assert_null(hak_heap_aligned_alloc(heap, 0, 100));
    errno = 0;
    assert_null(hak_heap_aligned_alloc(heap, (size_t)1 << 63, 100));
    assert_int_equal(errno, ENOMEM);
    hak_heap_destroy(heap);
}

/* Freed by a thread that has a heap, by one that has none, and by the one that uses the heap. */
static void test_blocks_are_freed_anywhere(void **state) {
    (void)state;
    static struct fake_thread other;
    struct hak_heap *heap = hak_heap_new();
    void *block[90];
    for (int i = 0; i < 90; i++) block[i] = hak_heap_malloc(heap, 200);
    for (int i = 0; i < 30; i++) hak_free(block[i]);
    struct fake_thread *first = fake_thread_switch(&other);
    for (int i = 30; i < 60; i++) hak_free(block[i]);
    fake_thread_end();
    for (int i = 60; i < 90; i++) hak_free(block[i]);
    fake_thread_switch(first);
    struct hak_stats stats;
    engine_check_census(&stats);
    assert_int_equal(stats.live, 0);
    hak_heap_malloc(heap, 200); /* drains */
    hak_heap_destroy(heap);
    engine_check_empty();
}

/* ---- Giving memory back ---------------------------------------------------------------------- */

static void test_flush_one_class(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    void *block[4];
    for (int i = 0; i < 4; i++) block[i] = hak_malloc(i < 2 ? 64 : 500);
    for (int i = 0; i < 4; i++) hak_free(block[i]);
    int class64 = (int)hak_class_of(64) - 1;
    static const int bad[] = {-1, INT32_MIN, INT32_MAX, (int)HAK_CLASSES};
    for (size_t i = 0; i < UNIT_COUNT(bad); i++) hak_tiny_magazine_flush(bad[i]);
    assert_true(hak_heap_bin_count(hak_tls.heap, hak_class_of(64)) >= 2);
    hak_tiny_magazine_flush(class64);
    assert_int_equal(hak_heap_bin_count(hak_tls.heap, hak_class_of(64)), 0);
    assert_true(hak_heap_bin_count(hak_tls.heap, hak_class_of(500)) >= 2);
    hak_tiny_magazine_flush_all();
    assert_int_equal(hak_heap_bin_count(hak_tls.heap, hak_class_of(500)), 0);
    hak_tiny_magazine_flush(0);
    hak_tiny_magazine_flush((int)HAK_CLASSES - 1);
}

static void test_flush_without_a_heap(void **state) {
    (void)state;
    hak_tiny_magazine_flush_all();
    hak_tiny_magazine_flush(0);
    assert_int_equal(hak_collect(), 0);
    hak_malloc(10);
    fake_thread_end();
    hak_tiny_magazine_flush_all();
    hak_collect();
}

/* The bytes that collect says are those that the kernel took. */
static void test_collect(void **state) {
    (void)state;
    void *keeper = hak_malloc(100), *block = hak_malloc(3 * MIB);
    hak_free(block);
    size_t returned = hak_collect();
    assert_true(returned >= 3 * MIB);
    struct hak_stats stats;
    engine_check_census(&stats);
    assert_int_equal(stats.free_dirty, 0);
    assert_int_equal(hak_collect(), 0);
    assert_int_equal(hak_malloc_trim(0), 0);
    hak_free(keeper);
    assert_int_equal(hak_malloc_trim(1 << 20), 1);
    engine_check_empty();
}

static void test_collect_reaches_ended_threads(void **state) {
    (void)state;
    static struct fake_thread thread[10];
    static void *block[10][100];
    for (size_t i = 0; i < 10; i++) {
        fake_thread_switch(&thread[i]);
        for (size_t j = 0; j < 100; j++) block[i][j] = hak_malloc(100 * j);
    }
    for (size_t i = 0; i < 10; i++) {
        fake_thread_switch(&thread[i]);
        for (size_t j = 0; j < 100; j++) hak_free(block[(i + j) % 10][j]);
        fake_thread_end();
    }
    engine_check_empty();
}

static void test_without_memory(void **state) {
    (void)state;
    hak_free(hak_malloc(10));
    hak_collect();
    fake_page_fail(FAKE_ALL, 1, FAKE_FOR_EVER);
    struct hak_heap *heap = hak_heap_new();
    if (heap) { /* there was room for the descriptor */
        errno = 0;
        assert_null(hak_heap_malloc(heap, 100));
        assert_int_equal(errno, ENOMEM);
        assert_null(hak_heap_malloc(heap, 3 * MIB));
        assert_null(hak_heap_calloc(heap, 3, 100 * MIB));
        fake_page_fail_never();
        assert_non_null(hak_heap_malloc(heap, 100));
        hak_heap_destroy(heap);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_heap),
        ISOLATED(test_zeroed_and_aligned),
        ISOLATED(test_bad_arguments),
        ISOLATED(test_blocks_are_freed_anywhere),
        ISOLATED(test_flush_one_class),
        ISOLATED(test_flush_without_a_heap),
        ISOLATED(test_collect),
        ISOLATED(test_collect_reaches_ended_threads),
        ISOLATED(test_without_memory),
    };
    return cmocka_run_group_tests_name("front/heaps", tests, NULL, NULL);
}
