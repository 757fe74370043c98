/* SPDX-License-Identifier: MIT
 *
 * front/sizes.c: what a block can hold, and blocks that get another size; more in whole/resizing.c.
 */
#include "engine.h"

#include "front/sizes.h"
#include "large/huge.h"
#include "observe/site.h"

static void test_usable(void **state) {
    (void)state;
    for (size_t size = 0; size < 3 * MIB; size += 1 + size / 20) {
        void *block = hak_malloc(size);
        assert_int_equal(hak_sizes_usable(block, "test"), hak_good_size(size));
        hak_free(block);
    }
    assert_int_equal(hak_usable_size(NULL), 0);
}

static void test_resize(void **state) {
    (void)state;
    unsigned char *block = hak_malloc(100 * KIB), *small = hak_malloc(100);
    engine_fill(block, 70 * KIB, 1);
    assert_true(hak_sizes_resize(block, 70 * KIB));
    assert_int_equal(hak_usable_size(block), hak_good_size(70 * KIB));
    assert_true(engine_intact(block, 70 * KIB, 1));
    assert_false(hak_sizes_resize(block, 2 * MIB)); /* no class */
    assert_false(hak_sizes_resize(small, 100 * KIB));
    hak_heap_enter(&hak_tls);
    assert_false(hak_sizes_resize(block, 64 * KIB)); /* not now */
    hak_heap_leave(&hak_tls);
    hak_free(block);
    hak_free(small);
    engine_check_span();
}

/* A block that grows is in superslabs of its own, and its site's. */
static void test_grow(void **state) {
    (void)state;
    assert_null(hak_sizes_grow(200 * KIB, (const void *)state)); /* a thread without a heap */
    hak_free(hak_malloc(1));
    unsigned char *block = hak_sizes_grow(200 * KIB, (const void *)state);
    assert_non_null(block);
    const struct hak_superslab *huge = hak_huge_of(block);
    assert_non_null(huge);
    assert_ptr_equal(hak_site_table[huge->site].address, state);
    hak_free(block);
    engine_check_span();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_usable),
        ISOLATED(test_resize),
        ISOLATED(test_grow),
    };
    return cmocka_run_group_tests_name("front/sizes", tests, NULL, NULL);
}
