/* SPDX-License-Identifier: MIT
 *
 * policy/release.c: when memory goes back, by the fake clock.
 */
#include "engine.h"

#include "config/option.h"
#include "heap/bin.h"
#include "heap/registry.h"
#include "heap/remote.h"
#include "policy/release.h"
#include "span/purge.h"

/* The thread's heap; a block of it stays in use, so that its superslab stays in pieces. */
static struct hak_heap *mine(void) {
    assert_non_null(hak_malloc(16));
    return hak_tls.heap;
}

/* What is called once in so many slow paths. */
static void tick(void) {
    struct hak_heap *heap = hak_heap_enter(&hak_tls);
    hak_release_tick(heap);
    hak_heap_leave(&hak_tls);
}

static void delay(const char *ms) {
    assert_int_equal(hak_option_set("purge_delay_ms", ms), 0);
}

static void test_delay(void **state) {
    (void)state;
    if (HAK_STRESS) return; /* no delay */
    mine();
    delay("1000");
    fake_clock_set(100000);
    tick();
    hak_free(hak_malloc(3 * MIB));
    fake_clock_advance(250);
    tick();
    fake_clock_advance(749);
    tick();
    assert_int_equal(fake_page_calls(FAKE_PURGE), 0);
    fake_clock_advance(10);
    tick();
    assert_int_equal(fake_page_calls(FAKE_PURGE), 1);
    fake_clock_advance(5000);
    tick();
    assert_int_equal(fake_page_calls(FAKE_PURGE), 1); /* once */
}

/* What is used again and again is not purged in between. */
static void test_reused_memory_is_kept(void **state) {
    (void)state;
    if (HAK_STRESS) return; /* no delay */
    mine();
    delay("1000");
    for (int i = 0; i < 100; i++) {
        fake_clock_advance(500);
        tick();
        hak_free(hak_malloc(3 * MIB));
        tick();
    }
    assert_int_equal(fake_page_calls(FAKE_PURGE), 0);
}

static void test_at_once(void **state) {
    (void)state;
    mine();
    delay("0");
    hak_free(hak_malloc(3 * MIB));
    tick();
    assert_int_equal(fake_page_calls(FAKE_PURGE), 1);
}

static void test_never(void **state) {
    (void)state;
    if (HAK_STRESS) return; /* no delay */
    mine();
    delay("-1");
    hak_free(hak_malloc(3 * MIB));
    fake_clock_advance(1u << 30);
    tick();
    assert_int_equal(fake_page_calls(FAKE_PURGE), 0);
    hak_collect(); /* but when asked to */
    assert_int_equal(fake_page_calls(FAKE_PURGE), 1);
}

/* A lower delay set at run time holds from the next look on. */
static void test_changed_delay(void **state) {
    (void)state;
    if (HAK_STRESS) return; /* no delay */
    mine();
    delay("1000");
    tick();
    hak_free(hak_malloc(3 * MIB));
    delay("10");
    fake_clock_advance(300);
    tick(); /* sees it first */
    fake_clock_advance(10);
    tick();
    assert_int_equal(fake_page_calls(FAKE_PURGE), 1);
}

/* Slow paths alone lead to a tick now and then: nobody has to call it. */
static void test_ticks_come_by_themselves(void **state) {
    (void)state;
    mine();
    delay("100");
    hak_free(hak_malloc(3 * MIB));
    static void *block[20000];
    for (int round = 0; round < 5; round++) {
        fake_clock_advance(100);
        for (int i = 0; i < 20000; i++) block[i] = hak_malloc(64);
        for (int i = 0; i < 20000; i++) hak_free(block[i]);
    }
    assert_true(fake_page_calls(FAKE_PURGE) > 0);
}

/* Magazines that are not used empty by and by, and what waits for other threads is sent. */
static void test_idle_magazines(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    static struct fake_thread other;
    struct hak_heap *heap = mine();
    void *theirs[40];
    for (int i = 0; i < 40; i++) theirs[i] = hak_malloc(500);
    struct fake_thread *first = fake_thread_switch(&other);
    void *block[40];
    for (int i = 0; i < 40; i++) block[i] = hak_malloc(64);
    for (int i = 0; i < 10; i++) hak_free(block[i]);
    hak_free(theirs[0]);
    assert_false(hak_remote_waiting(heap));
    for (int i = 0; i < 200; i++) {
        fake_clock_advance(10);
        tick();
    }
    assert_int_equal(hak_heap_bin_count(hak_tls.heap, hak_class_of(64)), 1); /* see idle_shrink */
    assert_true(hak_remote_waiting(heap));
    fake_thread_switch(first);
    engine_check_heaps();
}

static void test_release_all(void **state) {
    (void)state;
    if (HAK_STRESS) return; /* nothing is left to release */
    static struct fake_thread other, third;
    mine();
    fake_thread_switch(&other);
    void *block[2000];
    for (int i = 0; i < 2000; i++) block[i] = hak_malloc(300);
    fake_thread_end();
    fake_thread_switch(&third);
    for (int i = 0; i < 2000; i++) hak_free(block[i]);
    fake_thread_end();
    assert_true(hak_release_all() > 0);
    struct hak_stats stats;
    engine_check_census(&stats);
    assert_int_equal(stats.live, 16);
    assert_int_equal(stats.free_dirty, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_delay),          ISOLATED(test_reused_memory_is_kept),
        ISOLATED(test_at_once),        ISOLATED(test_never),
        ISOLATED(test_changed_delay),  ISOLATED(test_ticks_come_by_themselves),
        ISOLATED(test_idle_magazines), ISOLATED(test_release_all),
    };
    return cmocka_run_group_tests_name("policy/release", tests, NULL, NULL);
}
