/* SPDX-License-Identifier: MIT
 *
 * front/api.c: version and options.
 */
#include "engine.h"

#include <string.h>

static void test_version(void **state) {
    (void)state;
    char expected[32];
    snprintf(expected, sizeof expected, "%d.%d.%d", HAKMEM_VERSION_MAJOR, HAKMEM_VERSION_MINOR,
             HAKMEM_VERSION_PATCH);
    assert_string_equal(hak_version(), expected);
}

static void test_get_and_set(void **state) {
    (void)state;
    char value[64];
    setenv("HAKMEM_MAGAZINE_BLOCKS", "100", 1);
    assert_int_equal(hak_option_get("magazine_blocks", value, sizeof value),
                     0); /* the first call */
    assert_string_equal(value, "100");
    assert_int_equal(hak_option_set("magazine_blocks", "33"), 0);
    assert_int_equal(hak_option_get("magazine_blocks", value, sizeof value), 0);
    assert_string_equal(value, "33");
    assert_int_equal(hak_option_get("magazine_blocks", value, 2), 0);
    assert_string_equal(value, "3"); /* cut, terminated */
}

static void check_error(int result, int error) {
    assert_int_equal(result, -1);
    assert_int_equal(errno, error);
    errno = 0;
}

static void test_errors(void **state) {
    (void)state;
    char value[8] = "same";
    check_error(hak_option_get("no_such_option", value, sizeof value), ENOENT);
    check_error(hak_option_get(NULL, value, sizeof value), EINVAL);
    check_error(hak_option_get("stats", NULL, 8), EINVAL);
    check_error(hak_option_get("stats", value, 0), EINVAL);
    assert_string_equal(value, "same");
    check_error(hak_option_set("no_such_option", "1"), ENOENT);
    check_error(hak_option_set("magazine_blocks", "many"), EINVAL);
    check_error(hak_option_set("magazine_blocks", "0"), EINVAL);
    check_error(hak_option_set("check", "fast"), EPERM);
    check_error(hak_option_set(NULL, "1"), EINVAL);
    check_error(hak_option_set("stats", NULL), EINVAL);
}

/* Options can be asked for before anything is allocated, without memory, and after the thread. */
static void test_any_time(void **state) {
    (void)state;
    char value[64];
    fake_page_fail(FAKE_ALL, 1, FAKE_FOR_EVER);
    assert_int_equal(hak_option_get("stats", value, sizeof value), 0);
    fake_page_fail_never();
    hak_free(hak_malloc(10));
    fake_thread_end();
    assert_int_equal(hak_option_get("stats", value, sizeof value), 0);
    assert_int_equal(hak_option_set("stats", "0"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_version),
        ISOLATED(test_get_and_set),
        ISOLATED(test_errors),
        ISOLATED(test_any_time),
    };
    return cmocka_run_group_tests_name("front/api", tests, NULL, NULL);
}
