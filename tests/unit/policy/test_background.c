/* SPDX-License-Identifier: MIT
 *
 * policy/background.c: a thread played by the test, in a process that stands still.
 */
#include "engine.h"

#include "config/option.h"
#include "large/bigcache.h"
#include "policy/background.h"
#include "span/purge.h"

#define NEVER (HAK_STRESS ? 5000u : 1000u) /* waits of a thread that should have fallen asleep */

static void option(const char *name, const char *value) {
    assert_int_equal(hak_option_set(name, value), 0);
}

/* So many MiB are free and dirty, in units. */
static void litter(unsigned mib) {
    void **block = hak_malloc(mib * 64 * sizeof *block);
    for (unsigned i = 0; i < mib * 64; i++) block[i] = hak_malloc(16 * KIB);
    for (unsigned i = 0; i < mib * 64; i++) hak_free(block[i]);
    hak_free(block);
}

static size_t left(void) {
    return hak_purge_dirty() + hak_bigcache_bytes();
}

/* ---- The thread, as a test has it run -------------------------------------------------------- */

static void (*on_sleep)(unsigned times); /* it waits without end, for the nth time */
static unsigned sleeps, looks;
static uint64_t slept_at, looked_for_ms, busy_ns; /* the last: processor time used in each wait */

static void helper_waits(_Atomic uint32_t *word, uint32_t value, uint32_t ms) {
    assert_true(++looks < NEVER);
    if (ms) {
        fake_clock_advance(ms);
        fake_helper_use_cpu(busy_ns);
        looked_for_ms += ms;
        return;
    }
    assert_int_equal(atomic_load(word), value);
    slept_at = looked_for_ms;
    on_sleep(++sleeps);
    if (atomic_load(word) == value) { /* nobody has woken it: it ends, as the test does */
        option("background", "off");
        atomic_store(word, value - 2);
    }
}

static void rest(unsigned times) {
    (void)times;
}

/* Runs the thread that was started until it sleeps and `then` does not wake it. */
static void run(void (*then)(unsigned times)) {
    void (*body)(void) = fake_helper_started();
    assert_non_null(body);
    fake_helper_on_wait(helper_waits);
    on_sleep = then;
    body();
}

static void begin(void) {
    fake_clock_set(100000);
    fake_helper_allow(true, true, true);
    assert_non_null(hak_malloc(16)); /* its superslab stays in pieces */
}

/* The thread runs while another one waits for its end. */
static void (*to_run)(void);

static void run_now(_Atomic uint32_t *word, uint32_t value, uint32_t ms) {
    (void)word, (void)value, (void)ms;
    void (*body)(void) = to_run;
    to_run = NULL;
    if (body) body();
}

/* One is started, which runs when somebody waits for it. */
static void start_for_later(void) {
    begin();
    litter(8);
    to_run = fake_helper_started();
    assert_non_null(to_run);
    fake_helper_on_wait(run_now);
}

static void litter_in_vain(void) {
    litter(8);
    assert_null(fake_helper_started());
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void test_idle_process(void **state) {
    (void)state;
    if (HAK_STRESS) return; /* other amounts, other pauses */
    begin();
    litter(8);
    assert_true(left() >= 6 * MIB);
    run(rest);
    assert_int_equal(left(), 0);
    assert_int_equal(sleeps, 1);
    assert_true(slept_at >= 500 && slept_at < 1000);
    engine_check_census(NULL);
    engine_check_heaps();
}

/* In one that is at work memory is kept for all of the delay. */
static void test_busy_process(void **state) {
    (void)state;
    if (HAK_STRESS) return; /* other amounts, other pauses */
    begin();
    litter(8);
    busy_ns = 1000000000;
    run(rest);
    assert_int_equal(left(), 0);
    assert_true(slept_at >= 1000 && slept_at < 2500); /* and looked at threads that may sleep */
}

static void test_cached_blocks(void **state) {
    (void)state;
    begin();
    hak_free(hak_malloc(4 * MIB));
    assert_true(hak_bigcache_bytes() >= 4 * MIB);
    run(rest);
    assert_int_equal(left(), 0);
}

/* Blocks that were sent to the heap of a thread that has ended. */
static void test_parked_heaps(void **state) {
    (void)state;
    static struct fake_thread other;
    static void *block[1024];
    begin();
    struct fake_thread *first = fake_thread_switch(&other);
    for (int i = 0; i < 1024; i++) block[i] = hak_malloc(8 * KIB);
    fake_thread_end();
    fake_thread_switch(first);
    for (int i = 0; i < 1024; i++) hak_free(block[i]);
    litter(4);
    run(rest);
    struct hak_stats stats;
    engine_check_census(&stats);
    assert_true(stats.free_dirty < HAK_UNIT_BYTES); /* what is uncut in slabs in use */
    assert_true(stats.purged > 8 * MIB);
}

/* For a program of one thread it takes more. */
static void test_too_little(void **state) {
    (void)state;
    if (HAK_STRESS) return; /* other amounts, other pauses */
    begin();
    litter(1);
    assert_null(fake_helper_started());
    fake_helper_is_second(true);
    litter(3);
    assert_true(left() >= 2 * MIB);
    assert_null(fake_helper_started());
    litter(16);
    assert_non_null(fake_helper_started());
}

static void test_end(void **state) {
    (void)state;
    start_for_later();
    hak_background_end();
    assert_null(to_run);
    assert_int_equal(fake_helper_waked(), 1);
    litter_in_vain();
    hak_background_end(); /* there is none */
    assert_int_equal(fake_helper_waked(), 1);
}

static void test_no_thread_to_end(void **state) {
    (void)state;
    begin();
    litter(8);
    assert_non_null(fake_helper_started());
    fake_fork();
    hak_background_end();
    litter_in_vain(); /* nor will there be one */
}

static void test_options(void **state) {
    (void)state;
    begin();
    option("background", "off");
    litter_in_vain();
    option("background", "auto");
    option("purge_delay_ms", "-1");
    litter_in_vain();
    option("purge_delay_ms", "1000");
    hak_background_begin();
    assert_null(fake_helper_started());
    option("background", "on");
    hak_background_begin();
    assert_non_null(fake_helper_started());
    hak_background_begin(); /* one is enough */
    assert_null(fake_helper_started());
}

/* Attempts that can't succeed are made less and less often; one too soon is made up for. */
static void test_refusals(void **state) {
    (void)state;
    begin();
    fake_helper_allow(true, false, true);
    litter_in_vain();
    fake_helper_allow(false, true, true);
    fake_clock_advance(1);
    litter_in_vain();
    fake_helper_allow(true, true, false);
    fake_clock_advance(2);
    litter_in_vain();
    fake_helper_allow(true, true, true);
    fake_clock_advance(3);
    litter_in_vain(); /* too soon */
    hak_background_remind(100006);
    hak_background_check();
    assert_null(fake_helper_started());
    fake_clock_advance(1);
    hak_background_remind(100007);
    hak_background_check();
    assert_non_null(fake_helper_started());
}

static void wake_twice(unsigned times) {
    if (times > 2) return;
    litter_in_vain();
    assert_int_equal(fake_helper_waked(), times);
}

static void test_woken(void **state) {
    (void)state;
    begin();
    litter(8);
    run(wake_twice);
    assert_int_equal(sleeps, 3);
    assert_int_equal(left(), 0);
}

/* What a thread gives back at its end, when it has no slow path any more. */
static struct fake_thread worker;

static void end_a_thread(unsigned times) {
    if (times > 1) return;
    fake_thread_switch(&worker);
    hak_purge_press();
    fake_thread_end();
    assert_int_equal(fake_helper_waked(), 1);
}

static void test_woken_by_an_end(void **state) {
    (void)state;
    begin();
    struct fake_thread *first = fake_thread_switch(&worker);
    assert_non_null(hak_malloc(16));
    fake_thread_switch(first);
    litter(8);
    run(end_a_thread);
    assert_int_equal(sleeps, 2);
}

/* libc ends a process with its last thread. */
static void test_not_the_last_thread(void **state) {
    (void)state;
    start_for_later();
    struct fake_thread *first = fake_thread_switch(&worker);
    hak_free(hak_malloc(16));
    fake_thread_switch(first);
    fake_thread_end();
    assert_non_null(to_run);
    fake_thread_switch(&worker);
    fake_thread_end();
    assert_null(to_run);
    static struct fake_thread next; /* which has none */
    fake_thread_switch(&next);
    litter(8);
    assert_non_null(fake_helper_started());
}

/* What comes between its last look and its sleep. */
static void test_pressed_in_time(void **state) {
    (void)state;
    begin();
    litter(8);
    assert_false(atomic_load(&hak_purge_pressure));
    litter(8); /* is told once: */
    assert_false(atomic_load(&hak_purge_pressure));
    assert_int_equal(fake_helper_waked(), 0);
    run(rest);
    assert_int_equal(left(), 0);
}

/* What is kept for ever does not keep it awake. */
static void test_patience(void **state) {
    (void)state;
    if (HAK_STRESS) return; /* other amounts, other pauses */
    begin();
    litter(8);
    option("purge_delay_ms", "1000");
    char item[16];
    assert_true(hak_bigcache_put(1, 1, item, 5 * MIB, 100000, HAK_BIGCACHE_EVER));
    run(rest);
    assert_int_equal(left(), 5 * MIB);
    assert_true(slept_at >= 12000 && slept_at < 20000);
    assert_true(looks < 40);
}

static void test_turned_off(void **state) {
    (void)state;
    begin();
    litter(8);
    option("background", "off");
    run(rest);
    assert_int_equal(looks, 0);
    option("background", "auto");
    litter(8);
    assert_non_null(fake_helper_started());
}

/* A child has no thread but the one that has forked. */
static void test_fork(void **state) {
    (void)state;
    begin();
    litter(8);
    assert_non_null(fake_helper_started());
    fake_fork();
    litter(8);
    run(rest);
    assert_int_equal(left(), 0);
    assert_int_equal(fake_helper_noted(), 2);
}

static void test_lean(void **state) {
    (void)state;
    begin();
    option("profile", "lean");
    litter(8);
    if (!left()) return; /* slow paths have done it */
    run(rest);
    assert_int_equal(left(), 0);
    assert_true(slept_at < 500);
}

/* Who wants all back waits for what it has in its hands; not for ever, nor when it has nothing. */
static unsigned awaited;

static void count_waits(_Atomic uint32_t *word, uint32_t value, uint32_t ms) {
    assert_int_equal(atomic_load(word), value);
    assert_int_equal(ms, 1);
    awaited++;
}

static void release_meanwhile(bool begins) {
    if (begins || !looks || awaited) return;
    fake_helper_on_wait(count_waits);
    hak_background_release();
    fake_helper_on_wait(helper_waits);
}

static void test_release_beside_it(void **state) {
    (void)state;
    begin();
    litter(8);
    fake_hook = release_meanwhile;
    run(rest);
    assert_in_range(awaited, 10, 1000);
    awaited = 0;
    fake_helper_on_wait(count_waits);
    hak_background_release();
    assert_int_equal(awaited, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_idle_process),
        ISOLATED(test_busy_process),
        ISOLATED(test_cached_blocks),
        ISOLATED(test_parked_heaps),
        ISOLATED(test_too_little),
        ISOLATED(test_options),
        ISOLATED(test_refusals),
        ISOLATED(test_woken),
        ISOLATED(test_pressed_in_time),
        ISOLATED(test_patience),
        ISOLATED(test_turned_off),
        ISOLATED(test_fork),
        ISOLATED(test_lean),
        ISOLATED(test_end),
        ISOLATED(test_woken_by_an_end),
        ISOLATED(test_not_the_last_thread),
        ISOLATED(test_no_thread_to_end),
        ISOLATED(test_release_beside_it),
    };
    return cmocka_run_group_tests_name("policy/background", tests, NULL, NULL);
}
