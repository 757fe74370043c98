/* SPDX-License-Identifier: MIT
 *
 * malloc_usable_size: at least what was asked for, the whole of it the program's to write, the same
 * on every call, and for every way to get a block.
 */
#include "family.h"

#include <errno.h>
#include <string.h>

static void test_null_has_none(void **state) {
    (void)state;
    errno = 1234;
    assert_int_equal(family->usable_size(NULL), 0);
    assert_int_equal(errno, 1234);
}

/* Twenty neighbours, each filled to its usable end: nobody's contents may change. */
static void test_all_of_it_may_be_written(void **state) {
    (void)state;
    enum { COUNT = 20 };
    unsigned char *blocks[COUNT];
    for (size_t i = 0; i < family_size_count && family_sizes[i] <= ((size_t)4 << 20); i++) {
        size_t size = family_sizes[i], count = size > 65536 ? 3 : COUNT;
        for (size_t k = 0; k < count; k++) {
            blocks[k] = family->malloc(size);
            assert_non_null(blocks[k]);
            size_t usable = family->usable_size(blocks[k]);
            assert_true(usable >= size);
            memset(blocks[k], (int)k + 1, usable);
        }
        for (size_t k = 0; k < count; k++) {
            size_t usable = family->usable_size(blocks[k]);
            assert_true(usable == 0 || blocks[k][0] == k + 1);
            assert_true(usable < 2 || memcmp(blocks[k], blocks[k] + 1, usable - 1) == 0);
        }
        for (size_t k = 0; k < count; k++) family->free(blocks[k]);
    }
}

/* realloc to the usable size must find room where the block is, and keep everything. */
static void test_realloc_to_usable_size(void **state) {
    (void)state;
    for (size_t i = 0; i < family_size_count; i += 3) {
        void *block = family->malloc(family_sizes[i]);
        assert_non_null(block);
        size_t usable = family->usable_size(block);
        pattern_write(block, usable, i);
        void *same = family->realloc(block, usable ? usable : 1);
        assert_non_null(same);
        assert_int_equal(pattern_check(same, usable, i), usable);
        family->free(same);
    }
}

static void test_every_way_to_get_a_block(void **state) {
    (void)state;
    for (size_t i = 1; i < family_size_count; i += 17) {
        size_t size = family_sizes[i];
        void *posix = NULL;
        assert_int_equal(family->posix_memalign(&posix, 4096, size), 0);
        void *blocks[] = {
            family->calloc(1, size),
            family->realloc(NULL, size),
            family->reallocarray(NULL, size, 1),
            family->aligned_alloc(64, size),
            family->memalign(1024, size),
            posix,
            family->valloc(size),
            family->pvalloc(size),
        };
        for (size_t k = 0; k < sizeof(blocks) / sizeof(blocks[0]); k++) {
            assert_non_null(blocks[k]);
            size_t usable = family->usable_size(blocks[k]);
            assert_true(usable >= size);
            ((volatile char *)blocks[k])[usable - 1] = 1;
            assert_int_equal(family->usable_size(blocks[k]), usable);
        }
        for (size_t k = 0; k < sizeof(blocks) / sizeof(blocks[0]); k++) family->free(blocks[k]);
    }
}

int main(void) {
    family_open();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_null_has_none),
        cmocka_unit_test(test_all_of_it_may_be_written),
        cmocka_unit_test(test_realloc_to_usable_size),
        cmocka_unit_test(test_every_way_to_get_a_block),
    };
    return cmocka_run_group_tests_name(family->name, tests, NULL, NULL);
}
