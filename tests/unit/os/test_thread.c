/* SPDX-License-Identifier: MIT
 *
 * os/thread.c: a call when a thread ends, and a call in a forked child.
 */
#include "isolate.h"

#include "os/thread.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

static _Atomic int order, ended_at, last_asked;
static void *_Atomic ended_with;
static pthread_key_t other_key;

static void ended(void *value) {
    ended_with = value;
    ended_at = ++order;
}

static void *plain_thread(void *argument) {
    return hak_thread_at_end(ended, argument) ? NULL : argument;
}

static void run(void *(*body)(void *), void *argument) {
    pthread_t thread;
    void *result;
    assert_int_equal(pthread_create(&thread, NULL, body, argument), 0);
    pthread_join(thread, &result);
    assert_null(result);
}

static void test_called_once(void **state) {
    (void)state;
    int value[3];
    for (int i = 0; i < 3; i++) {
        order = 0;
        run(plain_thread, &value[i]);
        assert_ptr_equal(ended_with, &value[i]);
        assert_int_equal(order, 1);
    }
}

static void *twice(void *argument) {
    return hak_thread_at_end(ended, &order) && hak_thread_at_end(ended, argument) ? NULL : argument;
}

static void test_last_value_counts(void **state) {
    (void)state;
    int value;
    run(twice, &value);
    assert_ptr_equal(ended_with, &value);
    assert_int_equal(order, 1);
}

/* A destructor that arms itself again, and asks for a call at the end each time: as a thread that
 * allocates there does. */
static _Atomic int asked;

static void other_destructor(void *value) {
    int now = ++order;
    if (hak_thread_ends_later() && hak_thread_at_end(ended, value)) {
        asked++;
        last_asked = now;
    }
    if (order < 2 * PTHREAD_DESTRUCTOR_ITERATIONS - 2) pthread_setspecific(other_key, value);
}

static void *thread_with_other_key(void *argument) {
    pthread_setspecific(other_key, argument);
    return plain_thread(argument);
}

/* Each time that it is asked for, it comes, also if another key's
 * destructors run before or after. */
static void test_among_other_destructors(void **state) {
    (void)state;
    int value;
    pthread_key_t key[2];
    for (int i = 0; i < 2; i++) { /* made before ours, and after it */
        order = asked = 0;
        pthread_key_create(&key[i], other_destructor);
        other_key = key[i];
        run(thread_with_other_key, &value);
        assert_in_range(asked, PTHREAD_DESTRUCTOR_ITERATIONS - 2,
                        PTHREAD_DESTRUCTOR_ITERATIONS - 1);
        assert_true(ended_at > last_asked); /* none was forgotten */
    }
}

static void *exiting_thread(void *argument) {
    hak_thread_at_end(ended, argument);
    pthread_exit(NULL);
}

static void test_pthread_exit(void **state) {
    (void)state;
    int value;
    run(exiting_thread, &value);
    assert_ptr_equal(ended_with, &value);
}

static void test_no_key_left(void **state) {
    (void)state;
    pthread_key_t key;
    pthread_t thread;
    void *result;
    int value;
    while (pthread_key_create(&key, NULL) == 0) {
    }
    pthread_create(&thread, NULL, plain_thread, &value);
    pthread_join(thread, &result);
    assert_ptr_equal(result, &value); /* it said false */
    assert_int_equal(order, 0);
    pthread_key_delete(key - 1);
    run(plain_thread, &value); /* and works when there is one again */
    assert_int_equal(order, 1);
}

static void *self(void *argument) {
    *(uintptr_t *)argument = hak_thread_self();
    return NULL;
}

static void test_self(void **state) {
    (void)state;
    uintptr_t other = 0;
    assert_int_equal(hak_thread_self(), hak_thread_self());
    run(self, &other);
    assert_true(other != 0 && other != hak_thread_self());
}

/* ---- Fork ------------------------------------------------------------------------------------ */

static int in_child(int (*body)(void)) {
    int status = -1;
    pid_t child = fork();
    if (child == 0) _exit(body());
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int seen_once(void) {
    if (!hak_fork_begin()) return 1;
    if (hak_fork_begin()) return 2; /* while it is being worked on */
    hak_fork_done();
    return hak_fork_begin() ? 3 : 0;
}

static int grandchild_sees_its_own(void) {
    if (seen_once()) return 1;
    return in_child(seen_once) ? 4 : 0;
}

/* A child that forks before it has looked. */
static int grandchild_only(void) {
    return in_child(seen_once);
}

/* ... or in the middle of its work. */
static int grandchild_while_busy(void) {
    if (!hak_fork_begin()) return 1;
    int result = in_child(seen_once);
    hak_fork_done();
    return result;
}

static void test_fork(void **state) {
    (void)state;
    assert_false(hak_fork_begin()); /* not armed */
    hak_fork_arm();
    hak_fork_arm();
    assert_false(hak_fork_begin());
    assert_int_equal(in_child(seen_once), 0);
    assert_int_equal(in_child(grandchild_sees_its_own), 0);
    assert_int_equal(in_child(grandchild_only), 0);
    assert_int_equal(in_child(grandchild_while_busy), 0);
    assert_false(hak_fork_begin());
    for (int i = 0; i < 20; i++) assert_int_equal(in_child(seen_once), 0);
}

static void test_vfork_is_no_fork(void **state) {
    (void)state;
#if defined(__SANITIZE_THREAD__)
    skip(); /* its vfork is fork */
#endif
    hak_fork_arm();
    int status = -1;
    pid_t child = vfork();
    if (child == 0) _exit(hak_fork_begin() ? 1 : 0); /* the parent's memory */
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_false(hak_fork_begin());
}

static void *_Atomic winner;

static void *race(void *argument) {
    if (hak_fork_begin()) {
        void *none = NULL;
        if (!atomic_compare_exchange_strong(&winner, &none, argument)) return argument;
        hak_fork_done();
    }
    return NULL;
}

static int one_thread_of_the_child(void) {
    pthread_t thread[4];
    void *result[4];
    for (int i = 0; i < 4; i++) pthread_create(&thread[i], NULL, race, &winner);
    for (int i = 0; i < 4; i++) pthread_join(thread[i], &result[i]);
    return winner && !result[0] && !result[1] && !result[2] && !result[3] ? 0 : 1;
}

static void test_one_thread_only(void **state) {
    (void)state;
    hak_fork_arm();
    for (int i = 0; i < 20; i++) assert_int_equal(in_child(one_thread_of_the_child), 0);
}

static void *arm(void *argument) {
    (void)argument;
    hak_fork_arm();
    return hak_fork_begin() ? argument : NULL;
}

static void test_armed_by_many(void **state) {
    (void)state;
    pthread_t thread[8];
    for (int i = 0; i < 8; i++) pthread_create(&thread[i], NULL, arm, thread);
    for (int i = 0; i < 8; i++) {
        void *result;
        pthread_join(thread[i], &result);
        assert_null(result);
    }
    assert_int_equal(in_child(seen_once), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_called_once),
        ISOLATED(test_last_value_counts),
        ISOLATED(test_among_other_destructors),
        ISOLATED(test_pthread_exit),
        ISOLATED(test_no_key_left),
        ISOLATED(test_self),
        ISOLATED(test_fork),
        ISOLATED(test_vfork_is_no_fork),
        ISOLATED(test_one_thread_only),
        ISOLATED(test_armed_by_many),
    };
    return cmocka_run_group_tests_name("os/thread", tests, NULL, NULL);
}
