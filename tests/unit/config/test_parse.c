/* SPDX-License-Identifier: MIT
 *
 * config/parse.c: each type, its edges, and that what is shown can be read again.
 */
#include "unit.h"

#include "config/parse.h"

#include <errno.h>

static const struct hak_option boolean = {.name = "b", .type = HAK_OPTION_BOOL, .most = 1};
static const struct hak_option integer = {
    .name = "i", .type = HAK_OPTION_INT, .least = -1, .most = 3600000};
static const struct hak_option wide = {
    .name = "w", .type = HAK_OPTION_INT, .least = -INT64_MAX, .most = INT64_MAX};
static const struct hak_option size = {
    .name = "s", .type = HAK_OPTION_SIZE, .least = 1024, .most = (int64_t)1 << 40};
static const struct hak_option word = {
    .name = "w", .type = HAK_OPTION_WORD, .most = 2, .words = "speed|lean|learn"};
static const struct hak_option text = {.name = "t", .type = HAK_OPTION_TEXT};

struct expected {
    const char *text;
    int result;
    int64_t value;
};

static void check(const struct hak_option *option, const struct expected *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        int64_t value = -77;
        int result = hak_parse_value(option, hak_slice_of(rows[i].text), &value);
        if (result != rows[i].result || (result == 0 && value != rows[i].value)) {
            print_error("\"%s\": result %d, value %lld\n", rows[i].text, result, (long long)value);
            fail();
        }
        if (result != 0) assert_int_equal(value, -77);
    }
}

static void test_bool(void **state) {
    (void)state;
    static const struct expected rows[] = {
        {"0", 0, 0},      {"1", 0, 1},       {"off", 0, 0},      {"on", 0, 1},
        {"no", 0, 0},     {"yes", 0, 1},     {"false", 0, 0},    {"true", 0, 1},
        {"", -EINVAL, 0}, {"2", -EINVAL, 0}, {"ye", -EINVAL, 0}, {"0|1", -EINVAL, 0},
    };
    check(&boolean, rows, UNIT_COUNT(rows));
}

static void test_int(void **state) {
    (void)state;
    static const struct expected rows[] = {
        {"0", 0, 0},
        {"-0", 0, 0},
        {"007", 0, 7},
        {"-1", 0, -1},
        {"3600000", 0, 3600000},
        {"3600001", -ERANGE, 0},
        {"-2", -ERANGE, 0},
        {"99999999999999999999999999", -ERANGE, 0},
        {"-99999999999999999999999999", -ERANGE, 0},
        {"", -EINVAL, 0},
        {"-", -EINVAL, 0},
        {"--1", -EINVAL, 0},
        {"+1", -EINVAL, 0},
        {"1s", -EINVAL, 0},
        {" 1", -EINVAL, 0},
        {"0x10", -EINVAL, 0},
        {"1.5", -EINVAL, 0},
        {"99999999999999999999999999x", -EINVAL, 0},
    };
    check(&integer, rows, UNIT_COUNT(rows));
}

static void test_int_edges(void **state) {
    (void)state;
    static const struct expected rows[] = {
        {"9223372036854775807", 0, INT64_MAX}, {"-9223372036854775807", 0, -INT64_MAX},
        {"9223372036854775808", -ERANGE, 0},   {"18446744073709551616", -ERANGE, 0},
        {"18446744073709551617", -ERANGE, 0},
    };
    check(&wide, rows, UNIT_COUNT(rows));
}

static void test_size(void **state) {
    (void)state;
    static const struct expected rows[] = {
        {"1024", 0, 1024},
        {"1K", 0, 1024},
        {"64k", 0, 65536},
        {"3M", 0, 3 << 20},
        {"2g", 0, (int64_t)2 << 30},
        {"1024G", 0, (int64_t)1 << 40},
        {"1025G", -ERANGE, 0},
        {"1023", -ERANGE, 0},
        {"0", -ERANGE, 0},
        {"9223372036854775807G", -ERANGE, 0},
        {"8589934592G", -ERANGE, 0},
        {"17179869184G", -ERANGE, 0},
        {"", -EINVAL, 0},
        {"K", -EINVAL, 0},
        {"-1K", -EINVAL, 0},
        {"1KB", -EINVAL, 0},
        {"1T", -EINVAL, 0},
        {"1 K", -EINVAL, 0},
        {"1.5M", -EINVAL, 0},
    };
    check(&size, rows, UNIT_COUNT(rows));
}

/* A word for the least value. */
static const struct hak_option limit = {
    .name = "limit", .words = "auto", .type = HAK_OPTION_INT, .least = -1, .most = 100};

static void test_least_word(void **state) {
    (void)state;
    static const struct expected rows[] = {
        {"auto", 0, -1},     {"-1", 0, -1},         {"0", 0, 0},         {"100", 0, 100},
        {"aut", -EINVAL, 0}, {"autos", -EINVAL, 0}, {"101", -ERANGE, 0},
    };
    char out[64];
    check(&limit, rows, UNIT_COUNT(rows));
    hak_parse_show(&limit, -1, out, sizeof out);
    assert_string_equal(out, "auto");
    hak_parse_show(&limit, 0, out, sizeof out);
    assert_string_equal(out, "0");
    hak_parse_show_range(&limit, out, sizeof out);
    assert_string_equal(out, "auto, or 0 to 100");
}

static void test_word(void **state) {
    (void)state;
    static const struct expected rows[] = {
        {"speed", 0, 0},       {"lean", 0, 1},
        {"learn", 0, 2},       {"", -EINVAL, 0},
        {"spee", -EINVAL, 0},  {"speeds", -EINVAL, 0},
        {"0", -EINVAL, 0},     {"|", -EINVAL, 0},
        {"lean|", -EINVAL, 0}, {"speed|lean", -EINVAL, 0},
        {"Lean", -EINVAL, 0},
    };
    check(&word, rows, UNIT_COUNT(rows));
}

static void test_text(void **state) {
    (void)state;
    char longest[HAK_OPTION_TEXT_BYTES + 1];
    int64_t value = -77;
    memset(longest, 'x', sizeof longest);
    longest[HAK_OPTION_TEXT_BYTES - 1] = '\0';
    assert_int_equal(hak_parse_value(&text, hak_slice_of(""), &value), 0);
    assert_int_equal(value, 0);
    assert_int_equal(hak_parse_value(&text, hak_slice_of(longest), &value), 0);
    assert_int_equal(value, HAK_OPTION_TEXT_BYTES - 1);
    longest[HAK_OPTION_TEXT_BYTES - 1] = 'x';
    longest[HAK_OPTION_TEXT_BYTES] = '\0';
    assert_int_equal(hak_parse_value(&text, hak_slice_of(longest), &value), -EINVAL);
}

/* The text is a slice: what stands behind it is not looked at. */
static void test_bounded(void **state) {
    (void)state;
    int64_t value;
    assert_int_equal(hak_parse_value(&integer, (struct hak_slice){"123", 2}, &value), 0);
    assert_int_equal(value, 12);
    assert_int_equal(hak_parse_value(&size, (struct hak_slice){"64KB", 3}, &value), 0);
    assert_int_equal(value, 65536);
    assert_int_equal(hak_parse_value(&word, (struct hak_slice){"leaning", 4}, &value), 0);
    assert_int_equal(value, 1);
}

static void assert_shown(const struct hak_option *option, int64_t value, const char *expected) {
    char out[32];
    int64_t again = -77;
    hak_parse_show(option, value, out, sizeof out);
    assert_string_equal(out, expected);
    assert_int_equal(hak_parse_value(option, hak_slice_of(out), &again), 0);
    assert_int_equal(again, value);
}

static void test_show(void **state) {
    (void)state;
    assert_shown(&boolean, 1, "1");
    assert_shown(&integer, -1, "-1");
    assert_shown(&integer, 3600000, "3600000");
    assert_shown(&size, 1025, "1025");
    assert_shown(&size, 65536, "64K");
    assert_shown(&size, 3 << 20, "3M");
    assert_shown(&size, (int64_t)1 << 40, "1024G");
    assert_shown(&word, 0, "speed");
    assert_shown(&word, 2, "learn");
}

static void test_show_range(void **state) {
    (void)state;
    char out[64];
    hak_parse_show_range(&boolean, out, sizeof out);
    assert_string_equal(out, "0 or 1");
    hak_parse_show_range(&integer, out, sizeof out);
    assert_string_equal(out, "-1 to 3600000");
    hak_parse_show_range(&size, out, sizeof out);
    assert_string_equal(out, "1K to 1024G");
    hak_parse_show_range(&word, out, sizeof out);
    assert_string_equal(out, "speed|lean|learn");
    hak_parse_show_range(&text, out, sizeof out);
    assert_string_equal(out, "at most 255 bytes");
}

/* Every default of the real table is shown and read back. */
static void test_table_defaults(void **state) {
    (void)state;
    for (int id = 0; id < HAK_OPTION_COUNT; id++) {
        const struct hak_option *option = &hak_option_table[id];
        char out[32];
        int64_t value = -77;
        if (option->type == HAK_OPTION_TEXT) continue;
        hak_parse_show(option, option->initial, out, sizeof out);
        assert_int_equal(hak_parse_value(option, hak_slice_of(out), &value), 0);
        assert_int_equal(value, option->initial);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bool),           cmocka_unit_test(test_int),
        cmocka_unit_test(test_int_edges),      cmocka_unit_test(test_size),
        cmocka_unit_test(test_least_word),     cmocka_unit_test(test_word),
        cmocka_unit_test(test_text),           cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_show),           cmocka_unit_test(test_show_range),
        cmocka_unit_test(test_table_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
