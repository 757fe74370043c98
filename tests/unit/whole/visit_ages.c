/* SPDX-License-Identifier: MIT
 *
 * hak_visit_quiet: heaps are visited when their threads have been in no slow path for a while, and
 * once only.
 */
#include "engine.h"

#include "heap/bin.h"
#include "heap/remote.h"
#include "heap/visit.h"

#define EMPTY_MS 100u
#define THIN_MS  400u

static struct fake_thread visitor, owner, other; /* the visitor has no heap */
static struct hak_heap *heap;                    /* of the owner */

static void start(void) {
    fake_thread_switch(&owner);
    hak_free(hak_malloc(16));
    heap = hak_tls.heap;
}

static bool visit_quiet(uint32_t now_ms) {
    struct fake_thread *running = fake_thread_switch(&visitor);
    bool more = hak_visit_quiet(now_ms, EMPTY_MS, THIN_MS);
    fake_thread_switch(running);
    return more;
}

static void check(void) {
    engine_check_heaps();
    engine_check_span();
    engine_check_census(NULL);
}

/* Pages inside of slabs of which a block is in use here and there. */
static void scatter(void) {
    enum { MANY = 2000 };
    static void *block[MANY];
    for (size_t i = 0; i < MANY; i++) block[i] = hak_malloc(200);
    for (size_t i = 0; i < MANY; i++)
        if (i % 100) hak_free(block[i]);
    hak_tiny_magazine_flush_all();
}

static void free_some(size_t size) { /* in the hot path */
    void *block[4];
    for (int i = 0; i < 4; i++) block[i] = hak_malloc(size);
    for (int i = 0; i < 4; i++) hak_free(block[i]);
    hak_free(hak_malloc(20 * KIB));
}

static bool is_emptied(void) {
    return hak_heap_bin_count(heap, hak_class_of(20 * KIB)) == 0;
}

static void ages(uint32_t from) {
    start();
    scatter();
    free_some(100);
    uint32_t now = from ? from : 1;
    assert_true(visit_quiet(from));
    assert_true(visit_quiet(now + EMPTY_MS - 1));
    assert_false(is_emptied());
    assert_true(visit_quiet(now + EMPTY_MS));
    assert_true(is_emptied());
    unsigned long calls = fake_page_calls(FAKE_PURGE);
    uint64_t flushes = heap->cold[hak_class_of(200)].flushes;
    assert_true(visit_quiet(now + THIN_MS - 1));
    assert_int_equal(fake_page_calls(FAKE_PURGE), calls);
    assert_false(visit_quiet(now + THIN_MS));
    assert_true(fake_page_calls(FAKE_PURGE) > calls);
    calls = fake_page_calls(FAKE_PURGE);
    assert_false(visit_quiet(now + 10 * THIN_MS)); /* once only */
    assert_int_equal(heap->cold[hak_class_of(200)].flushes, flushes);
    assert_int_equal(fake_page_calls(FAKE_PURGE), calls);
    free_some(100); /* a slow path: ages begin anew */
    scatter();
    now += 20 * THIN_MS;
    assert_true(visit_quiet(now));
    assert_true(visit_quiet(now + EMPTY_MS - 1));
    assert_int_equal(fake_page_calls(FAKE_PURGE), calls);
    assert_false(visit_quiet(now + THIN_MS)); /* both at once */
    assert_true(is_emptied() && fake_page_calls(FAKE_PURGE) > calls);
}

static void test_ages(void **state) {
    (void)state;
    if (!HAK_STRESS) ages(70000);
}

static void test_ages_from_the_clock_s_start(void **state) {
    (void)state;
    if (!HAK_STRESS) ages(0);
}

static void test_ages_over_the_clock_s_end(void **state) {
    (void)state;
    if (!HAK_STRESS) ages(UINT32_MAX - EMPTY_MS / 2);
}

/* What others have freed since. */
static void quiet_inbox(void) {
    start();
    void *block = hak_malloc(100);
    visit_quiet(1000);
    assert_false(visit_quiet(1000 + THIN_MS));
    fake_thread_switch(&other);
    hak_free(block);
    hak_tiny_magazine_flush_all();
    fake_thread_switch(&owner);
    visit_quiet(1001 + THIN_MS);
    assert_int_equal(hak_remote_waiting(heap), heap->mark != 0);
    check();
}
ENGINE_BOTH(quiet_inbox)

/* Of several heaps those that are quiet; one whose owner is at work is tried again. */
static void several(void) {
    static struct fake_thread thread[4];
    struct hak_heap *quiet[4];
    for (size_t i = 0; i < 4; i++) {
        fake_thread_switch(&thread[i]);
        free_some(1000);
        quiet[i] = hak_tls.heap;
    }
    unsigned large = hak_class_of(20 * KIB);
    hak_heap_new();
    visit_quiet(500);
    atomic_store(&quiet[0]->busy, 1);
    fake_thread_switch(&thread[1]);
    hak_free(hak_malloc(40 * KIB));
    fake_thread_switch(&thread[2]);
    fake_thread_end();
    assert_true(visit_quiet(500 + EMPTY_MS));
    assert_int_equal(hak_heap_bin_count(quiet[0], large), 1);
    assert_int_equal(hak_heap_bin_count(quiet[1], large), 1);
    assert_int_equal(hak_heap_bin_count(quiet[3], large), 0);
    atomic_store(&quiet[0]->busy, 0);
    assert_true(visit_quiet(501 + EMPTY_MS));
    assert_int_equal(hak_heap_bin_count(quiet[0], large), 0);
    visit_quiet(500 + THIN_MS);
    assert_false(visit_quiet(500 + EMPTY_MS + THIN_MS));
    assert_int_equal(hak_heap_bin_count(quiet[1], large), 0);
    check();
}
ENGINE_BOTH(several)

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_ages),
        ISOLATED(test_ages_from_the_clock_s_start),
        ISOLATED(test_ages_over_the_clock_s_end),
        ISOLATED_BOTH(quiet_inbox),
        ISOLATED_BOTH(several),
    };
    return cmocka_run_group_tests_name("whole/visit_ages", tests, NULL, NULL);
}
