/* SPDX-License-Identifier: MIT
 *
 * span/taken.c: what is claimed is counted, in every way to claim, and not beyond the limit.
 */
#include "engine.h"

#include "span/region.h"
#include "span/taken.h"

#define SLOT HAK_SUPERSLAB_BYTES

static void limit(const char *mib) {
    assert_int_equal(hak_option_set("limit_hard_mb", mib), 0);
}

static void test_counted(void **state) {
    (void)state;
    size_t before = hak_taken_bytes();
    struct hak_superslab *three = hak_region_claim(3);
    assert_int_equal(hak_taken_bytes(), before + 3 * SLOT);
    hak_region_release(three + 1, 2);
    assert_true(hak_region_claim_next(three, 1, 1));
    assert_int_equal(hak_taken_bytes(), before + 2 * SLOT);
    struct hak_superslab *dedicated = hak_region_map_dedicated(40 * MIB, SLOT);
    assert_true(hak_region_resize_dedicated(dedicated, 36 * MIB));
    assert_int_equal(hak_taken_bytes(), before + 2 * SLOT + 36 * MIB);
    hak_region_unmap_dedicated(dedicated);
    hak_region_release(three, 2);
    assert_int_equal(hak_taken_bytes(), before);
}

static void test_not_beyond(void **state) {
    (void)state;
    limit("10");
    assert_true(hak_taken_add(10 * MIB - hak_taken_bytes()));
    assert_false(hak_taken_add(1));
    assert_false(hak_taken_add(SIZE_MAX));
    hak_taken_drop(2);
    assert_true(hak_taken_add(2));
    limit("5"); /* less than there is */
    assert_false(hak_taken_add(1));
    limit("0");
    assert_true(hak_taken_add(1));
}

/* What fails leaves the count as it was. */
static void test_failures(void **state) {
    (void)state;
    struct hak_superslab *one = hak_region_claim(1);
    struct hak_superslab *dedicated = hak_region_map_dedicated(4 * MIB, SLOT);
    size_t before = hak_taken_bytes();
    limit("20");
    assert_null(hak_region_claim(8));
    assert_null(hak_region_map_dedicated(15 * MIB, SLOT));
    assert_false(hak_region_resize_dedicated(dedicated, 19 * MIB));
    limit("0");
    fake_page_fail(FAKE_ALL, 1, FAKE_FOR_EVER);
    assert_null(hak_region_claim(64));
    assert_null(hak_region_map_dedicated(15 * MIB, SLOT));
    assert_false(hak_region_resize_dedicated(dedicated, 19 * MIB));
    assert_false(hak_region_claim_next(one, 1, 64));
    fake_page_fail_never();
    assert_int_equal(hak_taken_bytes(), before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_counted),
        ISOLATED(test_not_beyond),
        ISOLATED(test_failures),
    };
    return cmocka_run_group_tests_name("span/taken", tests, NULL, NULL);
}
