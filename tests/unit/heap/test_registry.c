/* SPDX-License-Identifier: MIT
 *
 * heap/registry.c: ids, and who may take a parked heap (H4).
 */
#include "engine.h"

#include "heap/registry.h"
#include "os/thread.h"
#include "span/map.h"

#include <pthread.h>
#include <string.h>

static struct hak_heap heap[400]; /* only addresses and ids matter */

static uint32_t add(struct hak_heap *one) {
    assert_true(hak_registry_add(one));
    return one->id;
}

static void test_ids(void **state) {
    (void)state;
    assert_int_equal(hak_registry_count(), 0);
    assert_null(hak_registry_get(0));
    assert_null(hak_registry_get(1));
    assert_null(hak_registry_get(HAK_OWNER_MAX));
    for (uint32_t i = 0; i < UNIT_COUNT(heap); i++) {
        assert_int_equal(add(&heap[i]), i + 1);
        assert_int_equal(hak_registry_count(), i + 1);
    }
    for (uint32_t i = 0; i < UNIT_COUNT(heap); i++) {
        assert_ptr_equal(hak_registry_get(i + 1), &heap[i]);
    }
    assert_null(hak_registry_get(UNIT_COUNT(heap) + 1));
    assert_null(hak_registry_get(0));
}

static void test_park_and_claim(void **state) {
    (void)state;
    for (uint32_t i = 0; i < 200; i++) add(&heap[i]);
    assert_null(hak_registry_claim_any(HAK_PARKED_THREAD, 0));
    assert_false(hak_registry_claim(7, HAK_PARKED_THREAD));
    hak_registry_park(7, HAK_PARKED_THREAD);
    hak_registry_park(64, HAK_PARKED_EMPTY);
    assert_true(hak_registry_is_parked(7, HAK_PARKED_THREAD));
    assert_false(hak_registry_is_parked(7, HAK_PARKED_EMPTY));
    assert_int_equal(hak_registry_parked_count(HAK_PARKED_THREAD), 1);
    assert_false(hak_registry_claim(7, HAK_PARKED_EMPTY));
    assert_true(hak_registry_claim(7, HAK_PARKED_THREAD));
    assert_false(hak_registry_claim(7, HAK_PARKED_THREAD));
    assert_int_equal(hak_registry_parked_count(HAK_PARKED_THREAD), 0);
    assert_null(hak_registry_claim_any(HAK_PARKED_THREAD, 0));
    assert_ptr_equal(hak_registry_claim_any(HAK_PARKED_EMPTY, 0), &heap[63]);
}

/* A caller that passes the last result sees all of them in turn, wherever they lie. */
static void test_claims_go_round(void **state) {
    (void)state;
    static const uint32_t id[] = {1, 2, 63, 64, 65, 127, 128, 200, 383, 384, 400};
    for (uint32_t i = 0; i < UNIT_COUNT(heap); i++) add(&heap[i]);
    for (size_t i = 0; i < UNIT_COUNT(id); i++) hak_registry_park(id[i], HAK_PARKED_THREAD);
    for (uint32_t first = 0; first <= 400; first += 3) {
        unsigned char seen[401] = {0};
        uint32_t after = first;
        for (size_t i = 0; i < UNIT_COUNT(id); i++) {
            struct hak_heap *got = hak_registry_claim_any(HAK_PARKED_THREAD, after);
            assert_non_null(got);
            after = (uint32_t)(got - heap) + 1;
            assert_int_equal(seen[after]++, 0);
            hak_registry_park(after, HAK_PARKED_THREAD);
        }
        for (size_t i = 0; i < UNIT_COUNT(id); i++) assert_int_equal(seen[id[i]], 1);
    }
    assert_int_equal(hak_registry_parked_count(HAK_PARKED_THREAD), UNIT_COUNT(id));
}

/* A claim is for the process that makes it, and says so before the heap is seen to be claimed. */
static void test_process(void **state) {
    (void)state;
    add(&heap[0]);
    uint32_t parent = atomic_load(&heap[0].process);
    assert_int_equal(parent, hak_fork_generation());
    hak_registry_park(1, HAK_PARKED_THREAD);
    fake_fork();
    assert_int_not_equal(hak_fork_generation(), parent);
    assert_int_equal(atomic_load(&heap[0].process), parent);
    assert_true(hak_registry_claim(1, HAK_PARKED_THREAD));
    assert_int_equal(atomic_load(&heap[0].process), hak_fork_generation());
}

static void test_without_memory(void **state) {
    (void)state;
    fake_page_fail(FAKE_ALL, 1, FAKE_FOR_EVER);
    assert_false(hak_registry_add(&heap[0]));
    assert_int_equal(hak_registry_count(), 0);
    fake_page_fail_never();
    assert_int_equal(add(&heap[0]), 1); /* no id was lost */
}

enum { THREADS = 4, ROUNDS = 3000, SHARED = 3 };

static unsigned owned[SHARED + 1]; /* not atomic: a claim must order it */

static void *churn(void *argument) {
    unsigned got = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct hak_heap *one = hak_registry_claim_any(HAK_PARKED_THREAD, (uint32_t)round);
        if (!one) continue;
        uint32_t id = (uint32_t)(one - heap) + 1;
        if (owned[id]++) return argument;
        owned[id]--;
        hak_registry_park(id, HAK_PARKED_THREAD);
        got++;
    }
    return got ? NULL : argument;
}

static void test_threads(void **state) {
    (void)state;
    pthread_t thread[THREADS];
    for (uint32_t id = 1; id <= SHARED; id++) {
        add(&heap[id - 1]);
        hak_registry_park(id, HAK_PARKED_THREAD);
    }
    for (int i = 0; i < THREADS; i++) pthread_create(&thread[i], NULL, churn, owned);
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(thread[i], &result);
        assert_null(result);
    }
    assert_int_equal(hak_registry_parked_count(HAK_PARKED_THREAD), SHARED);
}

static _Atomic uint32_t next_heap;

static void *adder(void *argument) {
    for (;;) {
        uint32_t index = atomic_fetch_add(&next_heap, 1);
        if (index >= UNIT_COUNT(heap)) return NULL;
        if (!hak_registry_add(&heap[index])) return argument;
        if (hak_registry_get(heap[index].id) != &heap[index]) return argument;
    }
}

static void test_threads_add(void **state) {
    (void)state;
    pthread_t thread[THREADS];
    for (int i = 0; i < THREADS; i++) pthread_create(&thread[i], NULL, adder, owned);
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(thread[i], &result);
        assert_null(result);
    }
    for (size_t i = 0; i < UNIT_COUNT(heap); i++) {
        assert_ptr_equal(hak_registry_get(heap[i].id), &heap[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_ids),         ISOLATED(test_park_and_claim), ISOLATED(test_claims_go_round),
        ISOLATED(test_process),     ISOLATED(test_without_memory), ISOLATED(test_threads),
        ISOLATED(test_threads_add),
    };
    return cmocka_run_group_tests_name("heap/registry", tests, NULL, NULL);
}
