/* SPDX-License-Identifier: MIT
 *
 * front/malloc_fast.c: the hot path of hak_malloc and hak_free, and that everything rare leaves it.
 */
#include "engine.h"

#include "front/fast_path.h"
#include "heap/registry.h"

#include <string.h>

static void start(const char *mode) {
    engine_mode(mode);
    hak_free(hak_malloc(16));
}

/* Last in, first out, and no slow path in between. */
static void check_hits(const char *mode) {
    start(mode);
    for (size_t size = 0; size <= HAK_SMALL_MAX; size += size < 100 ? 1 : 31) {
        void *one = hak_malloc(size), *two = hak_malloc(size);
        assert_ptr_not_equal(one, two);
        assert_int_equal((uintptr_t)one % 16, 0);
        memset(one, 0xff, size);
        memset(two, 0xff, size);
        uint32_t slow = hak_tls.heap->slow_ops;
        unsigned class = hak_class_of(size);
        uint32_t count = hak_heap_bin_count(hak_tls.heap, class);
        if (count + 2 > hak_tls.heap->cold[class].capacity) continue; /* no hits */
        hak_free(one);
        hak_free(two);
        assert_int_equal(hak_heap_bin_count(hak_tls.heap, class), count + 2);
        assert_ptr_equal(hak_malloc(size), two);
        assert_ptr_equal(hak_malloc(size), one);
        assert_int_equal(hak_tls.heap->slow_ops, slow);
    }
    engine_check_heaps();
}

static void test_hits_fast(void **state) {
    (void)state;
    check_hits("fast");
}

static void test_hits_checked(void **state) {
    (void)state;
    check_hits("checked");
}

/* All-zero thread-local data: a new thread, and a thread whose heap is gone; that takes a heap
 * again as long as a destructor is to come that parks it, and nothing is kept for it later. */
static void test_without_a_heap(void **state) {
    (void)state;
    static struct fake_thread other;
    for (int i = 0; i < 2; i++) {
        hak_free(NULL);
        void *block = hak_malloc(100);
        engine_fill(block, 100, 1);
        for (int end = 0; end < 3; end++) {
            fake_thread_end();
            assert_int_equal(hak_tls.state, HAK_TLS_EXITED);
            hak_free(NULL);
            hak_free(hak_malloc(100));
            assert_int_equal(hak_tls.state, end < 2 ? HAK_TLS_READY : HAK_TLS_EXITED);
        }
        void *late = hak_malloc(100), *later = hak_malloc(5000);
        assert_int_equal(hak_tls.state, HAK_TLS_EXITED);
        assert_null(hak_tls.heap);
        engine_fill(late, 100, 2);
        engine_fill(later, 5000, 3);
        assert_true(engine_intact(block, 100, 1));
        assert_true(engine_intact(late, 100, 2));
        hak_free(block);
        hak_free(late);
        hak_free(later);
        hak_free(NULL);
        fake_thread_switch(&other);
    }
}

/* The compare that decides for free: own class, and nothing else, passes. */
static void test_free_of_others(void **state) {
    (void)state;
    static struct fake_thread other;
    start("fast");
    void *block = hak_malloc(64), *huge = hak_malloc(3 * MIB);
    struct fake_thread *first = fake_thread_switch(&other);
    void *more[8]; /* too many in the magazine to borrow another one */
    for (unsigned i = 0; i < UNIT_COUNT(more); i++) more[i] = hak_malloc(64);
    for (unsigned i = 0; i < UNIT_COUNT(more); i++) hak_free(more[i]);
    uint32_t count = hak_heap_bin_count(hak_tls.heap, hak_class_of(64));
    hak_free(block);
    hak_free(huge);
    assert_int_equal(hak_heap_bin_count(hak_tls.heap, hak_class_of(64)), count);
    fake_thread_switch(first);
    hak_free(NULL);
    engine_check_heaps();
}

/* free leaves errno alone, in every one of its ways (P3). */
static void check_errno(const char *mode) {
    start(mode);
    static struct fake_thread other;
    struct engine_random random = {8};
    for (int round = 0; round < 300; round++) {
        size_t size = engine_size(&random, 50 * MIB);
        void *block = hak_malloc(size);
        if (round % 3 == 0) fake_thread_switch(fake_thread_switch(&other));
        errno = 1234 + round;
        fake_page_fail(FAKE_ALL, 1, FAKE_FOR_EVER);
        hak_free(block);
        hak_free(NULL);
        fake_page_fail_never();
        assert_int_equal(errno, 1234 + round);
    }
}

static void test_errno_fast(void **state) {
    (void)state;
    check_errno("fast");
}

static void test_errno_checked(void **state) {
    (void)state;
    check_errno("checked");
}

static void test_thread_local_data(void **state) {
    (void)state;
    assert_true(sizeof(struct hak_tls) <= 64); /* reliability: little enough for dlopen */
    const unsigned char *bytes = (const unsigned char *)&hak_tls;
    for (size_t i = 0; i < sizeof hak_tls; i++) assert_int_equal(bytes[i], 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_hits_fast),         ISOLATED(test_hits_checked),
        ISOLATED(test_without_a_heap),    ISOLATED(test_free_of_others),
        ISOLATED(test_errno_fast),        ISOLATED(test_errno_checked),
        ISOLATED(test_thread_local_data),
    };
    return cmocka_run_group_tests_name("front/malloc_fast", tests, NULL, NULL);
}
