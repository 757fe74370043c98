/* SPDX-License-Identifier: MIT
 *
 * os/lines.c: lines of every length, with and without a newline at the end.
 */
#include "unit.h"

#include "os/lines.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/hakmem_lines_XXXXXX";

static int make_file(void **state) {
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 || close(fd) != 0;
}

static int remove_file(void **state) {
    (void)state;
    return unlink(path);
}

static void write_text(const char *text, size_t length) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    fclose(file);
}

static void open_text(struct hak_lines *lines, const char *text) {
    write_text(text, strlen(text));
    assert_int_equal(hak_lines_open(lines, path, SIZE_MAX), 0);
}

static void check_next(struct hak_lines *lines, const char *expected) {
    const char *line;
    size_t length;
    bool whole;
    assert_true(hak_lines_next(lines, &line, &length, &whole));
    assert_true(whole);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(line, expected, length);
}

static void check_end(struct hak_lines *lines, int error) {
    const char *line;
    size_t length;
    bool whole;
    assert_false(hak_lines_next(lines, &line, &length, &whole));
    assert_int_equal(hak_lines_close(lines), error);
}

static void test_few(void **state) {
    (void)state;
    struct hak_lines lines;
    open_text(&lines, "");
    check_end(&lines, 0);
    open_text(&lines, "one\n\nthree");
    check_next(&lines, "one");
    check_next(&lines, "");
    check_next(&lines, "three");
    check_end(&lines, 0);
}

/* Over several buffers. */
static void test_many(void **state) {
    (void)state;
    static char text[100000];
    struct hak_lines lines;
    size_t used = 0;
    for (int i = 0; i < 5000; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%0*d\n", 1 + i % 20, i);
    open_text(&lines, text);
    for (int i = 0; i < 5000; i++) {
        char expected[32];
        snprintf(expected, sizeof expected, "%0*d", 1 + i % 20, i);
        check_next(&lines, expected);
    }
    check_end(&lines, 0);
}

static void test_too_long(void **state) {
    (void)state;
    static char text[5 * HAK_LINES_BYTES];
    struct hak_lines lines;
    const char *line;
    size_t length, sum = 0;
    bool whole = false;
    memset(text, 'x', sizeof text - 1);
    text[3 * HAK_LINES_BYTES] = '\n';
    open_text(&lines, text);
    while (!whole) {
        assert_true(hak_lines_next(&lines, &line, &length, &whole));
        sum += length;
    }
    assert_int_equal(sum, 3 * HAK_LINES_BYTES);
    assert_true(hak_lines_next(&lines, &line, &length, &whole));
    assert_false(whole);
    hak_lines_close(&lines);
}

static void test_errors(void **state) {
    (void)state;
    struct hak_lines lines;
    assert_int_equal(hak_lines_open(&lines, "/no/such/file", SIZE_MAX), -ENOENT);
    assert_int_equal(hak_lines_open(&lines, "/tmp", SIZE_MAX), 0);
    check_end(&lines, -EISDIR);
    static char text[4 * HAK_LINES_BYTES];
    memset(text, '\n', sizeof text);
    write_text(text, sizeof text);
    assert_int_equal(hak_lines_open(&lines, path, 2 * HAK_LINES_BYTES), 0);
    for (int i = 0; i < 2 * HAK_LINES_BYTES; i++) check_next(&lines, "");
    check_end(&lines, -EFBIG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests_name("os/lines", tests, make_file, remove_file);
}
