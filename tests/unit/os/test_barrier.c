/* SPDX-License-Identifier: MIT
 *
 * os/barrier.c: the real one, where the system has it.  One thread's plain stores and loads are in
 * order for the other one, which pays for both.
 */
#include "isolate.h"

#include "os/barrier.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#define ROUNDS     100000u
#define SECONDS    2.0
#define SPINS      200u  /* before another thread is let run */
#define TIME_EVERY 1024u /* rounds, a look at the clock */

static void begin(void) {
    if (!hak_barrier_begin()) skip();
}

static void test_works(void **state) {
    (void)state;
    begin();
    errno = 77;
    assert_true(hak_barrier());
    assert_true(hak_barrier());
    assert_true(hak_barrier_begin()); /* as often as one likes */
    assert_true(hak_barrier());
    assert_int_equal(errno, 77);
}

static void test_in_a_child(void **state) {
    (void)state;
    begin();
    assert_true(hak_barrier());
    pid_t child = fork();
    if (child == 0) _exit(!hak_barrier_begin() || !hak_barrier());
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(hak_barrier());
}

/* ---- Two threads ----------------------------------------------------------------------------- */

#define RING (1u << 16) /* rounds of the owner that are remembered */

/* relaxed, but for `done`; each in a line of its own */
static struct { _Alignas(64) _Atomic unsigned round; } mine, theirs, done, limit;

static _Atomic unsigned seen[RING]; /* relaxed: by round of the owner, of the other thread */
static _Atomic bool over;

static void pause_now_and_then(unsigned *spins) {
    if (++*spins % SPINS == 0) sched_yield();
}

/* Stores and loads as the owner of a heap does. */
static void owner_round(unsigned round) {
    atomic_store_explicit(&mine.round, round, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst); /* the compiler */
    unsigned other = atomic_load_explicit(&theirs.round, memory_order_relaxed);
    atomic_store_explicit(&seen[round % RING], other, memory_order_relaxed);
    atomic_store_explicit(&done.round, round, memory_order_release);
}

static void *owner(void *argument) {
    unsigned spins = 0;
    (void)argument;
    for (unsigned round = 1; !atomic_load_explicit(&over, memory_order_relaxed);) {
        if (round <= atomic_load_explicit(&limit.round, memory_order_relaxed)) owner_round(round++);
        else pause_now_and_then(&spins);
    }
    return NULL;
}

/* A round of the other thread.  The owner's first one whose store it does not see has seen its. */
static bool visitor_round(unsigned round) {
    unsigned spins = 0;
    atomic_store_explicit(&theirs.round, round, memory_order_relaxed);
    if (!hak_barrier()) return false;
    unsigned next = atomic_load_explicit(&mine.round, memory_order_relaxed) + 1;
    atomic_store_explicit(&limit.round, next + RING - 1, memory_order_relaxed);
    while ((int)(atomic_load_explicit(&done.round, memory_order_acquire) - next) < 0)
        pause_now_and_then(&spins);
    return atomic_load_explicit(&seen[next % RING], memory_order_relaxed) == round;
}

static bool is_late(const struct timespec *start) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double passed = (double)(now.tv_sec - start->tv_sec) + (now.tv_nsec - start->tv_nsec) * 1e-9;
    return passed > SECONDS;
}

static void test_one_sees_the_other(void **state) {
    (void)state;
    begin();
    struct timespec start;
    pthread_t thread;
    clock_gettime(CLOCK_MONOTONIC, &start);
    assert_int_equal(pthread_create(&thread, NULL, owner, NULL), 0);
    unsigned round = 0, missed = 0;
    while (round < ROUNDS && (round % TIME_EVERY || !is_late(&start)))
        missed += !visitor_round(++round);
    atomic_store(&over, true);
    pthread_join(thread, NULL);
    print_message("%u rounds\n", round);
    assert_int_equal(missed, 0);
}

/* In a child the threads of the parent are gone, and it may have others. */
static void test_in_a_child_with_threads(void **state) {
    (void)state;
    begin();
    pid_t child = fork();
    if (child == 0) {
        pthread_t thread;
        bool worked = hak_barrier_begin() && !pthread_create(&thread, NULL, owner, NULL);
        for (unsigned round = 1; worked && round <= 1000; round++) worked = visitor_round(round);
        atomic_store(&over, true);
        if (worked) pthread_join(thread, NULL);
        _exit(!worked);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_works),
        ISOLATED(test_in_a_child),
        ISOLATED(test_one_sees_the_other),
        ISOLATED(test_in_a_child_with_threads),
    };
    return cmocka_run_group_tests_name("os/barrier", tests, NULL, NULL);
}
