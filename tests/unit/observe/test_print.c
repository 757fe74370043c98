/* SPDX-License-Identifier: MIT
 *
 * observe/print.c: the statistics as text and JSON, and the reports at exit.
 */
#include "engine.h"

#include "config/option.h"
#include "observe/print.h"

#include <fcntl.h>
#include <string.h>

enum { TEXT_BYTES = 65536 };
static char text[TEXT_BYTES];

static int open_file(void) {
    return capture_file();
}

static void read_file(int fd) {
    ssize_t count = pread(fd, text, sizeof text - 1, 0);
    assert_true(count >= 0);
    text[count] = '\0';
}

static void print(enum hak_stats_format format) {
    int fd = open_file();
    assert_int_equal(hak_stats_print(fd, format), 0);
    read_file(fd);
    close(fd);
}

/* The number that follows a name in text or JSON. */
static unsigned long value_of(const char *name) {
    char begin[64];
    snprintf(begin, sizeof begin, "\n  %s ", name);
    const char *at = strstr(text, begin);
    if (!at) {
        snprintf(begin, sizeof begin, "\n \"%s\":", name);
        at = strstr(text, begin);
    }
    if (!at) fail_msg("no %s in:\n%s", name, text);
    return strtoul(at + strlen(begin), NULL, 10);
}

static void allocate(void) {
    static void *block[200];
    for (size_t i = 0; i < 200; i++) block[i] = hak_malloc(i * 50);
    for (size_t i = 0; i < 100; i++) hak_free(block[i]);
    hak_malloc(3 * MIB);
}

static void check_values(void) {
    struct hak_stats stats = {.version = HAK_STATS_VERSION, .size = sizeof stats};
    hak_stats_read(&stats);
    assert_int_equal(value_of("mapped"), stats.mapped);
    assert_int_equal(value_of("live"), stats.live);
    assert_int_equal(value_of("waste"), stats.waste);
    assert_int_equal(value_of("refills"), stats.refills);
    assert_int_equal(value_of("huge_allocs"), stats.huge_allocs);
    assert_int_equal(value_of("os_mmap"), stats.os_mmap);
    assert_int_equal(value_of("os_madvise_failed"), stats.os_madvise_failed);
    assert_int_equal(value_of("mapped"), value_of("live") + value_of("cached") +
                                             value_of("free_dirty") + value_of("purged") +
                                             value_of("metadata") + value_of("waste"));
}

static void test_text(void **state) {
    (void)state;
    allocate();
    print(HAK_STATS_TEXT);
    check_values();
    assert_non_null(strstr(text, "classes\n"));
}

/* Every field of struct hak_stats, once. */
static void test_all_fields(void **state) {
    (void)state;
    print(HAK_STATS_JSON);
    size_t fields = 0;
    for (const char *at = strstr(text, "stats_version"); (at = strchr(at, ',')) != NULL; at++)
        fields++;
    /* each comma of the outer object begins a field; the last one is "classes" */
    assert_int_equal(fields - 1, (sizeof(struct hak_stats) - 8) / 8);
}

/* Braces and brackets agree, strings are closed, no comma stands before a closing one. */
static void check_json(void) {
    char open[16];
    int depth = 0;
    bool quoted = false;
    char before = '\0';
    for (const char *at = text; *at; at++) {
        if (*at == '"') quoted = !quoted;
        if (quoted || strchr(" \n", *at)) continue;
        if (*at == '{' || *at == '[') open[depth++] = *at;
        if (*at == '}' || *at == ']') {
            assert_true(depth > 0 && before != ',');
            assert_int_equal(open[--depth], *at == '}' ? '{' : '[');
        }
        before = *at;
    }
    assert_int_equal(depth, 0);
    assert_false(quoted);
}

static void test_json(void **state) {
    (void)state;
    print(HAK_STATS_JSON);
    check_json();
    allocate();
    print(HAK_STATS_JSON);
    check_json();
    check_values();
    assert_non_null(strstr(text, "\"block\": 16,"));
}

static void test_allocates_nothing(void **state) {
    (void)state;
    allocate();
    struct hak_stats before = {.version = HAK_STATS_VERSION, .size = sizeof before}, after = before;
    hak_stats_read(&before);
    print(HAK_STATS_TEXT);
    print(HAK_STATS_JSON);
    hak_stats_read(&after);
    assert_memory_equal(&before, &after, sizeof before);
}

static void test_errors(void **state) {
    (void)state;
    errno = 0;
    assert_int_equal(hak_stats_print(-1, HAK_STATS_TEXT), -1);
    assert_int_equal(errno, EBADF);
    assert_int_equal(hak_stats_print(1, (enum hak_stats_format)7), -1);
    assert_int_equal(errno, EINVAL);
    int full = open("/dev/full", O_WRONLY);
    if (full < 0) return;
    assert_int_equal(hak_stats_print(full, HAK_STATS_JSON), -1);
    assert_int_equal(errno, ENOSPC);
    close(full);
}

/* ---- At exit --------------------------------------------------------------------------------- */

static void at_exit(void *argument) {
    (void)argument;
    hak_malloc(100);
    hak_print_at_exit();
}

static void check_exit(const char *options, const char *expected, const char *not_expected) {
    char out[CAPTURE_BYTES];
    setenv("HAKMEM_OPTIONS", options, 1);
    assert_int_equal(capture_child(at_exit, NULL, out), 0);
    if (!*expected) assert_string_equal(out, "");
    if (!strstr(out, expected)) fail_msg("%s: no \"%s\" in \"%s\"", options, expected, out);
    if (*not_expected && strstr(out, not_expected)) fail_msg("%s: \"%s\"", options, not_expected);
}

static void test_at_exit(void **state) {
    (void)state;
    check_exit("stats=0", "", "");
    check_exit("stats=1", "statistics", "{");
    check_exit("stats=1,stats_format=json", "\"refills\": 1", "statistics");
    check_exit("ss_os_stats=1", "os_mmap", "refill");
    check_exit("stats=1,ss_os_stats=1", "refill", "");
    check_exit("stats=1,stats_file=/no/such/folder/file",
               "hakmem: statistics can't be written to /no/such/folder/file", "refill");
}

static void stats_to_stderr(void *argument) {
    (void)argument;
    hak_malloc(100);
    hak_malloc_stats();
}

static void test_malloc_stats(void **state) {
    (void)state;
    char out[CAPTURE_BYTES];
    assert_int_equal(capture_child(stats_to_stderr, NULL, out), 0);
    assert_non_null(strstr(out, "hakmem"));
    assert_non_null(strstr(out, "live"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_text),         ISOLATED(test_all_fields),
        ISOLATED(test_json),         ISOLATED(test_allocates_nothing),
        ISOLATED(test_errors),       ISOLATED(test_at_exit),
        ISOLATED(test_malloc_stats),
    };
    return cmocka_run_group_tests_name("observe/print", tests, NULL, NULL);
}
