/* SPDX-License-Identifier: MIT
 *
 * A test in a process of its own: the engine is global state that is never reset, so each test
 * starts with an engine that has done nothing.  Use as
 *
 *     const struct CMUnitTest tests[] = {ISOLATED(test_a), ISOLATED(test_b)};
 *
 * What a test wrote is shown if it fails.  A crash, a hang and a memory fault fail it.
 */
#ifndef HAK_TESTS_UNIT_ISOLATE_H
#define HAK_TESTS_UNIT_ISOLATE_H

#include "unit.h"

#include "capture.h"

#include <signal.h>

#define ISOLATE_SECONDS 100u

struct isolate_case {
    const char *name;
    void (*body)(void **state);
};

#define ISOLATED(body)                                           \
    {                                                            \
#body, isolate_run, NULL, NULL, &(struct isolate_case) { \
#body, body                                          \
        }                                                        \
    }

/* As cmocka_unit_test, for tests of what has no state. */
#define DIRECT(body) cmocka_unit_test(body)

void isolate_coverage(void) __asm__("__gcov_dump") __attribute__((weak));

/* In the child: a group of one test, so that cmocka's assertions work as usual. */
static inline void isolate_child(const struct isolate_case *test) {
    const struct CMUnitTest tests[] = {{test->name, test->body, NULL, NULL, NULL}};
    alarm(ISOLATE_SECONDS);
    int failed = cmocka_run_group_tests_name(test->name, tests, NULL, NULL);
    fflush(NULL);
    if (isolate_coverage) isolate_coverage();
    _exit(failed ? 1 : 0);
}

static inline void isolate_show(int file) {
    char text[4096];
    ssize_t count;
    for (off_t at = 0; (count = pread(file, text, sizeof text, at)) > 0; at += count) {
        if (write(2, text, (size_t)count) < 0) return;
    }
}

static inline void isolate_run(void **state) {
    const struct isolate_case *test = *state;
    int file = capture_file(), status = -1;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(file, 1);
        dup2(file, 2);
        isolate_child(test);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) fail_msg("fork, waitpid");
    if (status != 0) {
        isolate_show(file);
        close(file);
        fail_msg("%s: wait status 0x%x", test->name, (unsigned)status);
    }
    close(file);
}

#endif
