/* SPDX-License-Identifier: MIT
 *
 * os/clock.c: goes forward, in milliseconds, and is never 0.  No test asserts a duration.
 */
#include "unit.h"

#include "os/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

static void test_never_back(void **state) {
    (void)state;
    uint64_t last = hak_clock_ms();
    assert_true(last != 0);
    for (int i = 0; i < 100000; i++) {
        uint64_t now = hak_clock_ms();
        assert_true(now >= last);
        last = now;
    }
}

/* Between two readings of the fine clock, give or take the resolution of the coarse one. */
static void test_milliseconds(void **state) {
    (void)state;
    const struct timespec pause = {0, 30000000};
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    nanosleep(&pause, NULL);
    uint64_t ms = hak_clock_ms();
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true(ms + 20 >= (uint64_t)before.tv_sec * 1000 + (uint64_t)before.tv_nsec / 1000000);
    assert_true(ms <= (uint64_t)after.tv_sec * 1000 + (uint64_t)after.tv_nsec / 1000000 + 2);
}

static void test_nanoseconds(void **state) {
    (void)state;
    const struct timespec pause = {0, 3000000};
    uint64_t before = hak_clock_ns();
    nanosleep(&pause, NULL);
    assert_true(hak_clock_ns() >= before + 3000000);
}

/* What this thread uses is not counted, what another one does is. */
static _Atomic bool clock_stop;

static void *clock_burn(void *none) {
    while (!atomic_load_explicit(&clock_stop, memory_order_relaxed)) {
    }
    return none;
}

static void test_others(void **state) {
    (void)state;
    const uint64_t some = 3000000;
    uint64_t before = hak_clock_others_cpu_ns();
    struct timespec used = {0, 0};
    for (uint64_t own = 0; own < some;
         own = (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec)
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    assert_true((int64_t)(hak_clock_others_cpu_ns() - before) < (int64_t)some);
    pthread_t other;
    assert_int_equal(pthread_create(&other, NULL, clock_burn, NULL), 0);
    while ((int64_t)(hak_clock_others_cpu_ns() - before) < (int64_t)some) {
    }
    atomic_store_explicit(&clock_stop, true, memory_order_relaxed);
    pthread_join(other, NULL);
}

static void test_errno(void **state) {
    (void)state;
    errno = 99;
    hak_clock_ms();
    assert_int_equal(errno, 99);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_never_back),  cmocka_unit_test(test_milliseconds),
        cmocka_unit_test(test_nanoseconds), cmocka_unit_test(test_others),
        cmocka_unit_test(test_errno),
    };
    return cmocka_run_group_tests_name("os/clock", tests, NULL, NULL);
}
