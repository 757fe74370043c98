/* SPDX-License-Identifier: MIT
 *
 * realloc and reallocarray: contents kept over every change of size, and the special cases of NULL,
 * zero and failure.
 */
#include "family.h"

#include <errno.h>
#include <string.h>

/* Resizes a block of `from` patterned bytes to `to`, checks what must
 * have stayed, fills the rest. */
static void *resize_checked(void *block, size_t from, size_t to, uint64_t seed) {
    errno = 1234;
    void *moved = family->realloc(block, to);
    assert_non_null(moved);
    assert_int_equal(errno, 1234);
    assert_aligned(moved, 16);
    assert_true(family->usable_size(moved) >= to);
    size_t kept = from < to ? from : to;
    assert_int_equal(pattern_check(moved, kept, seed), kept);
    pattern_write(moved, to, seed);
    return moved;
}

/* Every pair of the given sizes, both ways. */
static void check_pairs(const size_t *sizes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < count; k++) {
            void *block = family->malloc(sizes[i]);
            assert_non_null(block);
            pattern_write(block, sizes[i], i);
            block = resize_checked(block, sizes[i], sizes[k], i);
            block = resize_checked(block, sizes[k], sizes[i], i);
            family->free(block);
        }
    }
}

static void test_all_pairs_of_classes(void **state) {
    (void)state;
    size_t sizes[160], count = 0;
    for (size_t size = 1; size <= 128; size += 16) sizes[count++] = size;
    for (size_t base = 128; base < 65536; base *= 2)
        for (size_t step = 1; step <= 8; step++) sizes[count++] = base + base / 8 * step;
    check_pairs(sizes, count);
}

static void test_all_pairs_of_large_sizes(void **state) {
    (void)state;
    size_t sizes[32], count = 0;
    for (size_t base = 65536; base < ((size_t)1 << 20); base *= 2)
        for (size_t step = 1; step <= 4; step++) sizes[count++] = base + base / 4 * step;
    sizes[count++] = ((size_t)1 << 20) + 1;
    sizes[count++] = (size_t)2 << 20;
    check_pairs(sizes, count);
}

static void test_all_pairs_around_the_large_limit(void **state) {
    (void)state;
    static const size_t sizes[] = {1,       100,      5000,    65536,         (1 << 20) - 1,
                                   1 << 20, 1048577,  2 << 20, (2 << 20) + 1, (3 << 20) + 77,
                                   4 << 20, 10 << 20, 33 << 20};
    check_pairs(sizes, sizeof(sizes) / sizeof(sizes[0]));
}

/* One block through every size up to 64 MiB and back.  A second block stands in its way, so that it
 * can't always grow where it is. */
static void test_one_block_up_and_down(void **state) {
    (void)state;
    void *block = family->malloc(0), *obstacle = NULL;
    assert_non_null(block);
    size_t from = 0;
    for (size_t i = 1; i < 2 * family_size_count; i++) {
        size_t index = i < family_size_count ? i : 2 * family_size_count - 1 - i;
        size_t to = family_sizes[index] ? family_sizes[index] : 1;
        block = resize_checked(block, from, to, 9);
        from = to;
        if (i % 5 == 0) {
            family->free(obstacle);
            obstacle = family->malloc(to);
        }
    }
    family->free(obstacle);
    family->free(block);
}

static void test_growth_by_one(void **state) {
    (void)state;
    void *block = NULL;
    for (size_t size = 1; size <= 5000; size++) block = resize_checked(block, size - 1, size, 5);
    family->free(block);
}

static void test_null_is_malloc(void **state) {
    (void)state;
    void *block = family->realloc(NULL, 100);
    assert_non_null(block);
    memset(block, 1, 100);
    family->free(block);
    block = family->realloc(NULL, 0);
    assert_non_null(block);
    family->free(block);
}

/* glibc frees and returns NULL; C17 leaves it to the implementation, C23 forbids the call. */
static void test_size_zero_frees(void **state) {
    (void)state;
    for (size_t i = 1; i < family_size_count; i += 11) {
        void *block = family->malloc(family_sizes[i]);
        assert_non_null(block);
        errno = 1234;
        assert_null(family->realloc(block, 0));
        assert_int_equal(errno, 1234);
    }
    size_t before = family->bytes_in_use();
    for (int i = 0; i < 1000; i++) assert_null(family->realloc(family->malloc(100000), 0));
    assert_true(family->bytes_in_use() < before + 100000u * 500u);
}

static void test_failure_keeps_the_block(void **state) {
    (void)state;
    for (size_t i = 0; i < family_size_count; i += 13) {
        size_t size = family_sizes[i];
        void *block = family->malloc(size);
        assert_non_null(block);
        pattern_write(block, size, i);
        errno = 0;
        assert_null(family->realloc(block, (size_t)PTRDIFF_MAX));
        assert_int_equal(errno, ENOMEM);
        errno = 0;
        assert_null(family->reallocarray(block, SIZE_MAX / 2, 3));
        assert_int_equal(errno, ENOMEM);
        assert_int_equal(pattern_check(block, size, i), size);
        family->free(block);
    }
}

static void test_reallocarray(void **state) {
    (void)state;
    void *block = family->reallocarray(NULL, 10, 100);
    assert_non_null(block);
    pattern_write(block, 1000, 3);
    block = family->reallocarray(block, 3000, 100);
    assert_non_null(block);
    assert_int_equal(pattern_check(block, 1000, 3), 1000);
    block = family->reallocarray(block, 1, 100);
    assert_non_null(block);
    assert_int_equal(pattern_check(block, 100, 3), 100);
    assert_null(family->reallocarray(block, 0, 100));
}

static void test_aligned_blocks(void **state) {
    (void)state;
    static const size_t sizes[] = {1, 24, 100, 4000, 70000, 2 << 20, 5 << 20};
    for (size_t alignment = 16; alignment <= ((size_t)8 << 20); alignment *= 4) {
        for (size_t i = 0; i < 7; i++) {
            for (size_t k = 0; k < 7; k++) {
                void *block = family->memalign(alignment, sizes[i]);
                assert_non_null(block);
                pattern_write(block, sizes[i], alignment);
                family->free(resize_checked(block, sizes[i], sizes[k], alignment));
            }
        }
    }
}

int main(void) {
    family_open();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_pairs_of_classes),
        cmocka_unit_test(test_all_pairs_of_large_sizes),
        cmocka_unit_test(test_all_pairs_around_the_large_limit),
        cmocka_unit_test(test_one_block_up_and_down),
        cmocka_unit_test(test_growth_by_one),
        cmocka_unit_test(test_null_is_malloc),
        cmocka_unit_test(test_size_zero_frees),
        cmocka_unit_test(test_failure_keeps_the_block),
        cmocka_unit_test(test_reallocarray),
        cmocka_unit_test(test_aligned_blocks),
    };
    return cmocka_run_group_tests_name(family->name, tests, NULL, NULL);
}
