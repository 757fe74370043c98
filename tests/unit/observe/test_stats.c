/* SPDX-License-Identifier: MIT
 *
 * observe/stats.c: hak_stats_read and hak_class_stats_read, their versions, and what they count.
 */
#include "engine.h"

#include "slab/class.h"

#include <string.h>

static struct hak_stats read_stats(void) {
    struct hak_stats stats = {.version = HAK_STATS_VERSION, .size = sizeof stats};
    assert_int_equal(hak_stats_read(&stats), 0);
    assert_int_equal(stats.version, HAK_STATS_VERSION);
    assert_int_equal(stats.size, sizeof stats);
    return stats;
}

static void refused(struct hak_stats *stats) {
    errno = 0;
    assert_int_equal(hak_stats_read(stats), -1);
    assert_int_equal(errno, EINVAL);
}

static void test_version_and_size(void **state) {
    (void)state;
    struct hak_stats stats = {0};
    refused(NULL);
    refused(&stats);
    stats.size = sizeof stats;
    refused(&stats);
    stats.version = HAK_STATS_VERSION + 1;
    refused(&stats);
    stats.version = HAK_STATS_VERSION;
    stats.size = 0;
    refused(&stats);
    stats.size = 7;
    refused(&stats);
}

/* An older caller has a shorter struct: nothing behind it is written. */
static void test_older_caller(void **state) {
    (void)state;
    hak_malloc(100);
    struct hak_stats whole = read_stats();
    for (uint32_t size = 8; size <= sizeof whole + 64; size += 8) {
        unsigned char buffer[sizeof whole + 128];
        struct hak_stats *stats = (struct hak_stats *)(void *)buffer;
        memset(buffer, 0xaa, sizeof buffer);
        stats->version = 1;
        stats->size = size;
        assert_int_equal(hak_stats_read(stats), 0);
        size_t known = hak_min_size(size, sizeof whole);
        assert_int_equal(stats->version, 1);
        assert_int_equal(stats->size, known);
        assert_memory_equal(buffer + 8, (unsigned char *)&whole + 8, known - 8);
        for (size_t i = known; i < sizeof buffer; i++) assert_int_equal(buffer[i], 0xaa);
    }
}

/* Each call of the kernel, and each failure, by kind. */
static void test_system_calls(void **state) {
    (void)state;
    void *huge = hak_malloc(40 * MIB), *small = hak_malloc(100);
    hak_free(hak_realloc(huge, 41 * MIB));
    hak_free(small);
    fake_page_fail(FAKE_BIT(FAKE_PURGE), 1, 1);
    hak_collect();
    hak_collect();
    struct hak_stats stats = read_stats();
    unsigned long maps = fake_page_calls(FAKE_MAP) + fake_page_calls(FAKE_MAP_META);
    assert_int_equal(stats.os_mmap, maps);
    assert_int_equal(stats.os_munmap, fake_page_calls(FAKE_UNMAP));
    assert_int_equal(stats.os_mremap, fake_page_calls(FAKE_RESIZE) + fake_page_calls(FAKE_MOVE));
    assert_int_equal(stats.os_madvise_dontneed,
                     fake_page_calls(FAKE_PURGE) + fake_page_calls(FAKE_PURGE_META));
    assert_int_equal(stats.os_madvise_nohugepage, fake_page_calls(FAKE_ADVISE));
    assert_int_equal(stats.os_madvise_failed, 1);
    assert_int_equal(stats.os_mmap_failed | stats.os_munmap_failed, 0);
}

static void test_events(void **state) {
    (void)state;
    void *block[500];
    for (int i = 0; i < 500; i++) block[i] = hak_malloc(1000);
    hak_free(hak_malloc(2 * MIB));
    hak_free(NULL);
    for (int i = 0; i < 500; i++) hak_free(block[i]);
    hak_tiny_magazine_flush_all();
    struct hak_stats stats = read_stats();
    assert_int_equal(stats.refills, stats.refill_inbox + stats.refill_slab + stats.refill_carve +
                                        stats.refill_adopted + stats.refill_fresh +
                                        stats.refill_failed);
    assert_int_equal(stats.slabs_new, stats.refill_fresh);
    assert_int_equal(stats.slabs_empty, stats.slabs_new);
    assert_true(stats.slabs_new >= 500 / 64);
    assert_int_equal(stats.superslabs_empty, 1);
    assert_int_equal(stats.huge_allocs, 1);
    assert_int_equal(stats.huge_frees, 1);
    assert_int_equal(stats.free_null, 1);
    assert_int_equal(stats.heaps, 1);
    assert_true(stats.flushes > 0 && stats.free_flushed >= 500);
    fake_page_fail(FAKE_ALL, 1, FAKE_FOR_EVER);
    hak_collect();
    fake_page_fail_never();
}

static void test_failed_refill(void **state) {
    (void)state;
    hak_malloc(16);
    fake_page_limit(1);
    while (hak_malloc(MIB)) {
    }
    assert_true(read_stats().refill_failed > 0);
    assert_true(read_stats().os_mmap_failed > 0);
}

static void test_remote(void **state) {
    (void)state;
    static struct fake_thread other;
    void *block[64];
    for (int i = 0; i < 64; i++) block[i] = hak_malloc(100);
    struct fake_thread *first = fake_thread_switch(&other);
    for (int i = 0; i < 64; i++) hak_free(block[i]);
    fake_thread_end();
    fake_thread_switch(first);
    hak_tiny_magazine_flush_all();
    struct hak_stats stats = read_stats();
    assert_int_equal(stats.free_remote_sent, 64);
    if (!HAK_STRESS) assert_int_equal(stats.free_remote_batches, 3); /* of 28 at most */
    assert_int_equal(stats.free_remote_drained, 64);
    assert_int_equal(stats.heaps_parked, 1);
}

/* ---- Classes --------------------------------------------------------------------------------- */

static void test_class_stats(void **state) {
    (void)state;
    struct hak_class_stats stats;
    for (int i = -3; i < (int)HAK_CLASSES + 3; i++) {
        bool exists = i >= 0 && i < (int)HAK_CLASSES;
        errno = 0;
        assert_int_equal(hak_class_stats_read(i, &stats), exists ? 0 : -1);
        assert_int_equal(errno, exists ? 0 : EINVAL);
        if (!exists) continue;
        assert_int_equal(stats.block_size, hak_class_table[i + 1].block_bytes);
        assert_int_equal(stats.slab_size, hak_class_table[i + 1].units * HAK_UNIT_BYTES);
        assert_int_equal(stats.slabs | stats.blocks_live | stats.blocks_cached, 0);
    }
    assert_int_equal(hak_class_stats_read(0, NULL), -1);
    assert_int_equal(hak_class_stats_read(INT32_MIN, &stats), -1);
    assert_int_equal(hak_class_stats_read(INT32_MAX, &stats), -1);
}

static void test_class_counts(void **state) {
    (void)state;
    struct hak_class_stats stats;
    void *block[100];
    for (int i = 0; i < 100; i++) block[i] = hak_malloc(64);
    for (int i = 0; i < 40; i++) hak_free(block[i]);
    hak_class_stats_read(3, &stats);
    assert_int_equal(stats.block_size, 64);
    assert_int_equal(stats.slabs, 1);
    assert_int_equal(stats.blocks_live, 60);
    assert_true(stats.blocks_cached >= 40);
    assert_true(stats.refills > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_version_and_size), ISOLATED(test_older_caller),  ISOLATED(test_system_calls),
        ISOLATED(test_events),           ISOLATED(test_failed_refill), ISOLATED(test_remote),
        ISOLATED(test_class_stats),      ISOLATED(test_class_counts),
    };
    return cmocka_run_group_tests_name("observe/stats", tests, NULL, NULL);
}
