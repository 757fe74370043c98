/* SPDX-License-Identifier: MIT
 *
 * free, cfree, free_sized, free_aligned_sized on correct arguments: NULL, every size, errno kept.
 * Wrong arguments are in tests/misuse.
 */
#include "family.h"

#include <errno.h>
#include <string.h>

static void test_null_is_ignored(void **state) {
    (void)state;
    errno = 1234;
    family->free(NULL);
    if (family->cfree) family->cfree(NULL);
    if (family->free_sized) family->free_sized(NULL, 0);
    if (family->free_sized) family->free_sized(NULL, 100);
    if (family->free_aligned_sized) family->free_aligned_sized(NULL, 64, 100);
    assert_int_equal(errno, 1234);
}

static void test_errno_is_kept(void **state) {
    (void)state;
    for (size_t i = 0; i < family_size_count; i++) {
        void *block = family->malloc(family_sizes[i]);
        assert_non_null(block);
        errno = 1234;
        family->free(block);
        assert_int_equal(errno, 1234);
    }
}

/* Enough huge blocks, all touched, that some are given back to the system in the call. */
static void test_errno_is_kept_over_munmap(void **state) {
    (void)state;
    enum { COUNT = 24 };
    void *blocks[COUNT];
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            blocks[i] = family->malloc(((size_t)1 << 20) + (i << 19));
            assert_non_null(blocks[i]);
            memset(blocks[i], 1, 4096);
        }
        for (size_t i = 0; i < COUNT; i++) {
            errno = 1234;
            family->free(blocks[(7 * i) % COUNT]);
            assert_int_equal(errno, 1234);
        }
    }
}

/* Frees a whole population of every size with one of the family's ways to free. */
static void free_population(void (*give_back)(void *block, size_t size)) {
    enum { COUNT = 40 };
    void *blocks[COUNT];
    for (size_t i = 0; i < family_size_count; i++) {
        size_t size = family_sizes[i];
        size_t count = size > 65536 ? 2 : COUNT;
        for (size_t k = 0; k < count; k++) {
            blocks[k] = family->malloc(size);
            assert_non_null(blocks[k]);
            memset(blocks[k], 0x11, size < 4096 ? size : 4096);
        }
        for (size_t k = 0; k < count; k++) {
            errno = 1234;
            give_back(blocks[k], size);
            assert_int_equal(errno, 1234);
        }
    }
}

static void give_back_cfree(void *block, size_t size) {
    (void)size;
    family->cfree(block);
}

static void test_cfree(void **state) {
    (void)state;
    if (!family->cfree) skip();
    free_population(give_back_cfree);
}

static void give_back_sized(void *block, size_t size) {
    family->free_sized(block, size);
}

static void test_free_sized(void **state) {
    (void)state;
    if (!family->free_sized) skip();
    free_population(give_back_sized);
}

/* C23 allows free_sized on the results of calloc and realloc too. */
static void test_free_sized_after_calloc_and_realloc(void **state) {
    (void)state;
    if (!family->free_sized) skip();
    for (size_t i = 0; i < family_size_count; i++) {
        size_t size = family_sizes[i];
        family->free_sized(family->calloc(size, 1), size);
        if (size == 0) continue;
        void *block = family->realloc(family->malloc(size / 2 + 1), size);
        assert_non_null(block);
        family->free_sized(block, size);
        block = family->realloc(family->malloc(2 * size), size); /* perhaps where it was */
        assert_non_null(block);
        family->free_sized(block, size);
    }
}

static void test_free_aligned_sized(void **state) {
    (void)state;
    if (!family->free_aligned_sized) skip();
    static const size_t sizes[] = {0, 1, 16, 24, 100, 1000, 5000, 70000, 300000, 1 << 20, 3 << 20};
    for (size_t alignment = 1; alignment <= ((size_t)8 << 20); alignment *= 2) {
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            void *block = family->aligned_alloc(alignment, sizes[i]);
            assert_non_null(block);
            errno = 1234;
            family->free_aligned_sized(block, alignment, sizes[i]);
            assert_int_equal(errno, 1234);
        }
    }
}

int main(void) {
    family_open();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_null_is_ignored),
        cmocka_unit_test(test_errno_is_kept),
        cmocka_unit_test(test_errno_is_kept_over_munmap),
        cmocka_unit_test(test_cfree),
        cmocka_unit_test(test_free_sized),
        cmocka_unit_test(test_free_sized_after_calloc_and_realloc),
        cmocka_unit_test(test_free_aligned_sized),
    };
    return cmocka_run_group_tests_name(family->name, tests, NULL, NULL);
}
