/* SPDX-License-Identifier: MIT
 *
 * heap/visit.c: what a visit gives back, and of which heaps.  When: whole/visit_ages.c; what the
 * owner does meanwhile: whole/visit_moments.c, whole/visits.c.
 */
#include "engine.h"

#include "heap/adopt.h"
#include "heap/bin.h"
#include "heap/remote.h"
#include "heap/visit.h"

#include <string.h>

#define SLOTS 64u /* of each magazine are compared */

static struct fake_thread visitor, owner, other; /* the visitor has no heap */
static struct hak_heap *heap;                    /* of the owner */
static struct engine_table table;                /* blocks in use */
static const size_t sizes[] = {16,    48,    64,    500,       1500,      5000, 8192,
                               10000, 20000, 32768, 100 * KIB, 300 * KIB, MIB};

static void start(void) {
    fake_thread_switch(&owner);
    hak_free(hak_malloc(16));
    heap = hak_tls.heap;
}

static bool visit(bool thin) {
    struct fake_thread *running = fake_thread_switch(&visitor);
    bool done = hak_visit(heap, thin);
    fake_thread_switch(running);
    assert_int_equal(atomic_load(&heap->visitor), 0);
    return done;
}

static uint32_t at_hand(size_t size) {
    return hak_heap_bin_count(heap, hak_class_of(size));
}

/* Many blocks of all sizes, of which one in `keep` stays in the table; the others are freed. */
static void work(size_t first_row, size_t keep) {
    enum { MANY = 20 };
    void *block[UNIT_COUNT(sizes)][MANY];
    for (size_t i = 0; i < UNIT_COUNT(sizes); i++)
        for (size_t j = 0; j < MANY; j++) assert_non_null(block[i][j] = hak_malloc(sizes[i]));
    for (size_t i = 0; i < UNIT_COUNT(sizes); i++)
        for (size_t j = 0; j < MANY; j++)
            if (j % keep) hak_free(block[i][j]);
            else engine_enter(&table, first_row++, block[i][j], sizes[i]);
}

static void check(void) {
    engine_check_table(&table);
    engine_check_heaps();
    engine_check_span();
    engine_check_census(NULL);
}

/* All that is in the magazines and the slabs can be used, and nothing is there twice. */
static void check_and_end(void) {
    check();
    work(200, 4);
    check();
    engine_free_table(&table);
    fake_thread_end();
    fake_thread_switch(&other);
    hak_free(hak_malloc(16));
    engine_check_empty();
    fake_thread_end();
}

/* ---- What is given back ---------------------------------------------------------------------- */

/* But one block of each class of the hot path. */
static void magazines(void) {
    start();
    work(0, 5);
    uint64_t flushed = heap->counts.flushed, left = 0;
    uint32_t before[HAK_CLASSES + 1], none = 0;
    for (unsigned class = 1; class <= HAK_CLASSES; class ++)
        none += before[class] = hak_heap_bin_count(heap, class);
    assert_true(none > 10);
    assert_true(visit(false));
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) {
        uint32_t stays = class <= HAK_FAST_CLASSES && before[class];
        assert_int_equal(hak_heap_bin_count(heap, class), stays);
        assert_null(heap->cold[class].kept);
        left += stays;
    }
    assert_int_equal(heap->counts.flushed - flushed, none - left);
    check();
    assert_true(visit(false)); /* again: nothing is there */
    assert_int_equal(heap->counts.flushed - flushed, none - left);
    check_and_end();
}
ENGINE_BOTH(magazines)

static void *foreign[30];

/* The owner frees blocks of another thread, which are not enough to be sent. */
static void free_foreign(size_t size, size_t count) {
    fake_thread_switch(&other);
    for (size_t i = 0; i < count; i++) assert_non_null(foreign[i] = hak_malloc(size));
    fake_thread_switch(&owner);
    for (size_t i = 0; i < count; i++) hak_free(foreign[i]);
}

static unsigned gathered(void) {
    unsigned count = 0;
    for (unsigned i = 0; i < HAK_OUTBOXES; i++)
        if (heap->outbox[i].owner) count += heap->outbox[i].count;
    return count;
}

static void outboxes(void) {
    unsigned count = HAK_STRESS ? 1 : 11; /* two are sent at once */
    start();
    free_foreign(48, count);
    assert_int_equal(gathered(), count);
    assert_true(visit(false));
    assert_int_equal(gathered(), 0);
    assert_int_equal(atomic_load(&other.tls.heap->inbox_bytes), 48 * count);
    free_foreign(48, count); /* they can be gathered again */
    assert_int_equal(gathered(), count);
    check();
    fake_thread_switch(&other);
    fake_thread_end();
    fake_thread_switch(&owner);
    check_and_end();
}
ENGINE_BOTH(outboxes)

/* In checked mode only the owner may change allocated bits. */
static void inbox(void) {
    enum { MANY = 200 };
    static void *block[MANY];
    start();
    for (size_t i = 0; i < MANY; i++) block[i] = hak_malloc(100);
    fake_thread_switch(&other);
    hak_free(hak_malloc(16));
    for (size_t i = 0; i < MANY; i++) hak_free(block[i]);
    hak_tiny_magazine_flush_all();
    fake_thread_switch(&owner);
    assert_true(hak_remote_waiting(heap));
    assert_true(visit(false));
    assert_int_equal(hak_remote_waiting(heap), heap->mark != 0);
    if (!heap->mark) assert_int_equal(heap->counts.remote_drained, MANY);
    fake_thread_switch(&other);
    fake_thread_end();
    fake_thread_switch(&owner);
    check_and_end();
}
ENGINE_BOTH(inbox)

static void kept_slab(void) {
    start();
    if (HAK_STRESS) return; /* none is kept */
    unsigned class = hak_class_of(500);
    hak_free(hak_malloc(500));
    hak_bin_flush(heap, class, 0, UINT32_MAX);
    assert_non_null(heap->cold[class].kept);
    assert_true(visit(false));
    assert_int_equal(heap->cold[class].slabs, 0);
    check_and_end();
}
ENGINE_BOTH(kept_slab)

/* Pages inside of slabs of which a block is in use here and there. */
static void scatter(void) {
    enum { MANY = 2000 };
    static void *block[MANY];
    for (size_t i = 0; i < MANY; i++) block[i] = hak_malloc(200);
    for (size_t i = 0; i < MANY; i++)
        if (i % 100) hak_free(block[i]);
        else engine_enter(&table, i / 100, block[i], 200);
    hak_tiny_magazine_flush_all();
}

static void thin(void) {
    start();
    scatter();
    unsigned long calls = fake_page_calls(FAKE_PURGE);
    assert_true(visit(false));
    assert_int_equal(fake_page_calls(FAKE_PURGE), calls);
    assert_true(visit(true));
    assert_true(fake_page_calls(FAKE_PURGE) >= calls + 10);
    struct fake_entry last = fake_page_log(FAKE_PURGE, 0);
    assert_ptr_not_equal(hak_slab_of(last.start)->base, NULL);
    assert_int_equal(hak_tag_owner(hak_map_tag(last.start)), heap->id);
    assert_true(engine_is_zero(last.start, last.bytes));
    calls = fake_page_calls(FAKE_PURGE);
    assert_true(visit(true));
    assert_int_equal(fake_page_calls(FAKE_PURGE), calls);
    check_and_end();
}
ENGINE_BOTH(thin)

static void begin_to_be_busy(bool begins) {
    if (!begins && fake_page_calls(FAKE_PURGE)) atomic_store(&heap->busy, 1);
}

/* The owner waits for no more than one slab to be done. */
static void interrupted_thin(void) {
    start();
    scatter();
    unsigned waked = fake_helper_waked();
    if (HAK_STRESS) return; /* there have been purges */
    fake_hook = begin_to_be_busy;
    assert_false(visit(true));
    fake_hook = NULL;
    assert_int_equal(fake_helper_waked(), waked + 1);
    atomic_store(&heap->busy, 0);
    unsigned long calls = fake_page_calls(FAKE_PURGE);
    assert_true(visit(true));
    assert_true(fake_page_calls(FAKE_PURGE) > calls);
    check_and_end();
}
ENGINE_BOTH(interrupted_thin)

/* Blocks of another thread that this one has at hand go to that one's inbox; the top stays. */
static void test_borrowed(void **state) {
    (void)state;
    if (HAK_STRESS) return; /* magazines of one block */
    engine_mode("fast");
    start();
    hak_free(hak_malloc(64));
    hak_tiny_magazine_flush_all();
    free_foreign(64, HAK_BORROW_MAX);
    assert_int_equal(at_hand(64), HAK_BORROW_MAX);
    assert_true(visit(false));
    assert_int_equal(at_hand(64), 1);
    assert_int_equal(atomic_load(&other.tls.heap->inbox_bytes), 64 * (HAK_BORROW_MAX - 1));
    assert_int_equal(hak_tag_owner(hak_map_tag(hak_malloc(64))), other.tls.heap->id);
    fake_thread_switch(&other);
    hak_tiny_magazine_flush_all();
    check();
}

/* The oldest blocks were flushed before. */
static void floor_is_above_base(void) {
    start();
    if (HAK_STRESS) return;
    work(0, 5);
    for (size_t size = 16; size <= 20000; size *= 2) {
        uint32_t count = at_hand(size);
        hak_bin_flush(heap, hak_class_of(size), 0, count / 2);
    }
    work(100, 1000);
    check();
    assert_true(visit(false));
    assert_true(heap->cold[hak_class_of(64)].floor > 0);
    check_and_end();
}
ENGINE_BOTH(floor_is_above_base)

/* The owner goes on as if nothing had been, whenever there is a visit. */
static void often(void) {
    struct engine_random random = {7};
    start();
    for (int i = 0; i < 6000; i++) {
        size_t row = engine_below(&random, 300), size = engine_size(&random, 200 * KIB);
        hak_free(engine_leave(&table, row));
        if (engine_below(&random, 3)) engine_enter(&table, row, hak_malloc(size), size);
        if (i % 40 == 0) assert_true(visit(i % 120 == 0));
        if (i % 600 == 0) check();
    }
    engine_free_table(&table);
    check_and_end();
}
ENGINE_BOTH(often)

/* ---- What is left alone ---------------------------------------------------------------------- */

static struct {
    struct hak_heap heap;
    struct hak_slot slot[HAK_CLASSES + 1][SLOTS];
} before, after;

static void remember(void) {
    memcpy(&before.heap, heap, sizeof *heap);
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) {
        const struct hak_slot *base = heap->cold[class].base;
        size_t slots = hak_min_size((uintptr_t)base->used, SLOTS);
        memcpy(before.slot[class], base, slots * sizeof *base);
    }
}

/* The heap is as it was: all of it, and its magazines. */
static void check_unchanged(void) {
    memcpy(&after, &before, sizeof before);
    remember();
    assert_memory_equal(&before, &after, sizeof before);
    check();
}

/* Something of all that a visit gives back. */
static void start_with_something(void) {
    start();
    free_foreign(48, HAK_STRESS ? 1 : 5);
    work(0, 5);
    void *sent = hak_malloc(100);
    fake_thread_switch(&other);
    hak_free(sent);
    hak_tiny_magazine_flush_all();
    fake_thread_switch(&owner);
    remember();
}

static void check_refused(void) {
    assert_false(visit(true));
    check_unchanged();
}

static void busy(void) {
    start_with_something();
    unsigned waked = fake_helper_waked();
    atomic_store(&heap->busy, 1);
    remember();
    check_refused();
    assert_int_equal(fake_helper_waked(), waked); /* it had not begun */
    atomic_store(&heap->busy, 0);
    assert_true(visit(true));
    check_and_end();
}
ENGINE_BOTH(busy)

static void parked(void) {
    start_with_something();
    fake_thread_end();
    remember();
    check_refused();
    fake_thread_switch(&other);
    heap = hak_heap_make(HAK_HEAP_THREAD); /* nobody has it yet */
    remember();
    check_refused();
}
ENGINE_BOTH(parked)

/* Its thread is gone; or was the one that has forked, and has not been told yet. */
static void of_another_process(void) {
    start_with_something();
    fake_fork();
    check_refused();
    hak_adopt_after_fork();
    assert_true(visit(true));
    check();
}
ENGINE_BOTH(of_another_process)

/* Without the first one nothing is done; without the second, which is two where the processor does
 * not keep stores in order, magazines and outboxes stay as they are. */
static void no_barrier(void) {
#if defined(__x86_64__)
    const unsigned barriers = 2;
#else
    const unsigned barriers = 3;
#endif
    start_with_something();
    fake_barrier_fail_after(0);
    check_refused();
    for (unsigned works = 1; works < barriers; works++) {
        unsigned count = gathered();
        fake_barrier_fail_after(works);
        visit(false);
        memcpy(&after, &before, sizeof before);
        remember();
        assert_memory_equal(before.slot, after.slot, sizeof before.slot);
        assert_memory_equal(before.heap.bin, after.heap.bin, sizeof before.heap.bin);
        assert_int_equal(gathered(), count);
        check();
    }
    fake_barrier_fail_after(barriers);
    assert_true(visit(true));
    assert_int_equal(at_hand(20000) + gathered(), 0);
    check();
}
ENGINE_BOTH(no_barrier)

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED_BOTH(magazines),  ISOLATED_BOTH(outboxes),
        ISOLATED_BOTH(inbox),      ISOLATED_BOTH(kept_slab),
        ISOLATED_BOTH(thin),       ISOLATED_BOTH(interrupted_thin),
        ISOLATED(test_borrowed),   ISOLATED_BOTH(floor_is_above_base),
        ISOLATED_BOTH(often),      ISOLATED_BOTH(busy),
        ISOLATED_BOTH(parked),     ISOLATED_BOTH(of_another_process),
        ISOLATED_BOTH(no_barrier),
    };
    return cmocka_run_group_tests_name("heap/visit", tests, NULL, NULL);
}
