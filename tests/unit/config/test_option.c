/* SPDX-License-Identifier: MIT
 *
 * config/option.c: the values in force.  A process takes them once, so each test runs in a child.
 */
#include "unit.h"

#include "config/option.h"

#include "capture.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

static char out[CAPTURE_BYTES];

/* In a child: ends it with the line as its status' companion on standard error. */
#define REQUIRE(condition)                                             \
    do {                                                               \
        if (!(condition)) {                                            \
            dprintf(2, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            _exit(1);                                                  \
        }                                                              \
    } while (0)

static void in_child(void (*run)(void *), void *argument, const char *expected) {
    int status = capture_child(run, argument, out);
    assert_string_equal(out, expected);
    assert_int_equal(status, 0);
}

static void init_from(const char *const *environment) {
    const struct hak_sources sources = {environment, NULL, "prog"};
    hak_option_init_from(&sources);
}

static bool reads(const char *name, const char *expected) {
    char text[HAK_OPTION_TEXT_BYTES];
    return hak_option_read(name, text, sizeof text) == 0 && strcmp(text, expected) == 0;
}

#define ENVIRONMENT(...) ((const char *const[]){__VA_ARGS__, NULL})

static void before(void *argument) {
    char text[8];
    (void)argument;
    REQUIRE(hak_option_int(HAK_OPTION_MAGAZINE_BLOCKS) == 1024);
    REQUIRE(hak_option_int(HAK_OPTION_STATS) == 0);
    hak_option_text(HAK_OPTION_STATS_FILE, text, sizeof text);
    REQUIRE(text[0] == '\0');
}

static void test_before_init_defaults_are_read(void **state) {
    (void)state;
    in_child(before, NULL, "");
}

static void init(void *argument) {
    (void)argument;
    errno = 77;
    init_from(ENVIRONMENT("HAKMEM_PURGE_DELAY_MS=-1", "HAKMEM_STATS_FILE=/x", "HAKMEM_STATS=0",
                          "HAKMEM_MAGAZINE_BYTES=0"));
    REQUIRE(errno == 77);
    REQUIRE(hak_option_int(HAK_OPTION_PURGE_DELAY_MS) == -1);
    REQUIRE(hak_option_int(HAK_OPTION_MAGAZINE_BYTES) == 0);
    REQUIRE(reads("stats_file", "/x"));
    REQUIRE(reads("check", "checked"));
    REQUIRE(reads("magazine_bytes", "0"));
    init_from(ENVIRONMENT("HAKMEM_PURGE_DELAY_MS=5")); /* too late */
    REQUIRE(hak_option_int(HAK_OPTION_PURGE_DELAY_MS) == -1);
}

static void test_init(void **state) {
    (void)state;
    in_child(init, NULL, "");
}

static void init_of_process(void *argument) {
    (void)argument;
    setenv("HAKMEM_MAGAZINE_BLOCKS", "12", 1);
    hak_option_init();
    hak_option_init();
    REQUIRE(hak_option_int(HAK_OPTION_MAGAZINE_BLOCKS) == 12);
}

static void test_init_of_process(void **state) {
    (void)state;
    in_child(init_of_process, NULL, "");
}

/* What setproctitle does to the environment must not change a path that is used at exit. */
static void overwrite(void *argument) {
    char entry[] = "HAKMEM_STATS_FILE=/tmp/first";
    (void)argument;
    init_from(ENVIRONMENT(entry));
    memset(entry, 'x', sizeof entry - 1);
    REQUIRE(reads("stats_file", "/tmp/first"));
}

static void test_text_is_copied(void **state) {
    (void)state;
    in_child(overwrite, NULL, "");
}

static void text_is_cut(void *argument) {
    char text[5] = "xxxx";
    (void)argument;
    init_from(ENVIRONMENT("HAKMEM_STATS_FILE=abcdefgh"));
    hak_option_text(HAK_OPTION_STATS_FILE, text, 4);
    REQUIRE(strcmp(text, "abc") == 0);
    hak_option_text(HAK_OPTION_STATS_FILE, text, 0);
    REQUIRE(strcmp(text, "abc") == 0);
    REQUIRE(hak_option_read("purge_delay_ms", text, 3) == 0 && strcmp(text, "10") == 0);
}

static void test_text_is_cut(void **state) {
    (void)state;
    in_child(text_is_cut, NULL, "");
}

/* The longest text that is accepted comes back whole. */
static void longest_text(void *argument) {
    char entry[18 + HAK_OPTION_TEXT_BYTES] = "HAKMEM_STATS_FILE=";
    (void)argument;
    memset(entry + 18, 'f', HAK_OPTION_TEXT_BYTES - 1);
    entry[sizeof entry - 1] = '\0';
    init_from(ENVIRONMENT(entry));
    REQUIRE(reads("stats_file", entry + 18));
}

static void test_longest_text(void **state) {
    (void)state;
    in_child(longest_text, NULL, "");
}

static void write_and_read(void *argument) {
    char text[32];
    (void)argument;
    init_from(ENVIRONMENT("X=1"));
    REQUIRE(hak_option_write("stats", "yes") == 0 && hak_option_int(HAK_OPTION_STATS) == 1);
    REQUIRE(hak_option_write("magazine_bytes", "1M") == 0 && reads("magazine_bytes", "1M"));
    REQUIRE(hak_option_write("on_error", "report") == 0 && reads("on_error", "report"));
    REQUIRE(hak_option_write("stast", "1") == -ENOENT);
    REQUIRE(hak_option_read("stast", text, sizeof text) == -ENOENT);
    REQUIRE(hak_option_write("stats", "2") == -EINVAL && reads("stats", "1"));
    REQUIRE(hak_option_write("magazine_blocks", "2049") == -EINVAL);
    REQUIRE(hak_option_write("check", "fast") == -EPERM && reads("check", "checked"));
    REQUIRE(hak_option_write("check", "nonsense") == -EPERM);
    REQUIRE(hak_option_write("stats_file", "/x") == -EPERM);
}

static void test_write(void **state) {
    (void)state;
    in_child(write_and_read, NULL, "");
}

static void write_profile(void *argument) {
    (void)argument;
    init_from(ENVIRONMENT("HAKMEM_MAGAZINE_BLOCKS=7"));
    REQUIRE(hak_option_write("profile", "lean") == 0);
    REQUIRE(reads("profile", "lean") && reads("purge_delay_ms", "100"));
    REQUIRE(reads("magazine_bytes", "64K") && reads("magazine_blocks", "256"));
    REQUIRE(reads("ss_mem_lean", "1") && reads("ss_mem_lean_decommit", "dontneed"));
    REQUIRE(hak_option_write("profile", "balanced") == 0);
    REQUIRE(reads("ss_mem_lean", "0"));
    REQUIRE(reads("purge_delay_ms", "1000") && reads("magazine_bytes", "1M"));
    REQUIRE(reads("magazine_blocks", "1024"));
}

static void test_profile_at_run_time(void **state) {
    (void)state;
    in_child(write_profile, NULL, "");
}

/* Written before anything was read: the sources come first, so they do not undo it later. */
static void write_first(void *argument) {
    (void)argument;
    setenv("HAKMEM_MAGAZINE_BLOCKS", "12", 1);
    REQUIRE(hak_option_write("magazine_blocks", "13") == 0);
    hak_option_init();
    REQUIRE(hak_option_int(HAK_OPTION_MAGAZINE_BLOCKS) == 13);
}

static void test_write_is_not_undone(void **state) {
    (void)state;
    in_child(write_first, NULL, "");
}

static pthread_barrier_t barrier;

static void *init_in_thread(void *argument) {
    pthread_barrier_wait(&barrier);
    init_from(argument);
    if (hak_option_int(HAK_OPTION_MAGAZINE_BLOCKS) != 9) return argument;
    return reads("stats_file", "/tmp/together") ? NULL : argument;
}

/* All threads see all values when their own call returns; one of them has warned. */
static void init_together(void *argument) {
    const char *const environment[] = {"HAKMEM_MAGAZINE_BLOCKS=9",
                                       "HAKMEM_STATS_FILE=/tmp/together", "HAKMEM_STAST=1", NULL};
    pthread_t threads[8];
    void *failed;
    (void)argument;
    pthread_barrier_init(&barrier, NULL, UNIT_COUNT(threads));
    for (size_t i = 0; i < UNIT_COUNT(threads); i++) {
        void *shared = (void *)(uintptr_t)environment;
        pthread_create(&threads[i], NULL, init_in_thread, shared);
    }
    for (size_t i = 0; i < UNIT_COUNT(threads); i++) {
        pthread_join(threads[i], &failed);
        REQUIRE(failed == NULL);
    }
}

static void test_threads_together(void **state) {
    (void)state;
    for (int i = 0; i < 50; i++) {
        in_child(init_together, NULL,
                 "hakmem: HAKMEM_STAST: no such option; the nearest is HAKMEM_STATS\n");
    }
}

static void announce(void *argument) {
    (void)argument;
    init_from(ENVIRONMENT("X=1"));
    hak_option_announce();
}

static void announce_verbose(void *argument) {
    (void)argument;
    init_from(ENVIRONMENT("HAKMEM_VERBOSE=1", "HAKMEM_PROFILE=lean", "HAKMEM_CHECK=fast"));
    hak_option_announce();
}

static void test_announce(void **state) {
    (void)state;
    in_child(announce, NULL, "");
    int status = capture_child(announce_verbose, NULL, out);
    assert_int_equal(status, 0);
    assert_int_equal(capture_lines(out), 1);
    assert_memory_equal(out, "hakmem: version ", 16);
    assert_non_null(strstr(out, " serves unit_config_test_option (process "));
    assert_non_null(strstr(out, "): profile lean, check fast\n"));
}

int main(void) {
    for (int i = 0; i < HAK_OPTION_COUNT; i++) {
        char variable[HAK_OPTION_NAME_BYTES + 8];
        hak_table_variable((enum hak_option_id)i, variable);
        unsetenv(variable);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_before_init_defaults_are_read),
        cmocka_unit_test(test_init),
        cmocka_unit_test(test_init_of_process),
        cmocka_unit_test(test_text_is_copied),
        cmocka_unit_test(test_text_is_cut),
        cmocka_unit_test(test_longest_text),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_profile_at_run_time),
        cmocka_unit_test(test_write_is_not_undone),
        cmocka_unit_test(test_threads_together),
        cmocka_unit_test(test_announce),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
