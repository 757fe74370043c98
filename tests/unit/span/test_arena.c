/* SPDX-License-Identifier: MIT
 *
 * span/arena.c: the allocator's own memory is zeroed, aligned, and never given twice.
 */
#include "engine.h"

#include "span/arena.h"

#include <pthread.h>
#include <string.h>

#define FIRST MIB
#define CHUNK (128 * KIB)

/* Takes all of the first chunk, which is larger. */
static void use_first(void) {
    for (size_t i = 0; i < FIRST / (4 * KIB) - 1; i++)
        assert_non_null(hak_arena_alloc(4 * KIB, 16));
    assert_int_equal(fake_page_calls(FAKE_MAP_META), 1);
    assert_non_null(hak_arena_alloc(4 * KIB, 16));
    assert_int_equal(fake_page_calls(FAKE_MAP_META), 2);
}

static void test_aligned_and_zeroed(void **state) {
    (void)state;
    static struct {
        unsigned char *start;
        size_t bytes;
    } part[2000];
    struct engine_random random = {1};
    for (size_t i = 0; i < UNIT_COUNT(part); i++) {
        size_t alignment = (size_t)1 << engine_below(&random, 13);
        part[i].bytes = 1 + engine_below(&random, i % 50 ? 600 : 60 * KIB);
        part[i].start = hak_arena_alloc(part[i].bytes, alignment);
        assert_non_null(part[i].start);
        assert_int_equal((uintptr_t)part[i].start % alignment, 0);
        assert_true(engine_is_zero(part[i].start, part[i].bytes));
        memset(part[i].start, (int)(1 + i % 255), part[i].bytes);
    }
    for (size_t i = 0; i < UNIT_COUNT(part); i++) {
        for (size_t at = 0; at < part[i].bytes; at++) {
            assert_int_equal(part[i].start[at], 1 + i % 255);
        }
    }
    assert_int_equal(fake_page_mapped(HAK_PAGE_HEAP), 0);
}

/* The end of a chunk is used up before the next one is mapped. */
static void test_chunks(void **state) {
    (void)state;
    use_first();
    size_t taken = 4 * KIB;
    while (fake_page_calls(FAKE_MAP_META) <= 2) {
        assert_non_null(hak_arena_alloc(KIB, 16));
        taken += KIB;
    }
    assert_int_equal(fake_page_mapped(HAK_PAGE_META), FIRST + 2 * CHUNK);
    assert_in_range(taken - KIB, CHUNK - 2 * KIB, CHUNK);
}

/* What a process begins with is one mapping. */
static void test_first_ones(void **state) {
    (void)state;
    assert_non_null(hak_arena_alloc(10 * KIB, 64));
    assert_int_equal((uintptr_t)hak_arena_alloc(580 * KIB, 4 * KIB) % (4 * KIB), 0);
    assert_non_null(hak_arena_alloc(288 * KIB, 64));
    assert_non_null(hak_arena_alloc(128 * KIB, 64));
    assert_int_equal(fake_page_calls(FAKE_MAP_META), 1);
}

/* What is aligned to pages does not come between what is not. */
static void test_both_ends(void **state) {
    (void)state;
    char *first = hak_arena_alloc(100, 64);
    char *pages = hak_arena_alloc(5000, 4 * KIB), *before = hak_arena_alloc(4 * KIB, 4 * KIB);
    assert_ptr_equal(before, pages - 4 * KIB);
    assert_ptr_equal(hak_arena_alloc(100, 64), first + 128);
    size_t left = (size_t)(before - first) - 128 - 100;
    assert_non_null(hak_arena_alloc(left, 1)); /* the ends meet */
    assert_int_equal(fake_page_calls(FAKE_MAP_META), 1);
    assert_non_null(hak_arena_alloc(1, 1));
    assert_int_equal(fake_page_calls(FAKE_MAP_META), 2);
}

static void test_large_ones_are_mapped_alone(void **state) {
    (void)state;
    use_first();
    assert_non_null(hak_arena_alloc(CHUNK / 4, 64));
    assert_int_equal(fake_page_calls(FAKE_MAP_META), 2);
    assert_non_null(hak_arena_alloc(CHUNK / 2, 64)); /* there is room */
    assert_int_equal(fake_page_calls(FAKE_MAP_META), 2);
    void *alone = hak_arena_alloc(CHUNK / 4 + 1, 64);
    assert_true(fake_page_is_mapped(alone, CHUNK / 4 + 4 * KIB));
    assert_int_equal(fake_page_calls(FAKE_MAP_META), 3);
    assert_non_null(hak_arena_alloc(10 * MIB, 64));
    assert_int_equal(fake_page_calls(FAKE_MAP_META), 4);
}

static void test_the_very_first_is_large(void **state) {
    (void)state;
    assert_non_null(hak_arena_alloc(10 * MIB, 64));
    assert_int_equal(fake_page_mapped(HAK_PAGE_META), 10 * MIB);
    assert_non_null(hak_arena_alloc(64, 64));
    assert_int_equal(fake_page_mapped(HAK_PAGE_META), 10 * MIB + FIRST);
}

static void test_without_memory(void **state) {
    (void)state;
    fake_page_fail(FAKE_BIT(FAKE_MAP_META), 1, FAKE_FOR_EVER);
    assert_null(hak_arena_alloc(64, 64));
    assert_null(hak_arena_alloc(MIB, 64));
    fake_page_fail_never();
    assert_non_null(hak_arena_alloc(64, 64));
    fake_page_fail(FAKE_BIT(FAKE_MAP_META), 1, FAKE_FOR_EVER);
    assert_non_null(hak_arena_alloc(64, 64)); /* there is room in the chunk */
    assert_null(hak_arena_alloc(FIRST, 64));
    while (hak_arena_alloc(CHUNK / 4, 64)) {
    }
    assert_null(hak_arena_alloc(CHUNK / 4, 64));
    fake_page_fail_never();
    assert_non_null(hak_arena_alloc(CHUNK / 4, 64));
}

static void test_page_of_64_kib(void **state) {
    (void)state;
    fake_page_size(64 * KIB);
    for (int i = 0; i < 100; i++) {
        assert_int_equal((uintptr_t)hak_arena_alloc(3 * KIB, 4 * KIB) % (4 * KIB), 0);
    }
    assert_non_null(hak_arena_alloc(CHUNK / 4 + 1, 64 * KIB));
}

#define THREADS 4
#define PARTS   500

static void *fill(void *argument) {
    unsigned char **part = argument;
    for (int i = 0; i < PARTS; i++) {
        part[i] = hak_arena_alloc(256, 64);
        memset(part[i], 0xff, 256);
    }
    return NULL;
}

static int compare(const void *a, const void *b) {
    uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;
    return x < y ? -1 : x > y;
}

static void test_threads(void **state) {
    (void)state;
    static unsigned char *part[THREADS][PARTS];
    pthread_t thread[THREADS];
    for (int i = 0; i < THREADS; i++) pthread_create(&thread[i], NULL, fill, part[i]);
    for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
    uintptr_t *sorted = (uintptr_t *)(void *)part;
    qsort(sorted, THREADS * PARTS, sizeof *sorted, compare);
    for (int i = 1; i < THREADS * PARTS; i++) assert_true(sorted[i] - sorted[i - 1] >= 256);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_aligned_and_zeroed),
        ISOLATED(test_chunks),
        ISOLATED(test_first_ones),
        ISOLATED(test_both_ends),
        ISOLATED(test_large_ones_are_mapped_alone),
        ISOLATED(test_the_very_first_is_large),
        ISOLATED(test_without_memory),
        ISOLATED(test_page_of_64_kib),
        ISOLATED(test_threads),
    };
    return cmocka_run_group_tests_name("span/arena", tests, NULL, NULL);
}
