/* SPDX-License-Identifier: MIT
 *
 * config/conf.c on files of a temporary folder.
 */
#include "unit.h"

#include "config/conf.h"

#include "capture.h"

#include <errno.h>
#include <sys/stat.h>

static struct hak_values values;
static char out[CAPTURE_BYTES];
static char folder[] = "/tmp/hakmem_conf_XXXXXX";

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) == NULL || chdir(folder) != 0;
}

static int remove_folder(void **state) {
    (void)state;
    unlink("conf");
    return chdir("/") != 0 || rmdir(folder) != 0;
}

struct reading {
    const char *path;
    bool must_exist;
    int result;
};

static void read_conf(void *argument) {
    struct reading *reading = argument;
    hak_values_start(&values, false);
    reading->result = hak_conf_read(&values, reading->path, "prog", reading->must_exist);
}

static void write_file(const char *text, size_t length) {
    FILE *file = fopen("conf", "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

/* Reads a file of this text for the program "prog", which gives these warnings. */
static void check(const char *text, const char *warnings) {
    struct reading reading = {"conf", true, 77};
    write_file(text, strlen(text));
    capture_stderr(read_conf, &reading, out);
    assert_string_equal(out, warnings);
    assert_int_equal(reading.result, 0);
}

static int64_t number(enum hak_option_id id) {
    return values.number[id];
}

static void test_empty(void **state) {
    (void)state;
    check("", "");
    check("\n\n", "");
    check("# only a comment", "");
    check("   \t \r\n # x\r\n", "");
    assert_int_equal(values.given, 0);
}

static void test_global(void **state) {
    (void)state;
    check("stats=1\nmagazine_blocks = 9\n\tcheck\t=\tfast\t\r\n", "");
    assert_int_equal(number(HAK_OPTION_STATS), 1);
    assert_int_equal(number(HAK_OPTION_MAGAZINE_BLOCKS), 9);
    assert_int_equal(number(HAK_OPTION_CHECK), HAK_CHECK_FAST);
}

static void test_last_line_without_newline(void **state) {
    (void)state;
    check("stats=1\nmagazine_blocks=9", "");
    assert_int_equal(number(HAK_OPTION_MAGAZINE_BLOCKS), 9);
}

static void test_comments(void **state) {
    (void)state;
    check("#stats=1\nmagazine_blocks=9 # the rest\nstats_file=/tmp/a#b\t#c\n", "");
    assert_int_equal(number(HAK_OPTION_STATS), 0);
    assert_int_equal(number(HAK_OPTION_MAGAZINE_BLOCKS), 9);
    assert_string_equal(values.text[0], "/tmp/a#b");
}

static void test_sections(void **state) {
    (void)state;
    check("magazine_blocks=1\nstats=1\n"
          "[other]\nmagazine_blocks=2\nunknown=here is not looked at\n"
          "[ prog ] # ours\nmagazine_blocks=3\n"
          "[progs]\nmagazine_blocks=4\n[pro]\nmagazine_blocks=5\n",
          "");
    assert_int_equal(number(HAK_OPTION_MAGAZINE_BLOCKS), 3);
    assert_int_equal(number(HAK_OPTION_STATS), 1);
}

static void test_section_twice(void **state) {
    (void)state;
    check("[prog]\nmagazine_blocks=3\n[x]\n[prog]\nstats=1\n", "");
    assert_int_equal(number(HAK_OPTION_MAGAZINE_BLOCKS), 3);
    assert_int_equal(number(HAK_OPTION_STATS), 1);
}

static void test_warnings_have_line_numbers(void **state) {
    (void)state;
    check("\nstast=1\n# x\n\nstats=maybe\n[prog\nstats=1\n[prog]\nmagazine_blocks\n[]\n[\n",
          "hakmem: conf:2: no option \"stast\"; the nearest is \"stats\"\n"
          "hakmem: conf:5: stats=maybe: must be 0 or 1\n"
          "hakmem: conf:6: a section is written [program]; it is left out\n"
          "hakmem: conf:9: \"magazine_blocks\" has no value: name=value is needed\n"
          "hakmem: conf:11: a section is written [program]; it is left out\n");
    assert_int_equal(number(HAK_OPTION_STATS), 0);
}

/* Lines around the size of the buffer; the numbers of the lines after them stay right. */
static void test_long_lines(void **state) {
    (void)state;
    static const size_t lengths[] = {HAK_CONF_LINE_BYTES - 2,    HAK_CONF_LINE_BYTES - 1,
                                     HAK_CONF_LINE_BYTES,        HAK_CONF_LINE_BYTES + 1,
                                     2 * HAK_CONF_LINE_BYTES,    2 * HAK_CONF_LINE_BYTES + 1,
                                     5 * HAK_CONF_LINE_BYTES + 3};
    static char text[8 * HAK_CONF_LINE_BYTES];
    for (size_t i = 0; i < UNIT_COUNT(lengths); i++) {
        const bool fits = lengths[i] < HAK_CONF_LINE_BYTES;
        memset(text, ' ', lengths[i]);
        memcpy(text, "stats=1", 7);
        strcpy(text + lengths[i], "\nmagazine_blocks=9\nstast=1\n");
        check(text, fits ? "hakmem: conf:3: no option \"stast\"; the nearest is \"stats\"\n"
                         : "hakmem: conf:1: the line is too long\n"
                           "hakmem: conf:3: no option \"stast\"; the nearest is \"stats\"\n");
        assert_int_equal(number(HAK_OPTION_STATS), fits ? 1 : 0);
        assert_int_equal(number(HAK_OPTION_MAGAZINE_BLOCKS), 9);
    }
}

static void test_long_last_line(void **state) {
    (void)state;
    static char text[2 * HAK_CONF_LINE_BYTES];
    memset(text, 'x', sizeof text - 1);
    check(text, "hakmem: conf:1: the line is too long\n");
}

static void test_zero_bytes(void **state) {
    (void)state;
    struct reading reading = {"conf", true, 77};
    write_file("stats\0=1\nprofile=lean\0\n[prog\0]\nstats=1\n", 39);
    capture_stderr(read_conf, &reading, out);
    assert_int_equal(reading.result, 0);
    assert_int_equal(capture_lines(out), 2);
    assert_int_equal(values.given, 0);
}

static void check_unreadable(const char *path, bool must_exist, int result, const char *warning) {
    struct reading reading = {path, must_exist, 77};
    capture_stderr(read_conf, &reading, out);
    assert_string_equal(out, warning);
    assert_int_equal(reading.result, result);
    assert_int_equal(values.given, 0);
}

static void test_unreadable(void **state) {
    (void)state;
    check_unreadable("missing", false, -ENOENT, "");
    check_unreadable("missing", true, -ENOENT,
                     "hakmem: missing: can't be read: it does not exist\n");
    check_unreadable("/", true, -EISDIR, "hakmem: /: can't be read: it is a directory\n");
    check_unreadable("/dev/null/x", false, -ENOTDIR,
                     "hakmem: /dev/null/x: can't be read: error 20\n");
    check_unreadable("/dev/null", true, 0, "");
    if (geteuid() != 0) {
        write_file("stats=1\n", 8);
        chmod("conf", 0);
        check_unreadable("conf", false, -EACCES,
                         "hakmem: conf: can't be read: permission denied\n");
        unlink("conf");
    }
}

/* An endless file ends; what came before its end counts. */
static void test_endless(void **state) {
    (void)state;
    struct reading reading = {"/dev/zero", true, 77};
    capture_stderr(read_conf, &reading, out);
    assert_int_equal(reading.result, -EFBIG);
    assert_non_null(strstr(out, "hakmem: /dev/zero: can't be read: the rest is left out: it is too "
                                "long\n"));
    assert_int_equal(values.given, 0);
}

static void test_many_lines(void **state) {
    (void)state;
    struct reading reading = {"conf", true, 77};
    FILE *file = fopen("conf", "w");
    assert_non_null(file);
    for (int i = 0; i < 5000; i++) fprintf(file, "magazine_blocks=%d # %d\n", i % 2048 + 1, i);
    fprintf(file, "stast=1\n");
    fclose(file);
    capture_stderr(read_conf, &reading, out);
    assert_string_equal(out, "hakmem: conf:5001: no option \"stast\"; the nearest is \"stats\"\n");
    assert_int_equal(number(HAK_OPTION_MAGAZINE_BLOCKS), 4999 % 2048 + 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_global),
        cmocka_unit_test(test_last_line_without_newline),
        cmocka_unit_test(test_comments),
        cmocka_unit_test(test_sections),
        cmocka_unit_test(test_section_twice),
        cmocka_unit_test(test_warnings_have_line_numbers),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_long_last_line),
        cmocka_unit_test(test_zero_bytes),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_endless),
        cmocka_unit_test(test_many_lines),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
