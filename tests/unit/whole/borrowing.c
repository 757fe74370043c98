/* SPDX-License-Identifier: MIT
 *
 * What a thread keeps at hand of the blocks that it frees for others, in fast mode: H1.
 */
#include "engine.h"

#include "heap/bin.h"
#include "heap/registry.h"
#include "span/map.h"

#define MANY 20

static struct fake_thread other;
static unsigned char *block[MANY];
static struct hak_heap *owner;

static bool is_ours(const void *pointer) {
    return hak_tag_owner(hak_map_tag(pointer)) == hak_tls.heap->id;
}

/* The first thread allocates blocks; from then on another one runs, which has used their class. */
static struct fake_thread *hand_over(const char *mode, size_t size) {
    engine_mode(mode);
    for (uint64_t i = 0; i < MANY; i++) {
        block[i] = hak_malloc(size);
        engine_fill(block[i], size, i);
    }
    owner = hak_tls.heap;
    struct fake_thread *first = fake_thread_switch(&other);
    hak_malloc(size);
    hak_tiny_magazine_flush_all();
    return first;
}

static uint32_t at_hand(size_t size) {
    return hak_heap_bin_count(hak_tls.heap, hak_class_of(size));
}

static void check_borrow(size_t size) {
    if (HAK_STRESS) return;
    hand_over("fast", size);
    for (uint64_t i = 0; i < MANY; i++) {
        assert_true(engine_intact(block[i], size, i));
        hak_free(block[i]);
    }
    assert_int_equal(at_hand(size), HAK_BORROW_MAX);
    engine_check_heaps();
    engine_check_census(NULL);

    /* they are what comes next, and can be freed like any other, any number of times */
    for (int round = 0; round < 3; round++) {
        for (int i = HAK_BORROW_MAX; i--;) {
            unsigned char *again = hak_malloc(size);
            assert_false(is_ours(again));
            engine_fill(again, size, 7);
            block[i] = again;
        }
        assert_int_equal(at_hand(size), 0);
        for (int i = 0; i < (int)HAK_BORROW_MAX; i++) hak_free(block[i]);
        engine_check_heaps();
    }
}

static void test_smallest(void **state) {
    (void)state;
    check_borrow(64);
}

static void test_larger(void **state) {
    (void)state;
    check_borrow(200);
}

/* Small ones share lines with what their owner allocates next; of a class that the thread has never
 * asked for there is no magazine. */
static void test_not_borrowed(void **state) {
    (void)state;
    hand_over("fast", 48);
    hak_free(block[0]);
    assert_int_equal(at_hand(48), 0);

    struct hak_heap *heap = hak_heap_new();
    void *theirs = hak_heap_malloc(heap, 200);
    hak_free(hak_malloc(200));
    hak_tiny_magazine_flush_all();
    hak_free(theirs); /* a first-class heap's */
    assert_int_equal(at_hand(200), 0);
    hak_heap_destroy(heap);

    fake_thread_switch(&(struct fake_thread){0});
    hak_malloc(16);
    hak_free(block[1]);
    assert_int_equal(at_hand(48), 0);
}

/* A flush, and the end of the thread, send them home. */
static void test_sent_home(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    struct fake_thread *first = hand_over("fast", 100);
    for (int i = 0; i < 3; i++) hak_free(block[i]);
    assert_int_equal(at_hand(100), 3);
    hak_tiny_magazine_flush_all();
    assert_int_equal(at_hand(100), 0);
    assert_int_equal(atomic_load(&owner->inbox_bytes), 3 * 112);
    for (int i = 3; i < 6; i++) hak_free(block[i]);
    fake_thread_end();
    assert_int_equal(atomic_load(&owner->inbox_bytes), 6 * 112);
    fake_thread_switch(first);
    for (int i = 6; i < MANY; i++) hak_free(block[i]);
    hak_tiny_magazine_flush_all();
    engine_check_heaps();
    struct hak_stats stats;
    engine_check_census(&stats);
    assert_int_equal(stats.live, 112); /* the other thread's own */
}

/* Their slab may get another owner meanwhile, or the borrower itself. */
static void test_adopted_meanwhile(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    struct fake_thread *first = hand_over("fast", 100);
    hak_free(block[0]);
    hak_free(block[1]);
    fake_thread_switch(first);
    fake_thread_end();
    fake_thread_switch(&other);
    unsigned char *again = hak_malloc(100); /* one of the two */
    for (int i = 0; i < 3000 && !is_ours(again); i++) hak_malloc(100);
    assert_true(is_ours(again));
    engine_check_heaps();
    hak_free(again);
    hak_free(block[2]);
    hak_tiny_magazine_flush_all();
    engine_check_heaps();
    engine_check_census(NULL);
}

/* In checked mode none: that a block is free only its owner can tell for sure. */
static void test_not_in_checked_mode(void **state) {
    (void)state;
    hand_over("checked", 100);
    for (int i = 0; i < MANY; i++) hak_free(block[i]);
    assert_int_equal(at_hand(100), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_smallest),          ISOLATED(test_larger),
        ISOLATED(test_not_borrowed),      ISOLATED(test_sent_home),
        ISOLATED(test_adopted_meanwhile), ISOLATED(test_not_in_checked_mode),
    };
    return cmocka_run_group_tests_name("whole/borrowing", tests, NULL, NULL);
}
