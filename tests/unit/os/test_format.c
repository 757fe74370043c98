/* SPDX-License-Identifier: MIT
 *
 * os/format.c against snprintf(3), and what it does beyond.
 */
#include "unit.h"

#include "os/format.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Formats with both and compares text and length. */
#define SAME(...)                                                        \
    do {                                                                 \
        char ours[256], theirs[256];                                     \
        size_t length = hak_format_text(ours, sizeof ours, __VA_ARGS__); \
        int expected = snprintf(theirs, sizeof theirs, __VA_ARGS__);     \
        assert_string_equal(ours, theirs);                               \
        assert_int_equal(length, expected);                              \
    } while (0)

static void test_plain_text(void **state) {
    (void)state;
    SAME("plain");
    SAME("100%%");
    SAME("%% %%");
    char empty[4] = "xxx";
    const char *nothing = "";
    assert_int_equal(hak_format_text(empty, sizeof empty, "%s", nothing), 0);
    assert_string_equal(empty, "");
}

static void test_signed_numbers(void **state) {
    (void)state;
    SAME("%d %d %d", 0, -1, 12345);
    SAME("%d %d", INT_MAX, INT_MIN);
    SAME("%ld %ld", LONG_MAX, LONG_MIN);
    SAME("%lld %lld", LLONG_MAX, LLONG_MIN);
    SAME("%zd", (ssize_t)-7);
    SAME("[%6d] [%-6d] [%06d] [%06d]", 42, 42, 42, -42);
    SAME("[%2d] [%1d]", 12345, -12345);
}

static void test_unsigned_numbers(void **state) {
    (void)state;
    SAME("%u %u", 0u, UINT_MAX);
    SAME("%lu", ULONG_MAX);
    SAME("%llu", ULLONG_MAX);
    SAME("%zu", SIZE_MAX);
    SAME("%x %lx %llx", 0xdeadbeefu, ULONG_MAX, 0x10ULL);
    SAME("[%10x] [%-10x] [%010x]", 255u, 255u, 255u);
    SAME("[%24lu]", 7ul);
    SAME("[%*d] [%*d]", 5, 42, -5, 42);
    SAME("[%40d]", 1);
}

static void test_pointers(void **state) {
    (void)state;
    char text[64];
    SAME("%p", (void *)0x7fff1234abcd);
    SAME("[%20p]", (void *)0x1000);
    hak_format_text(text, sizeof text, "%p", (void *)NULL);
    assert_string_equal(text, "0x0");
}

static void test_strings(void **state) {
    (void)state;
    char text[64];
    const char *volatile none = NULL; /* so that the compiler does not see it */
    SAME("%s|%c", "abc", 'x');
    SAME("[%8s] [%-8s] [%.2s] [%.9s]", "abc", "abc", "abc", "abc");
    SAME("[%.*s] [%8.2s]", 2, "abc", "abc");
    hak_format_text(text, sizeof text, "%s", none);
    assert_string_equal(text, "(null)");
}

/* A string that is not terminated may be printed by its precision. */
static void test_precision_bounds_the_read(void **state) {
    (void)state;
    char *two = malloc(2), text[8];
    memcpy(two, "ab", 2);
    hak_format_text(text, sizeof text, "%.*s", 2, two);
    assert_string_equal(text, "ab");
    free(two);
}

static void test_cut(void **state) {
    (void)state;
    char text[8] = "1234567";
    assert_int_equal(hak_format_text(text, 5, "%s", "abcdefgh"), 8);
    assert_memory_equal(text,
                        "abcd\0"
                        "67",
                        8);
    assert_int_equal(hak_format_text(text, 1, "%s", "abc"), 3);
    assert_string_equal(text, "");
    text[0] = 'z';
    assert_int_equal(hak_format_text(text, 0, "%s", "abc"), 3);
    assert_int_equal(text[0], 'z');
}

static void test_unknown_conversions_stay(void **state) {
    (void)state;
    char text[32];
    const char *const formats[] = {"%q", "%", "a%", "%5", "%-", "%l"};
    for (size_t i = 0; i < UNIT_COUNT(formats); i++) {
        const char *format = formats[i];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
        hak_format_text(text, sizeof text, format);
#pragma GCC diagnostic pop
        assert_string_equal(text, format);
    }
}

static void test_errno_is_kept(void **state) {
    (void)state;
    char text[64];
    errno = 77;
    hak_format_text(text, sizeof text, "%s %d %p", "a", 1, (void *)text);
    assert_int_equal(errno, 77);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_text),
        cmocka_unit_test(test_signed_numbers),
        cmocka_unit_test(test_unsigned_numbers),
        cmocka_unit_test(test_pointers),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_precision_bounds_the_read),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_unknown_conversions_stay),
        cmocka_unit_test(test_errno_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
