/* SPDX-License-Identifier: MIT
 *
 * os/stack.c: calls from a program and from libc.  cmocka is the program's library here: this file
 * is in one module with the function.
 */
#include "unit.h"

#include "os/stack.h"
#include "os/unwind.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* What follows a call keeps it from being a jump. */
#define AFTER_CALL() __asm__ volatile("" ::: "memory")

static bool can_follow(void) {
    return hak_unwind_find((uintptr_t)__builtin_return_address(0)).known;
}

static void test_from_the_program(void **state) {
    (void)state;
    if (!can_follow()) skip();
    assert_true(hak_stack_is_programs());
}

static __attribute__((noinline)) bool deep(unsigned depth) {
    bool is = depth ? deep(depth - 1) : hak_stack_is_programs();
    AFTER_CALL();
    return is;
}

static void test_depth(void **state) {
    (void)state;
    if (!can_follow()) skip();
    assert_true(deep(100));
    assert_false(deep(1000));
}

static volatile bool seen, called; /* raise is declared to call nothing here */

static int compare(const void *a, const void *b) {
    (void)a;
    (void)b;
    called = true;
    seen |= hak_stack_is_programs();
    return 0;
}

static void test_called_back_by_libc(void **state) {
    (void)state;
    int numbers[8] = {0};
    called = seen = false;
    qsort(numbers, 8, sizeof numbers[0], compare);
    assert_true(called);
    assert_false(seen);
}

static void in_once(void) {
    called = true;
    seen |= hak_stack_is_programs();
}

static void test_once(void **state) {
    (void)state;
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    called = seen = false;
    pthread_once(&once, in_once);
    assert_true(called);
    assert_false(seen);
}

static void in_handler(int number) {
    (void)number;
    in_once();
}

static void test_signal_handler(void **state) {
    (void)state;
    struct sigaction action = {.sa_handler = in_handler}, before;
    called = seen = false;
    sigaction(SIGUSR1, &action, &before);
    raise(SIGUSR1);
    sigaction(SIGUSR1, &before, NULL);
    assert_true(called);
    assert_false(seen);
}

/* The exit status says what a handler of exit has seen. */
static void at_exit(void) {
    _exit(hak_stack_is_programs() ? 2 : 1);
}

static void test_exit_handler(void **state) {
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        atexit(at_exit);
        exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
}

/* Called by libc alone, as far as can be told: no other module is between. */
static void *in_thread(void *argument) {
    in_once();
    return argument;
}

static void test_thread(void **state) {
    (void)state;
    pthread_t thread;
    called = seen = false;
    assert_int_equal(pthread_create(&thread, NULL, in_thread, NULL), 0);
    pthread_join(thread, NULL);
    assert_true(called);
    assert_false(seen);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_the_program),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_called_back_by_libc),
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_signal_handler),
        cmocka_unit_test(test_exit_handler),
        cmocka_unit_test(test_thread),
    };
    return cmocka_run_group_tests_name("os/stack", tests, NULL, NULL);
}
