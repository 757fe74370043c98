/* SPDX-License-Identifier: MIT
 *
 * large/bigcache.c: what is put is got once, expired or evicted; also in tables that grow, without
 * memory, and in several threads.
 */
#include "engine.h"

#include "large/bigcache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define EVER HAK_BIGCACHE_EVER

/* Items are numbers here. */
static void *item_of(uintptr_t number) {
    return (void *)(number + 1);
}

enum { EVICTED_MAX = 1 << 18 };
static _Atomic uint8_t evicted[EVICTED_MAX]; /* how often, by item */
static _Atomic uint32_t evicted_count, expired_count;

static void evict(void *item, bool expired) {
    atomic_fetch_add(&evicted[(uintptr_t)item - 1], 1);
    atomic_fetch_add(expired ? &expired_count : &evicted_count, 1);
}

static void put(uint32_t site, uint32_t class, uintptr_t number, uint32_t now, uint32_t keep) {
    assert_true(hak_bigcache_put(site, class, item_of(number), 1000, now, keep));
}

static void test_empty(void **state) {
    (void)state;
    hak_bigcache_init(evict);
    assert_null(hak_bigcache_try_get(1, 1));
    hak_bigcache_expire(5, 1);
    hak_bigcache_trim(0);
    hak_bigcache_shutdown();
    struct hak_bigcache_stats stats = hak_bigcache_stats();
    assert_int_equal(stats.misses, 1);
    assert_int_equal(stats.bytes + stats.items + stats.hits, 0);
}

/* The newest first; another site or class has its own. */
static void test_get(void **state) {
    (void)state;
    hak_bigcache_init(evict);
    for (uintptr_t i = 0; i < 3; i++) put(7, 20, i, 0, EVER);
    put(7, 21, 3, 0, EVER);
    put(8, 20, 4, 0, EVER);
    assert_int_equal(hak_bigcache_bytes(), 5000);
    assert_null(hak_bigcache_try_get(8, 21));
    assert_ptr_equal(hak_bigcache_try_get(7, 20), item_of(2));
    assert_ptr_equal(hak_bigcache_try_get(8, 20), item_of(4));
    assert_ptr_equal(hak_bigcache_try_get(7, 20), item_of(1));
    put(7, 20, 5, 0, EVER);
    assert_ptr_equal(hak_bigcache_try_get(7, 20), item_of(5));
    assert_ptr_equal(hak_bigcache_try_get(7, 20), item_of(0));
    assert_null(hak_bigcache_try_get(7, 20));
    assert_ptr_equal(hak_bigcache_try_get(7, 21), item_of(3));
    struct hak_bigcache_stats stats = hak_bigcache_stats();
    assert_int_equal(stats.bytes, 0);
    assert_int_equal(stats.items, 0);
    assert_int_equal(stats.hits, 6);
    assert_int_equal(stats.misses, 2);
    assert_int_equal(stats.puts, 6);
}

/* Looks at all buckets. */
static void expire_all(uint32_t now) {
    for (int i = 0; i < 256; i++) hak_bigcache_expire(now, 300);
}

static void test_expire(void **state) {
    (void)state;
    const uint32_t start = UINT32_MAX - 500; /* the clock goes round */
    hak_bigcache_init(evict);
    put(1, 1, 0, start, 100);
    put(1, 1, 1, start, 1000);
    put(1, 1, 2, start, EVER);
    put(2, 1, 3, start, 100);
    put(3, 1, 4, start, HAK_BIGCACHE_USUAL);
    expire_all(start + 99);
    assert_int_equal(hak_bigcache_stats().items, 5);
    expire_all(start + 100);
    assert_int_equal(hak_bigcache_stats().items, 3);
    assert_true(evicted[0] == 1 && evicted[3] == 1);
    expire_all(start + 299);
    assert_int_equal(evicted[4], 0);
    expire_all(start + 300);
    assert_int_equal(evicted[4], 1);
    expire_all(start + 999);
    assert_int_equal(hak_bigcache_stats().items, 2);
    expire_all(start + 1000);
    assert_int_equal(evicted[1], 1);
    expire_all(start + 1000000000);
    assert_ptr_equal(hak_bigcache_try_get(1, 1), item_of(2));
    assert_int_equal(hak_bigcache_stats().expired, 4);
    assert_int_equal(expired_count, 4);
    assert_int_equal(evicted_count, 0);
}

static void test_trim(void **state) {
    (void)state;
    hak_bigcache_init(evict);
    put(1, 1, 0, 0, 1000);
    put(1, 1, 1, 0, 10);
    put(1, 1, 2, 0, 10);
    put(1, 1, 3, 0, EVER);
    hak_bigcache_trim(4000);
    assert_int_equal(evicted_count, 0);
    hak_bigcache_trim(3999);
    assert_int_equal(evicted[1], 1); /* of the least worth, the oldest */
    hak_bigcache_trim(2000);
    assert_int_equal(evicted[2], 1);
    hak_bigcache_trim(1);
    assert_true(evicted[0] == 1 && evicted[3] == 1);
    assert_int_equal(hak_bigcache_bytes(), 0);
    for (uintptr_t i = 10; i < 100; i++) put((uint32_t)i, 1, i, 0, EVER);
    hak_bigcache_trim(10000);
    assert_int_equal(hak_bigcache_bytes(), 10000);
    hak_bigcache_shutdown();
    assert_int_equal(evicted_count, 4 + 90);
    put(1, 1, 200, 0, EVER);
    assert_ptr_equal(hak_bigcache_try_get(1, 1), item_of(200));
}

/* One item that may go is found, wherever it is. */
static void test_give(void **state) {
    (void)state;
    hak_bigcache_init(evict);
    put(1, 9, 5000, 0, EVER);
    for (uintptr_t i = 0; i < 5000; i++) {
        put((uint32_t)i, 1 + i % 3, i, 0, EVER);
        hak_bigcache_give(3);
        assert_int_equal(evicted[i], 1);
        hak_bigcache_give(3);
        assert_int_equal(evicted_count, i + 1);
    }
    assert_int_equal(hak_bigcache_stats().items, 1);
}

/* 256 buckets double up to 65,536; every item is where it is looked for. */
static void test_growth(void **state) {
    (void)state;
    enum { MANY = 140000 };
    hak_bigcache_init(evict);
    for (uintptr_t i = 0; i < MANY; i++) put((uint32_t)i % 5000, (uint32_t)i / 5000, i, 0, EVER);
    struct hak_bigcache_stats stats = hak_bigcache_stats();
    assert_int_equal(stats.items, MANY);
    assert_int_equal(stats.buckets, 65536);
    for (uintptr_t i = 0; i < MANY; i += 2)
        assert_ptr_equal(hak_bigcache_try_get((uint32_t)i % 5000, (uint32_t)i / 5000), item_of(i));
    hak_bigcache_shutdown(); /* finds those, too, that no larger table has asked for */
    assert_int_equal(evicted_count, MANY / 2);
    for (uintptr_t i = 0; i < MANY; i++) assert_int_equal(evicted[i], i % 2);
    stats = hak_bigcache_stats();
    assert_int_equal(stats.items + stats.bytes, 0);
}

static void test_no_memory(void **state) {
    (void)state;
    hak_bigcache_init(evict);
    fake_page_fail(FAKE_ALL, 1, FAKE_FOR_EVER);
    uint32_t refused = 0;
    for (uintptr_t i = 0; i < 20000; i++)
        refused += !hak_bigcache_put((uint32_t)i, 1, item_of(i), 1, 0, EVER);
    assert_true(refused > 0);
    assert_int_equal(hak_bigcache_stats().refused, refused);
    fake_page_fail_never();
    assert_int_equal(hak_bigcache_stats().items, 20000 - refused);
    hak_bigcache_shutdown();
    assert_int_equal(evicted_count, 20000 - refused);
    put(1, 1, 0, 0, EVER);
    assert_ptr_equal(hak_bigcache_try_get(1, 1), item_of(0));
}

/* ---- Threads --------------------------------------------------------------------------------- */

enum { THREADS = 4, THREAD_ITEMS = 64, THREAD_ROUNDS = 20000 };

static _Atomic uint8_t held[THREADS * THREAD_ITEMS]; /* by a thread, not in the cache */
static _Atomic uint32_t lost;

static void evict_shared(void *item, bool expired) {
    (void)expired;
    if (atomic_exchange(&held[(uintptr_t)item - 1], 1)) atomic_fetch_add(&lost, 1);
}

/* Puts what it holds, and takes whatever it finds: nothing is ever held twice. */
static void *exchange(void *argument) {
    struct engine_random random = {(uint64_t)(uintptr_t)argument};
    uintptr_t mine[THREADS * THREAD_ITEMS];
    size_t count = THREAD_ITEMS;
    for (size_t i = 0; i < count; i++) mine[i] = ((uintptr_t)argument - 1) * THREAD_ITEMS + i;
    for (int round = 0; round < THREAD_ROUNDS; round++) {
        uint32_t site = (uint32_t)engine_below(&random, 8);
        if (round % 1000 == 0) hak_bigcache_expire((uint32_t)round, 1);
        if (engine_below(&random, 2) && count) {
            uintptr_t number = mine[--count];
            atomic_store(&held[number], 0);
            if (hak_bigcache_put(site, 1, item_of(number), 1, (uint32_t)round, EVER)) continue;
            atomic_store(&held[number], 1);
            count++;
        } else {
            void *item = hak_bigcache_try_get(site, 1);
            if (!item) continue;
            if (atomic_exchange(&held[(uintptr_t)item - 1], 1)) atomic_fetch_add(&lost, 1);
            mine[count++] = (uintptr_t)item - 1;
        }
    }
    return NULL;
}

static void test_threads(void **state) {
    (void)state;
    pthread_t thread[THREADS];
    hak_bigcache_init(evict_shared);
    for (size_t i = 0; i < sizeof held; i++) atomic_store(&held[i], 1);
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, exchange, (void *)(i + 1)), 0);
    for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
    hak_bigcache_shutdown();
    assert_int_equal(lost, 0);
    assert_int_equal(hak_bigcache_stats().items, 0);
    for (size_t i = 0; i < sizeof held; i++) assert_int_equal(held[i], 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_empty),     ISOLATED(test_get),     ISOLATED(test_expire),
        ISOLATED(test_trim),      ISOLATED(test_give),    ISOLATED(test_growth),
        ISOLATED(test_no_memory), ISOLATED(test_threads),
    };
    return cmocka_run_group_tests_name("large/bigcache", tests, NULL, NULL);
}
