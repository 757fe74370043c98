/* SPDX-License-Identifier: MIT
 *
 * front/slow.c: what the hot path falls to; H5, P3.  Misuse is seen in check/ and tests/misuse.
 */
#include "engine.h"

#include "config/option.h"
#include "front/slow.h"
#include "heap/registry.h"
#include "span/map.h"

#include <string.h>

static bool is_locked(const void *block) {
    return hak_registry_get(hak_tag_owner(hak_map_tag(block)))->kind == HAK_HEAP_LOCKED;
}

/* H5: inside a slow path, calls of the same thread are served elsewhere, and their frees wait. */
static void check_busy(const char *mode) {
    engine_mode(mode);
    void *mine = hak_malloc(100), *huge = hak_malloc(3 * MIB);
    struct hak_heap *heap = hak_heap_enter(&hak_tls);
    uint32_t count = hak_heap_bin_count(heap, hak_class_of(100));
    void *block[50];
    for (size_t i = 0; i < 50; i++) {
        block[i] = hak_malloc(i * 100);
        assert_true(is_locked(block[i]));
        engine_fill(block[i], i * 100, i);
    }
    assert_non_null(hak_calloc(3, 1000));
    hak_free(mine);
    hak_free(huge);
    hak_free(NULL);
    for (size_t i = 0; i < 50; i++) {
        assert_true(engine_intact(block[i], i * 100, i));
        hak_free(block[i]);
    }
    hak_tiny_magazine_flush_all(); /* not now */
    assert_int_equal(hak_heap_bin_count(heap, hak_class_of(100)), count);
    assert_int_equal(hak_tls.state, HAK_TLS_BUSY);
    hak_heap_leave(&hak_tls);
    assert_false(is_locked(hak_malloc(100)));
    engine_check_span();
    engine_check_heaps();
    engine_check_census(NULL);
}

static void test_busy_fast(void **state) {
    (void)state;
    check_busy("fast");
}

static void test_busy_checked(void **state) {
    (void)state;
    check_busy("checked");
}

static void test_start(void **state) {
    (void)state;
    hak_slow_start();
    assert_int_equal(hak_tls.state, HAK_TLS_READY);
    struct hak_heap *heap = hak_tls.heap;
    hak_slow_start();
    assert_ptr_equal(hak_tls.heap, heap);
    assert_int_equal(hak_registry_count(), 1);
}

/* Before it fails, free memory of other classes and of ended threads is looked at. */
static void test_last_resort(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    static struct fake_thread next;
    static void *block[3000];
    hak_malloc(16);
    fake_page_limit(fake_page_mapped(HAK_PAGE_HEAP) + fake_page_mapped(HAK_PAGE_META));
    for (int round = 0; round < 6; round++) { /* the whole region, each time in other blocks */
        size_t size = (size_t)700 << (2 * round), count = 0;
        while (count < UNIT_COUNT(block) && (block[count] = hak_malloc(size)) != NULL) count++;
        if (count < UNIT_COUNT(block)) assert_in_range(count * size, 20 * MIB, 32 * MIB);
        for (size_t i = 0; i < count; i++) hak_free(block[i]);
        if (round == 3) engine_next_thread(&next);
    }
}

/* ENOMEM by every call that can fail, and usable again at once. */
static void test_errno(void **state) {
    (void)state;
    hak_malloc(10);
    fake_page_limit(1);
    while (hak_malloc(700 * KIB)) {
    }
    for (size_t size = MIB; size < 100 * MIB; size *= 2) {
        errno = 0;
        assert_null(hak_malloc(size));
        assert_int_equal(errno, ENOMEM);
        errno = 0;
        assert_null(hak_calloc(2, size));
        assert_int_equal(errno, ENOMEM);
        errno = 0;
        assert_null(hak_aligned_alloc(2 * MIB, size));
        assert_int_equal(errno, ENOMEM);
        errno = 7;
        void *out = &out;
        assert_int_equal(hak_posix_memalign(&out, 4 * KIB, size), ENOMEM);
        assert_int_equal(errno, 7);
        assert_ptr_equal(out, &out);
    }
    fake_page_limit(0);
    void *block = hak_malloc(50 * MIB);
    assert_non_null(block);
    hak_free(block);
}

/* A success leaves errno as it was, even if something inside failed and was done otherwise. */
static void test_errno_is_kept(void **state) {
    (void)state;
    errno = 42;
    fake_page_fail(FAKE_BIT(FAKE_MAP) | FAKE_BIT(FAKE_ADVISE), 1, 1);
    for (size_t size = 1; size < 40 * MIB; size *= 3) {
        assert_non_null(hak_malloc(size));
        assert_non_null(hak_calloc(1, size));
    }
    assert_int_equal(errno, 42);
}

static void test_misuse_that_is_reported(void **state) {
    (void)state;
    engine_mode("checked");
    hak_option_set("on_error", "report");
    char *block = hak_malloc(100), *huge = hak_malloc(3 * MIB);
    int local = 0;
    hak_free(block + 16);
    hak_free(&local);
    hak_free(huge + 4096);
    hak_free(huge + 3 * MIB);
    hak_free((void *)(uintptr_t)0x123456789);
    hak_free(block);
    hak_free(block);
    assert_int_equal(hak_usable_size(huge + 1), 0);
    errno = 0;
    assert_null(hak_realloc(huge + 1, 100));
    hak_free_sized(hak_malloc(64), 1000);
    hak_free(huge);
    hak_free(huge);
    engine_check_span();
    engine_check_heaps();
    void *one = hak_malloc(100), *two = hak_malloc(100);
    assert_ptr_not_equal(one, two);
}

/* ---- Freed by another thread, and then by the owner ------------------------------------------ */

static struct fake_thread other, third;

static void free_it(void *block) {
    hak_free(block);
}

static void expect_double_free(void *block) {
    static char out[CAPTURE_BYTES];
    hak_option_set("on_error", "report");
    capture_stderr(free_it, block, out);
    if (!strstr(out, "double free")) fail_msg("a second free is not seen: '%s'", out);
}

/* It waits in that thread's outbox for as long as the thread does nothing. */
static void test_freed_elsewhere_first(void **state) {
    (void)state;
    engine_mode("checked");
    void *block = hak_malloc(48), *keeper = hak_malloc(48);
    struct fake_thread *self = fake_thread_switch(&other);
    hak_free(block);
    fake_thread_switch(self);
    for (int i = 0; i < 500; i++) {
        fake_clock_advance(100);
        hak_free(hak_malloc(20 * KIB));
    }
    expect_double_free(block);
    hak_free(keeper);
}

/* The same where the slab has got another owner meanwhile. */
static void test_freed_elsewhere_and_adopted(void **state) {
    (void)state;
    engine_mode("checked");
    struct fake_thread *self = fake_thread_switch(&other);
    void *block = hak_malloc(48), *keeper = hak_malloc(48);
    fake_thread_switch(&third);
    hak_free(block);
    fake_thread_switch(&other);
    fake_thread_end();
    fake_thread_switch(self);
    hak_malloc(100); /* a heap of its own, before that one is parked, would be taken whole */
    for (int i = 0; i < 2000 && hak_tag_owner(hak_map_tag(block)) != hak_tls.heap->id; i++)
        hak_malloc(48);
    assert_int_equal(hak_tag_owner(hak_map_tag(block)), hak_tls.heap->id);
    expect_double_free(block);
    hak_free(keeper);
}

/* A handler between the first two stores of hak_tls_close, whose block finds its bin full: it is
 * sent to the own inbox, and must be known there. */
static void test_freed_in_a_closing_door(void **state) {
    (void)state;
    static void *block[400];
    engine_mode("checked");
    for (int i = 0; i < 400; i++) block[i] = hak_malloc(64);
    const struct hak_bin *bin = &hak_tls.heap->bin[hak_class_of(64)];
    int i = 0;
    while (bin->top < bin->limit) hak_free(block[i++]);
    hak_tls.state = HAK_TLS_BUSY;
    hak_free(block[i]);
    hak_tls.state = HAK_TLS_READY;
    assert_int_equal(atomic_load(&hak_tls.heap->inbox), (uintptr_t)block[i]);
    hak_malloc(64); /* room in the bin */
    expect_double_free(block[i]);
    engine_check_heaps();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_freed_elsewhere_first),
        ISOLATED(test_freed_elsewhere_and_adopted),
        ISOLATED(test_busy_fast),
        ISOLATED(test_busy_checked),
        ISOLATED(test_start),
        ISOLATED(test_last_resort),
        ISOLATED(test_errno),
        ISOLATED(test_errno_is_kept),
        ISOLATED(test_misuse_that_is_reported),
        ISOLATED(test_freed_in_a_closing_door),
    };
    return cmocka_run_group_tests_name("front/slow", tests, NULL, NULL);
}
