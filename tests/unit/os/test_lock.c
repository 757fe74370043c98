/* SPDX-License-Identifier: MIT
 *
 * os/lock.c: one holder at a time, no waiter forgotten.
 */
#include "unit.h"

#include "os/lock.h"

#include <pthread.h>
#include <sched.h>

enum { THREADS = 4, ROUNDS = 20000 };

static _Atomic uint32_t lock;
static unsigned shared; /* not atomic: the lock orders it */

static void test_states(void **state) {
    (void)state;
    assert_true(hak_lock_try(&lock));
    assert_int_equal(lock, 1);
    assert_false(hak_lock_try(&lock));
    hak_lock_release(&lock);
    assert_int_equal(lock, 0);
    hak_lock_acquire(&lock);
    assert_int_equal(lock, 1);
    hak_lock_release(&lock);
    assert_int_equal(lock, 0);
    lock = 2; /* held and waited for */
    assert_false(hak_lock_try(&lock));
    hak_lock_release(&lock);
    assert_int_equal(lock, 0);
}

static void *work(void *argument) {
    for (int i = 0; i < ROUNDS; i++) {
        if (i % 3 == 0) {
            if (!hak_lock_try(&lock)) continue;
        } else {
            hak_lock_acquire(&lock);
        }
        unsigned seen = shared;
        if (i % 500 == 0) sched_yield(); /* held for long: others wait */
        if (shared != seen) return argument;
        shared = seen + 1;
        __atomic_fetch_add((unsigned *)argument, 1, __ATOMIC_RELAXED);
        hak_lock_release(&lock);
    }
    return NULL;
}

static void test_threads(void **state) {
    (void)state;
    pthread_t thread[THREADS];
    unsigned done = 0;
    for (int i = 0; i < THREADS; i++) pthread_create(&thread[i], NULL, work, &done);
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(thread[i], &result);
        assert_null(result);
    }
    assert_int_equal(shared, done);
    assert_int_equal(lock, 0);
}

static _Atomic int waiting, passed;

static void *wait_for_it(void *argument) {
    (void)argument;
    waiting++;
    hak_lock_acquire(&lock);
    passed++;
    hak_lock_release(&lock);
    return NULL;
}

/* All that wait get it, although one release wakes one of them. */
static void test_every_waiter_is_woken(void **state) {
    (void)state;
    pthread_t thread[THREADS];
    hak_lock_acquire(&lock);
    for (int i = 0; i < THREADS; i++) pthread_create(&thread[i], NULL, wait_for_it, NULL);
    while (waiting < THREADS) sched_yield();
    for (int i = 0; i < 100; i++) sched_yield();
    assert_int_equal(passed, 0);
    hak_lock_release(&lock);
    for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
    assert_int_equal(passed, THREADS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_every_waiter_is_woken),
    };
    return cmocka_run_group_tests_name("os/lock", tests, NULL, NULL);
}
