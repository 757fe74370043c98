/* SPDX-License-Identifier: MIT
 *
 * config/slice.h.
 */
#include "unit.h"

#include "config/slice.h"

static void assert_slice(struct hak_slice slice, const char *text) {
    assert_int_equal(slice.length, strlen(text));
    assert_memory_equal(slice.start, text, slice.length);
}

static void test_trim(void **state) {
    (void)state;
    assert_slice(hak_slice_trim(hak_slice_of("")), "");
    assert_slice(hak_slice_trim(hak_slice_of(" \t\r ")), "");
    assert_slice(hak_slice_trim(hak_slice_of("a b")), "a b");
    assert_slice(hak_slice_trim(hak_slice_of("\t a b \r")), "a b");
}

static void test_take(void **state) {
    (void)state;
    bool found;
    struct hak_slice rest = hak_slice_of("a,,bc");
    assert_slice(hak_slice_take(&rest, ',', &found), "a");
    assert_true(found);
    assert_slice(hak_slice_take(&rest, ',', &found), "");
    assert_true(found);
    assert_slice(hak_slice_take(&rest, ',', &found), "bc");
    assert_false(found);
    assert_slice(hak_slice_take(&rest, ',', &found), "");
    assert_false(found);
}

/* "a," has an empty last part, "a" has none. */
static void test_take_at_the_end(void **state) {
    (void)state;
    bool found;
    struct hak_slice rest = hak_slice_of("a,");
    assert_slice(hak_slice_take(&rest, ',', &found), "a");
    assert_true(found);
    assert_int_equal(rest.length, 0);
}

static void test_equals(void **state) {
    (void)state;
    assert_true(hak_slice_equals((struct hak_slice){"abc", 2}, "ab"));
    assert_false(hak_slice_equals((struct hak_slice){"abc", 2}, "abc"));
    assert_false(hak_slice_equals((struct hak_slice){"abc", 2}, "a"));
    assert_false(hak_slice_equals((struct hak_slice){"ab\0cd", 5}, "ab"));
    assert_true(hak_slice_equals(hak_slice_of(""), ""));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_take_at_the_end),
        cmocka_unit_test(test_equals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
