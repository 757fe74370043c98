/* SPDX-License-Identifier: MIT
 *
 * os/helper.c: a real thread, where one may be started.
 */
#include "isolate.h"

#include "os/helper.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static _Atomic uint32_t word, told;
static char name[16];
static sigset_t blocked;
static int policy;

/* Tells what it is, and waits to be told to end. */
static void body(void) {
    prctl(PR_GET_NAME, name);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    policy = sched_getscheduler(0);
    atomic_store(&told, 1);
    while (!atomic_load(&word)) hak_helper_wait(&word, 0, 0);
    atomic_store(&told, 2);
}

static void await(uint32_t value) {
    while (atomic_load(&told) != value) hak_helper_wait(&told, atomic_load(&told), 1);
}

static void test_thread(void **state) {
    (void)state;
    hak_helper_note();
    errno = 77;
    assert_true(hak_helper_start(body));
    assert_int_equal(errno, 77);
    await(1);
    assert_string_equal(name, "hakmem");
    assert_true(sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGUSR1));
    sigset_t mine;
    pthread_sigmask(SIG_SETMASK, NULL, &mine);
    assert_false(sigismember(&mine, SIGTERM)); /* those of the caller are as before */
    assert_false(hak_helper_has_ended());
    assert_false(hak_helper_would_be_second());
    atomic_store(&word, 1);
    hak_helper_wake(&word);
    await(2);
    while (!hak_helper_has_ended()) {
    }
    assert_true(hak_helper_has_ended());
}

/* One that was started for real time does this work like any other. */
static void test_priority(void **state) {
    (void)state;
    struct sched_param high = {.sched_priority = 1};
    if (sched_setscheduler(0, SCHED_FIFO, &high) != 0) skip();
    assert_true(hak_helper_start(body));
    await(1);
    struct sched_param none = {.sched_priority = 0};
    sched_setscheduler(0, SCHED_OTHER, &none);
    assert_int_equal(policy, SCHED_OTHER);
}

static void test_plain(void **state) {
    (void)state;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(hak_helper_is_plain());
#endif
}

static void test_no_thread(void **state) {
    (void)state;
    if (geteuid() == 0) skip(); /* no limit for root */
    struct rlimit none = {0, 0};
    assert_int_equal(setrlimit(RLIMIT_NPROC, &none), 0);
    assert_false(hak_helper_start(body));
}

static void test_wait_ends(void **state) {
    (void)state;
    hak_helper_wait(&word, 1, 0); /* it is not */
    hak_helper_wait(&word, 0, 1); /* the time is over */
}

static void test_process(void **state) {
    (void)state;
    assert_false(hak_helper_may_start()); /* nothing is known */
    hak_helper_note();
    assert_true(hak_helper_may_start());
    pid_t child = fork();
    if (child == 0) {
        bool before = hak_helper_may_start();
        hak_helper_note();
        _exit(before || !hak_helper_may_start());
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_thread),  ISOLATED(test_no_thread), ISOLATED(test_wait_ends),
        ISOLATED(test_process), ISOLATED(test_priority),  ISOLATED(test_plain),
    };
    return cmocka_run_group_tests_name("os/helper", tests, NULL, NULL);
}
