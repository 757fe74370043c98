/* SPDX-License-Identifier: MIT
 *
 * hak_option_get and hak_option_set from the outside: errors, cutting, and that a value set is the
 * value read.  How values are parsed is the unit tests' of src/config.
 */
#include "family.h"
#include "hakmem.h"

#include <errno.h>
#include <string.h>

static void test_version(void **state) {
    (void)state;
    char text[32];
    snprintf(text, sizeof(text), "%d.%d.%d", HAKMEM_VERSION_MAJOR, HAKMEM_VERSION_MINOR,
             HAKMEM_VERSION_PATCH);
    assert_string_equal(hak_version(), text);
}

static void test_get(void **state) {
    (void)state;
    char value[64];
    assert_int_equal(hak_option_get("on_error", value, sizeof(value)), 0);
    assert_string_equal(value, "abort");
    assert_int_equal(hak_option_get("stats", value, sizeof(value)), 0);
    assert_true(value[0] != '\0');
    errno = 0;
    assert_int_equal(hak_option_get("no_such_option", value, sizeof(value)), -1);
    assert_int_equal(errno, ENOENT);
    errno = 0;
    assert_int_equal(hak_option_get("", value, sizeof(value)), -1);
    assert_int_equal(errno, ENOENT);
}

static void test_get_cuts_to_the_size_given(void **state) {
    (void)state;
    char value[8];
    memset(value, '#', sizeof(value));
    assert_int_equal(hak_option_get("on_error", value, 3), 0);
    assert_memory_equal(value, "ab\0#####", 8);
    memset(value, '#', sizeof(value));
    assert_int_equal(hak_option_get("on_error", value, 1), 0);
    assert_memory_equal(value, "\0#######", 8);
    memset(value, '#', sizeof(value));
    (void)hak_option_get("on_error", value, 0); /* no room for a terminator: writes nothing */
    assert_memory_equal(value, "########", 8);
}

static void test_set(void **state) {
    (void)state;
    char value[64];
    assert_int_equal(hak_option_set("on_error", "report"), 0);
    assert_int_equal(hak_option_get("on_error", value, sizeof(value)), 0);
    assert_string_equal(value, "report");
    assert_int_equal(hak_option_set("on_error", "abort"), 0);
    assert_int_equal(hak_option_set("purge_delay_ms", "250"), 0);
    assert_int_equal(hak_option_get("purge_delay_ms", value, sizeof(value)), 0);
    assert_string_equal(value, "250");
    assert_int_equal(hak_option_set("purge_delay_ms", "1000"), 0);
}

static void test_set_refuses(void **state) {
    (void)state;
    errno = 0;
    assert_int_equal(hak_option_set("no_such_option", "1"), -1);
    assert_int_equal(errno, ENOENT);
    errno = 0;
    assert_int_equal(hak_option_set("on_error", "explode"), -1);
    assert_int_equal(errno, EINVAL);
    errno = 0;
    assert_int_equal(hak_option_set("purge_delay_ms", "soon"), -1);
    assert_int_equal(errno, EINVAL);
    hak_free(hak_malloc(1)); /* the process has started now, whatever it was before */
    errno = 0;
    assert_int_equal(hak_option_set("check", "fast"), -1);
    assert_int_equal(errno, EPERM);
    char value[16];
    assert_int_equal(hak_option_get("on_error", value, sizeof(value)), 0);
    assert_string_equal(value, "abort");
}

int main(void) {
    family_open();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_get_cuts_to_the_size_given),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_set_refuses),
    };
    return cmocka_run_group_tests_name("option", tests, NULL, NULL);
}
