/* SPDX-License-Identifier: MIT
 *
 * config/profile.c: the table against the options' own rows.
 */
#include "unit.h"

#include "config/profile.h"

#include <string.h>

static void test_balanced_is_the_default(void **state) {
    (void)state;
    for (int row = 0; row < HAK_PROFILE_ROW_COUNT; row++) {
        const enum hak_option_id id = hak_profile_table[row].id;
        assert_int_equal(hak_profile_table[row].value[HAK_PROFILE_BALANCED],
                         hak_option_table[id].initial);
    }
    assert_int_equal(hak_option_table[HAK_OPTION_PROFILE].initial, HAK_PROFILE_BALANCED);
}

static void test_values_are_in_range(void **state) {
    (void)state;
    for (int row = 0; row < HAK_PROFILE_ROW_COUNT; row++) {
        const struct hak_option *option = &hak_option_table[hak_profile_table[row].id];
        for (int profile = 0; profile < HAK_PROFILE_COUNT; profile++) {
            const int64_t value = hak_profile_table[row].value[profile];
            assert_true(option->least <= value && value <= option->most);
        }
        assert_int_not_equal(option->type, HAK_OPTION_TEXT);
        assert_int_equal(option->when, HAK_OPTION_RUN); /* a profile can be changed at run time */
    }
}

static void test_every_profile_is_there(void **state) {
    (void)state;
    assert_int_equal(hak_option_table[HAK_OPTION_PROFILE].most, HAK_PROFILE_COUNT - 1);
    for (int profile = 0; profile < HAK_PROFILE_COUNT; profile++) {
        assert_non_null(hak_profile_help[profile]);
        assert_true(strlen(hak_profile_help[profile]) > 10);
    }
}

static void test_no_option_twice(void **state) {
    (void)state;
    for (int i = 0; i < HAK_PROFILE_ROW_COUNT; i++) {
        assert_int_not_equal(hak_profile_table[i].id, HAK_OPTION_PROFILE);
        for (int j = 0; j < i; j++) {
            assert_int_not_equal(hak_profile_table[i].id, hak_profile_table[j].id);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_balanced_is_the_default),
        cmocka_unit_test(test_values_are_in_range),
        cmocka_unit_test(test_every_profile_is_there),
        cmocka_unit_test(test_no_option_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
