/* SPDX-License-Identifier: MIT
 *
 * heap/parcel.c: parcels go out and come back.
 */
#include "engine.h"

#include "base/counter.h"
#include "heap/parcel.h"
#include "span/arena.h"

#include <pthread.h>
#include <sched.h>

enum { MANY = 300 };

/* All that a heap may have. */
static unsigned take_all(struct hak_heap *heap, struct hak_parcel **parcel) {
    unsigned count = 0;
    while ((parcel[count] = hak_parcel_take(heap))) {
        assert_ptr_equal(parcel[count]->home, heap);
        assert_int_equal((uintptr_t)parcel[count] % HAK_CACHE_LINE, 0);
        assert_true(++count < MANY);
    }
    return count;
}

/* There is an end to them; returned ones are used again, and no others made. */
static void test_used_again(void **state) {
    (void)state;
    static struct hak_parcel *first[MANY], *second[MANY];
    struct hak_heap *heap = engine_heap("fast"), *other = engine_heap("fast");
    unsigned count = take_all(heap, first);
    assert_true(count > 1);
    assert_non_null(hak_parcel_take(other));
    for (unsigned i = 0; i < count; i++) hak_parcel_return(first[i]);
    uint64_t metadata = hak_counter_read(&hak_counters.metadata_bytes);
    assert_int_equal(take_all(heap, second), count);
    assert_int_equal(hak_counter_read(&hak_counters.metadata_bytes), metadata);
    for (unsigned i = 0; i < count; i++) assert_ptr_equal(second[i], first[count - 1 - i]);
}

static void test_no_memory(void **state) {
    (void)state;
    struct hak_heap *heap = engine_heap("fast");
    fake_page_fail(FAKE_ALL, 1, FAKE_FOR_EVER);
    while (hak_arena_alloc(sizeof(struct hak_parcel), HAK_CACHE_LINE)) {
    }
    assert_null(hak_parcel_take(heap));
    fake_page_fail_never();
    assert_non_null(hak_parcel_take(heap));
}

/* ---- Threads --------------------------------------------------------------------------------- */

enum { RETURNERS = 3, ROUNDS = 3000 };

static _Atomic(struct hak_parcel *) handed[RETURNERS];

static void *return_parcels(void *argument) {
    _Atomic(struct hak_parcel *) *from = argument;
    for (int i = 0; i < ROUNDS; i++) {
        struct hak_parcel *parcel;
        while (!(parcel = atomic_exchange_explicit(from, NULL, memory_order_acquire)))
            sched_yield();
        assert_int_equal(parcel->count, 7); /* as its home wrote it */
        hak_parcel_return(parcel);
    }
    return NULL;
}

/* Each has one holder at a time: what its home writes is what the other reads. */
static void test_threads(void **state) {
    (void)state;
    pthread_t thread[RETURNERS];
    struct hak_heap *heap = engine_heap("fast");
    for (int i = 0; i < RETURNERS; i++)
        pthread_create(&thread[i], NULL, return_parcels, &handed[i]);
    for (int given = 0; given < RETURNERS * ROUNDS;) {
        int to = given % RETURNERS;
        struct hak_parcel *parcel = hak_parcel_take(heap);
        if (!parcel) continue;
        parcel->count = 7;
        while (atomic_load_explicit(&handed[to], memory_order_relaxed)) sched_yield();
        atomic_store_explicit(&handed[to], parcel, memory_order_release);
        given++;
    }
    for (int i = 0; i < RETURNERS; i++) pthread_join(thread[i], NULL);
    static struct hak_parcel *all[MANY];
    unsigned count = take_all(heap, all);
    for (unsigned i = 0; i < count; i++)
        for (unsigned j = 0; j < i; j++) assert_ptr_not_equal(all[i], all[j]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_used_again),
        ISOLATED(test_no_memory),
        ISOLATED(test_threads),
    };
    return cmocka_run_group_tests_name("heap/parcel", tests, NULL, NULL);
}
