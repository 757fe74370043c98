/* SPDX-License-Identifier: MIT
 *
 * os/report.c: the line itself, and how a process ends by hak_die whatever it has done to SIGABRT.
 */
#include "unit.h"

#include "os/report.h"

#include "capture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>

static char out[CAPTURE_BYTES];

static void report_simple(void *argument) {
    (void)argument;
    hak_report("free: %p is %s, %d of %zu", (void *)0x1234, "not ours", -3, (size_t)7);
}

static void test_line(void **state) {
    (void)state;
    capture_stderr(report_simple, NULL, out);
    assert_string_equal(out, "hakmem: free: 0x1234 is not ours, -3 of 7\n");
}

static void report_string(void *argument) {
    hak_report("%s", (const char *)argument);
}

static void test_longest_line_and_cut(void **state) {
    (void)state;
    char message[HAK_REPORT_BYTES + 100];
    const size_t most = HAK_REPORT_BYTES - strlen("hakmem: ") - 1;
    memset(message, 'a', sizeof message);
    message[most] = '\0';
    capture_stderr(report_string, message, out);
    assert_int_equal(strlen(out), HAK_REPORT_BYTES);
    assert_string_equal(out + HAK_REPORT_BYTES - 3, "aa\n");

    message[most] = 'a';
    message[most + 1] = '\0';
    capture_stderr(report_string, message, out);
    assert_int_equal(strlen(out), HAK_REPORT_BYTES);
    assert_string_equal(out + HAK_REPORT_BYTES - 5, "a...\n");

    message[most + 1] = 'a';
    message[sizeof message - 1] = '\0';
    capture_stderr(report_string, message, out);
    assert_int_equal(strlen(out), HAK_REPORT_BYTES);
    assert_int_equal(capture_lines(out), 1);
}

static void test_control_characters(void **state) {
    (void)state;
    char message[] = "a\nhakmem: forged\033[1m\x7f\tz \xc3\xa4";
    capture_stderr(report_string, message, out);
    assert_string_equal(out, "hakmem: a?hakmem: forged?[1m??z \xc3\xa4\n");
}

static void test_errno_is_kept(void **state) {
    (void)state;
    errno = 77;
    capture_stderr(report_simple, NULL, out);
    errno = 77;
    hak_report_has_stderr();
    assert_int_equal(errno, 77);
}

static void report_broken_pipe(void *argument) {
    (void)argument;
    int ends[2];
    if (pipe(ends) != 0) _exit(9);
    close(ends[0]);
    dup2(ends[1], 2);
    errno = 77;
    hak_report("nobody listens");
    _exit(errno == 77 ? 0 : 1);
}

static void test_broken_pipe_is_ignored(void **state) {
    (void)state;
    int status = capture_child(report_broken_pipe, NULL, out);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* What opens as descriptor 2 after a start without it is the program's own file. */
static void closed_at_start(void *argument) {
    (void)argument;
    int saved = dup(2);
    close(2);
    hak_report_start();
    dup2(saved, 2);
    hak_report("must not appear");
    _exit(hak_report_has_stderr() ? 1 : 0);
}

/* A descriptor that is closed later is just a failing write. */
static void closed_later(void *argument) {
    (void)argument;
    hak_report_start();
    close(2);
    hak_report("lost");
}

/* These run first: the process has not looked at descriptor 2 yet. */
static void test_closed_stderr(void **state) {
    (void)state;
    int status = capture_child(closed_at_start, NULL, out);
    assert_int_equal(status, 0);
    assert_string_equal(out, "");
    assert_int_equal(capture_child(closed_later, NULL, out), 0);
}

static _Atomic bool said;
static _Atomic int firsts;

static void *be_first(void *argument) {
    (void)argument;
    if (hak_report_first(&said)) atomic_fetch_add(&firsts, 1);
    return NULL;
}

static void test_first(void **state) {
    (void)state;
    pthread_t threads[8];
    for (size_t i = 0; i < UNIT_COUNT(threads); i++) {
        pthread_create(&threads[i], NULL, be_first, NULL);
    }
    for (size_t i = 0; i < UNIT_COUNT(threads); i++) pthread_join(threads[i], NULL);
    assert_int_equal(firsts, 1);
    assert_false(hak_report_first(&said));
}

static void die(void *argument) {
    (void)argument;
    hak_die("free: %s", "double free");
}

static void die_ignored(void *argument) {
    signal(SIGABRT, SIG_IGN);
    die(argument);
}

static void die_blocked(void *argument) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    die(argument);
}

static void return_at_once(int number) {
    (void)number;
}

static void die_handled(void *argument) {
    signal(SIGABRT, return_at_once);
    die(argument);
}

static void die_without_stderr(void *argument) {
    hak_report_start();
    close(2);
    die(argument);
}

static void assert_dies(void (*run)(void *), const char *line) {
    int status = capture_child(run, NULL, out);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_string_equal(out, line);
}

static void test_die(void **state) {
    (void)state;
    assert_dies(die, "hakmem: free: double free\n");
    assert_dies(die_ignored, "hakmem: free: double free\n");
    assert_dies(die_blocked, "hakmem: free: double free\n");
    assert_dies(die_handled, "hakmem: free: double free\n");
    assert_dies(die_without_stderr, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_closed_stderr),
        cmocka_unit_test(test_line),
        cmocka_unit_test(test_longest_line_and_cut),
        cmocka_unit_test(test_control_characters),
        cmocka_unit_test(test_errno_is_kept),
        cmocka_unit_test(test_broken_pipe_is_ignored),
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_die),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
