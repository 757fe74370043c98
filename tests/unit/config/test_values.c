/* SPDX-License-Identifier: MIT
 *
 * config/values.c: assigning, the exact words of each warning, profiles.
 */
#include "unit.h"

#include "config/values.h"

#include "capture.h"

#include <errno.h>

static struct hak_values values;
static char out[CAPTURE_BYTES];

static int start(void **state) {
    (void)state;
    hak_values_start(&values, false);
    return 0;
}

struct pair {
    const char *text;
    struct hak_origin origin;
    int result;
};

static void assign(void *argument) {
    struct pair *pair = argument;
    pair->result = hak_values_assign_pair(&values, hak_slice_of(pair->text), &pair->origin);
}

static void assert_warns(const char *text, int result, const char *warning) {
    struct pair pair = {text, {"ORIGIN", 0}, 77};
    const struct hak_values before = values;
    capture_stderr(assign, &pair, out);
    assert_string_equal(out, warning);
    assert_int_equal(pair.result, result);
    assert_memory_equal(values.number, before.number, sizeof values.number);
    assert_int_equal(values.given, before.given);
    values.warnings = 0;
}

static void assert_sets(const char *text) {
    struct pair pair = {text, {"ORIGIN", 0}, 77};
    capture_stderr(assign, &pair, out);
    assert_string_equal(out, "");
    assert_int_equal(pair.result, 0);
}

static void test_start(void **state) {
    (void)state;
    for (int id = 0; id < HAK_OPTION_COUNT; id++) {
        assert_int_equal(values.number[id], hak_option_table[id].initial);
    }
    assert_int_equal(values.given, 0);
    assert_string_equal(values.text[0], "");
}

static void test_assign(void **state) {
    (void)state;
    assert_sets("check=fast");
    assert_int_equal(values.number[HAK_OPTION_CHECK], HAK_CHECK_FAST);
    assert_sets("  magazine_bytes\t=  8K \r");
    assert_int_equal(values.number[HAK_OPTION_MAGAZINE_BYTES], 8192);
    assert_sets("STATS=on");
    assert_int_equal(values.number[HAK_OPTION_STATS], 1);
    assert_sets("stats=off");
    assert_int_equal(values.number[HAK_OPTION_STATS], 0);
    assert_int_equal(values.given, 1u << HAK_OPTION_CHECK | 1u << HAK_OPTION_MAGAZINE_BYTES |
                                       1u << HAK_OPTION_STATS);
}

static void test_text(void **state) {
    (void)state;
    assert_sets("stats_file = /tmp/a = b.%p");
    assert_string_equal(values.text[0], "/tmp/a = b.%p");
    assert_int_equal(values.number[HAK_OPTION_STATS_FILE], 13);
    assert_sets("stats_file=fd:3");
    assert_string_equal(values.text[0], "fd:3");
    assert_sets("stats_file=");
    assert_string_equal(values.text[0], "");
}

static void test_nothing(void **state) {
    (void)state;
    assert_sets("");
    assert_sets("  \t ");
    assert_int_equal(values.given, 0);
}

static void test_warnings(void **state) {
    (void)state;
    assert_warns("chekc=fast", -ENOENT,
                 "hakmem: ORIGIN: no option \"chekc\"; the nearest is \"check\"\n");
    assert_warns("colour=red", -ENOENT,
                 "hakmem: ORIGIN: no option \"colour\"; `hakmem options` lists them\n");
    assert_warns("=1", -ENOENT, "hakmem: ORIGIN: no option \"\"; `hakmem options` lists them\n");
    assert_warns("stats", -EINVAL,
                 "hakmem: ORIGIN: \"stats\" has no value: name=value is needed\n");
    assert_warns("stats=2", -EINVAL, "hakmem: ORIGIN: stats=2: must be 0 or 1\n");
    assert_warns("check=chcked", -EINVAL, "hakmem: ORIGIN: check=chcked: must be fast|checked\n");
    assert_warns("purge_delay_ms=-2", -ERANGE,
                 "hakmem: ORIGIN: purge_delay_ms=-2: must be -1 to 3600000\n");
    assert_warns("magazine_bytes=65M", -ERANGE,
                 "hakmem: ORIGIN: magazine_bytes=65M: must be 0 to 64M\n");
    assert_warns("magazine_blocks=", -EINVAL,
                 "hakmem: ORIGIN: magazine_blocks=: must be 1 to 2048\n");
}

static void test_line_of_a_file(void **state) {
    (void)state;
    struct pair pair = {"stats=2", {"/etc/hakmem.conf", 12}, 0};
    capture_stderr(assign, &pair, out);
    assert_string_equal(out, "hakmem: /etc/hakmem.conf:12: stats=2: must be 0 or 1\n");
}

static void test_long_names_and_values_are_cut(void **state) {
    (void)state;
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    text[1000] = '=';
    struct pair pair = {text, {"ORIGIN", 0}, 0};
    capture_stderr(assign, &pair, out);
    assert_int_equal(pair.result, -ENOENT);
    assert_int_equal(capture_lines(out), 1);
    assert_true(strlen(out) < 160);

    memcpy(text, "stats=", 6);
    capture_stderr(assign, &pair, out);
    assert_int_equal(pair.result, -EINVAL);
    assert_int_equal(capture_lines(out), 1);
    assert_true(strlen(out) < 160);
}

static void assign_many(void *argument) {
    (void)argument;
    for (int i = 0; i < 100; i++) assign(&(struct pair){"stats=2", {"ORIGIN", 0}, 0});
}

static void test_warnings_are_bounded(void **state) {
    (void)state;
    capture_stderr(assign_many, NULL, out);
    assert_int_equal(capture_lines(out), HAK_VALUES_WARNINGS_MAX + 1);
    assert_non_null(strstr(out, "hakmem: more warnings about options are left out\n"));
}

static void test_quiet(void **state) {
    (void)state;
    hak_values_start(&values, true);
    capture_stderr(assign_many, NULL, out);
    assert_string_equal(out, "");
}

static void test_profile_fills_what_is_not_given(void **state) {
    (void)state;
    assert_sets("magazine_blocks=7");
    assert_sets("profile=lean");
    hak_values_finish(&values);
    assert_int_equal(values.number[HAK_OPTION_PURGE_DELAY_MS], 100);
    assert_int_equal(values.number[HAK_OPTION_MAGAZINE_BYTES], 64 << 10);
    assert_int_equal(values.number[HAK_OPTION_SS_MEM_LEAN], 1);
    assert_int_equal(values.number[HAK_OPTION_MAGAZINE_BLOCKS], 7);
}

/* A value that is given counts also when it is the default. */
static void test_given_default_beats_profile(void **state) {
    (void)state;
    assert_sets("purge_delay_ms=1000");
    assert_sets("profile=speed");
    hak_values_finish(&values);
    assert_int_equal(values.number[HAK_OPTION_PURGE_DELAY_MS], 1000);
    assert_int_equal(values.number[HAK_OPTION_MAGAZINE_BLOCKS], 2048);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_start, start),
        cmocka_unit_test_setup(test_assign, start),
        cmocka_unit_test_setup(test_text, start),
        cmocka_unit_test_setup(test_nothing, start),
        cmocka_unit_test_setup(test_warnings, start),
        cmocka_unit_test_setup(test_line_of_a_file, start),
        cmocka_unit_test_setup(test_long_names_and_values_are_cut, start),
        cmocka_unit_test_setup(test_warnings_are_bounded, start),
        cmocka_unit_test_setup(test_quiet, start),
        cmocka_unit_test_setup(test_profile_fills_what_is_not_given, start),
        cmocka_unit_test_setup(test_given_default_beats_profile, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
