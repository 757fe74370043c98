/* SPDX-License-Identifier: MIT
 *
 * config/nearest.c: distances, what is near enough, bounds.
 */
#include "unit.h"

#include "config/nearest.h"

#include <limits.h>

static unsigned distance(const char *from, const char *to) {
    return hak_nearest_distance(hak_slice_of(from), hak_slice_of(to));
}

static void test_distance(void **state) {
    (void)state;
    assert_int_equal(distance("", ""), 0);
    assert_int_equal(distance("abc", "abc"), 0);
    assert_int_equal(distance("", "abc"), 3);
    assert_int_equal(distance("abc", ""), 3);
    assert_int_equal(distance("abc", "abd"), 1);
    assert_int_equal(distance("abc", "ab"), 1);
    assert_int_equal(distance("abc", "xabc"), 1);
    assert_int_equal(distance("abc", "acb"), 1);
    assert_int_equal(distance("ab", "ba"), 1);
    assert_int_equal(distance("kitten", "sitting"), 3);
    assert_int_equal(distance("ca", "abc"), 3);
}

static void test_distance_is_symmetric(void **state) {
    (void)state;
    static const char *const words[] = {
        "", "a", "stats", "stast", "status", "purge_delay_ms", "purge_dely_ms", "check", "chekc"};
    for (size_t i = 0; i < UNIT_COUNT(words); i++) {
        for (size_t j = 0; j < UNIT_COUNT(words); j++) {
            assert_int_equal(distance(words[i], words[j]), distance(words[j], words[i]));
        }
    }
}

static void test_too_long(void **state) {
    (void)state;
    char name[HAK_NEAREST_BYTES + 1];
    memset(name, 'a', sizeof name);
    name[HAK_NEAREST_BYTES - 1] = '\0';
    assert_int_equal(distance(name, "a"), HAK_NEAREST_BYTES - 2);
    name[HAK_NEAREST_BYTES - 1] = 'a';
    name[HAK_NEAREST_BYTES] = '\0';
    assert_int_equal(distance(name, "a"), UINT_MAX);
    assert_int_equal(distance("a", name), UINT_MAX);
}

static int search(const char *wanted, const char *first, const char *second) {
    struct hak_nearest nearest;
    hak_nearest_start(&nearest, hak_slice_of(wanted));
    hak_nearest_offer(&nearest, hak_slice_of(first), 1);
    hak_nearest_offer(&nearest, hak_slice_of(second), 2);
    return nearest.best;
}

static void test_search(void **state) {
    (void)state;
    assert_int_equal(search("stast", "check", "stats"), 2);
    assert_int_equal(search("check", "check", "chek"), 1);
    assert_int_equal(search("chec", "chek", "check"), 1); /* of two equally near the first */
    assert_int_equal(search("colour", "check", "stats"), -1);
    assert_int_equal(search("", "check", "stats"), -1);
    assert_int_equal(search("x", "check", "stats"), -1);
    assert_int_equal(search("purgedelayms", "purge_delay_ms", "profile"), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distance),
        cmocka_unit_test(test_distance_is_symmetric),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
