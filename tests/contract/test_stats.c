/* SPDX-License-Identifier: MIT
 *
 * hak_stats_read: the versioned struct, and the sum that must be exact while nobody else allocates:
 *   mapped = live + cached + free_dirty + purged + metadata + waste
 * Nothing between the readings may allocate, so there is no printing there.
 */
#include "family.h"
#include "hakmem.h"
#include "memory.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

static struct hak_stats read_stats(void) {
    struct hak_stats stats = {.version = HAK_STATS_VERSION, .size = sizeof(stats)};
    assert_int_equal(hak_stats_read(&stats), 0);
    return stats;
}

/* Reads, and checks the sum. */
static struct hak_stats read_exact(const char *when) {
    struct hak_stats s = read_stats();
    uint64_t sum = s.live + s.cached + s.free_dirty + s.purged + s.metadata + s.waste;
    if (sum != s.mapped)
        print_error(
            "%s: mapped %llu, but live %llu + cached %llu + free_dirty %llu + purged %llu + "
            "metadata %llu + waste %llu = %llu\n",
            when, (unsigned long long)s.mapped, (unsigned long long)s.live,
            (unsigned long long)s.cached, (unsigned long long)s.free_dirty,
            (unsigned long long)s.purged, (unsigned long long)s.metadata,
            (unsigned long long)s.waste, (unsigned long long)sum);
    assert_int_equal(sum, s.mapped);
    return s;
}

static void test_version_and_size(void **state) {
    (void)state;
    struct hak_stats stats;
    static const struct {
        uint32_t version, size;
    } bad[] = {{0, sizeof(stats)}, {HAK_STATS_VERSION, 0}, {0, 0}, {99, sizeof(stats)}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        memset(&stats, 0xAB, sizeof(stats));
        stats.version = bad[i].version;
        stats.size = bad[i].size;
        errno = 0;
        assert_int_equal(hak_stats_read(&stats), -1);
        assert_int_equal(errno, EINVAL);
    }
}

/* A caller that was compiled when the struct was shorter: nothing behind its end is written. */
static void test_an_older_caller(void **state) {
    (void)state;
    struct hak_stats stats;
    memset(&stats, 0xAB, sizeof(stats));
    stats.version = HAK_STATS_VERSION;
    stats.size = offsetof(struct hak_stats, refills);
    void *block = hak_malloc(100);
    assert_int_equal(hak_stats_read(&stats), 0);
    hak_free(block);
    assert_int_equal(stats.version, HAK_STATS_VERSION);
    assert_true(stats.mapped != 0 && stats.mapped != 0xABABABABABABABABu);
    const unsigned char *bytes = (const unsigned char *)&stats;
    for (size_t i = offsetof(struct hak_stats, refills); i < sizeof(stats); i++)
        assert_int_equal(bytes[i], 0xAB);
}

static void test_reading_keeps_errno_and_allocates_nothing(void **state) {
    (void)state;
    hak_free(hak_malloc(100));
    struct hak_stats a = read_exact("first reading");
    errno = 1234;
    struct hak_stats b = read_exact("second reading");
    assert_int_equal(errno, 1234);
    assert_memory_equal(&a, &b, sizeof(a));
}

/* live is the sum of the usable sizes of what the program holds, to the byte. */
static void test_live_is_exact(void **state) {
    (void)state;
    enum { COUNT = 1000 };
    static void *blocks[COUNT];
    struct hak_stats before = read_exact("before");
    uint64_t held = 0;
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = hak_malloc(family_sizes[i * 7 % family_size_count] % 300000);
        assert_non_null(blocks[i]);
        held += hak_usable_size(blocks[i]);
    }
    struct hak_stats during = read_exact("with 1000 blocks");
    assert_int_equal(during.live - before.live, held);
    for (size_t i = 0; i < COUNT; i++) {
        hak_free(blocks[i]);
        if (i == COUNT / 2) (void)read_exact("half freed");
    }
    struct hak_stats after = read_exact("freed");
    assert_int_equal(after.live, before.live);
}

static void test_sum_after_mixed_work(void **state) {
    (void)state;
    enum { SLOTS = 3000, STEPS = 120000 };
    static void *blocks[SLOTS];
    uint64_t random = 77;
    for (size_t step = 0; step < STEPS; step++) {
        size_t slot = random_next(&random) % SLOTS;
        uint64_t draw = random_next(&random);
        size_t size = (size_t)(draw >> 20) % ((size_t)32 << (draw % 12));
        switch (draw % 17) {
        case 0:
            blocks[slot] = hak_realloc(blocks[slot], size + 1);
            assert_non_null(blocks[slot]);
            break;
        case 1:
            hak_free(blocks[slot]);
            blocks[slot] = hak_memalign((size_t)16 << (draw % 9), size);
            break;
        default:
            hak_free(blocks[slot]);
            blocks[slot] = draw >> 62 ? hak_malloc(size) : NULL;
        }
        if (step % 10000 == 0) (void)read_exact("during mixed work");
    }
    for (size_t slot = 0; slot < SLOTS; slot++) hak_free(blocks[slot]);
    (void)read_exact("after mixed work");
    (void)hak_collect();
    (void)read_exact("after hak_collect");
}

static void test_sum_with_huge_blocks(void **state) {
    (void)state;
    enum { COUNT = 24 };
    void *blocks[COUNT];
    struct hak_stats before = read_exact("before");
    uint64_t held = 0;
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = i % 4 == 3 ? hak_memalign((size_t)8 << 20, (size_t)5 << 20)
                               : hak_malloc(((size_t)1 << 20) + 1 + i * 777777);
        assert_non_null(blocks[i]);
        memset(blocks[i], 1, 100000);
        held += hak_usable_size(blocks[i]);
    }
    struct hak_stats during = read_exact("with huge blocks");
    assert_int_equal(during.live - before.live, held);
    assert_int_equal(during.huge_allocs - before.huge_allocs, COUNT);
    for (size_t i = 0; i < COUNT; i += 2) {
        blocks[i] = hak_realloc(blocks[i], (size_t)9 << 20);
        assert_non_null(blocks[i]);
    }
    (void)read_exact("huge blocks grown");
    for (size_t i = 0; i < COUNT; i += 2) {
        blocks[i] = hak_realloc(blocks[i], (size_t)1200 << 10);
        assert_non_null(blocks[i]);
    }
    (void)read_exact("huge blocks shrunk");
    for (size_t i = 0; i < COUNT; i++) hak_free(blocks[i]);
    struct hak_stats after = read_exact("huge blocks freed");
    assert_int_equal(after.live, before.live);
    assert_int_equal(after.huge_frees - before.huge_frees, after.huge_allocs - before.huge_allocs);
    (void)hak_collect();
    (void)read_exact("after hak_collect");
}

enum { HANDED = 6000 };
static void *handed[HANDED];

static void *free_handed(void *unused) {
    (void)unused;
    for (size_t i = 0; i < HANDED; i++) hak_free(handed[i]);
    return NULL;
}

static void *allocate_and_leave(void *unused) {
    (void)unused;
    for (size_t i = 0; i < HANDED; i++) handed[i] = hak_malloc(i % 2000);
    return NULL;
}

static void run_thread(void *(*function)(void *)) {
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, function, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* Outboxes, inboxes and parked heaps are part of the sum; where malloc is hakmem too, the thread's
 * own control block may stay live with its stack, hence the allowance. */
static void test_blocks_freed_by_another_thread(void **state) {
    (void)state;
    struct hak_stats before = read_exact("before");
    for (size_t i = 0; i < HANDED; i++) assert_non_null(handed[i] = hak_malloc(i % 2000));
    run_thread(free_handed);
    struct hak_stats after = read_exact("freed by another thread, now ended");
    assert_true(after.live < before.live + 8192);
    assert_true(after.free_remote_sent - before.free_remote_sent >= HANDED / 2);
    for (size_t i = 0; i < HANDED; i++) assert_non_null(handed[i] = hak_malloc(i % 2000));
    struct hak_stats reused = read_exact("allocated again");
    assert_true(reused.free_remote_drained > before.free_remote_drained);
    (void)free_handed(NULL);
    (void)read_exact("freed again");
}

static void test_blocks_left_by_an_ended_thread(void **state) {
    (void)state;
    struct hak_stats before = read_exact("before");
    run_thread(allocate_and_leave);
    uint64_t held = 0;
    for (size_t i = 0; i < HANDED; i++) {
        assert_non_null(handed[i]);
        held += hak_usable_size(handed[i]);
    }
    struct hak_stats during = read_exact("thread ended, its blocks live");
    assert_in_range(during.live, before.live + held, before.live + held + 8192);
    (void)free_handed(NULL);
    struct hak_stats after = read_exact("blocks of the ended thread freed");
    assert_true(after.live < before.live + 8192);
    (void)hak_collect();
    (void)read_exact("after hak_collect");
}

static void test_sum_with_first_class_heaps(void **state) {
    (void)state;
    struct hak_stats before = read_exact("before");
    struct hak_heap *heap = hak_heap_new();
    assert_non_null(heap);
    uint64_t held = 0;
    for (size_t i = 0; i < 2000; i++) {
        void *block = hak_heap_malloc(heap, i % 400 == 0 ? (size_t)2 << 20 : i);
        assert_non_null(block);
        held += hak_usable_size(block);
    }
    struct hak_stats during = read_exact("with a first-class heap");
    assert_int_equal(during.live - before.live, held);
    hak_heap_destroy(heap);
    struct hak_stats after = read_exact("after hak_heap_destroy");
    assert_int_equal(after.live, before.live);
}

/* Memory that only ever came and went must not be in use, and the system must get it back. */
static void test_collect_gives_memory_back(void **state) {
    (void)state;
    enum { COUNT = 128 << 10, SIZE = 500 };
    static void *blocks[COUNT];
    (void)hak_collect();
    size_t before = memory_resident();
    struct hak_stats at_start = read_exact("before");
    for (size_t i = 0; i < COUNT; i++) {
        assert_non_null(blocks[i] = hak_malloc(SIZE));
        memset(blocks[i], 1, SIZE);
    }
    size_t peak = memory_resident();
    for (size_t i = 0; i < COUNT; i++) hak_free(blocks[i]);
    size_t given_back = hak_collect();
    struct hak_stats stats = read_exact("after hak_collect");
    size_t after = memory_resident();
    print_message("resident: %zu KiB before, %zu KiB at the peak, %zu KiB after hak_collect\n",
                  before >> 10, peak >> 10, after >> 10);
    assert_true(peak - before > (size_t)50 << 20);
#if !defined(__SANITIZE_THREAD__) /* whose shadow of the blocks stays resident */
    assert_true(after < before + ((size_t)2 << 20));
#endif
    /* What a short purge delay gave back before the call is in purged_bytes as well. */
    assert_true(stats.purged_bytes - at_start.purged_bytes > (uint64_t)48 << 20);
    assert_true(given_back <= stats.purged_bytes - at_start.purged_bytes);
    size_t again = hak_collect();
    assert_true(again < (size_t)1 << 20);
}

int main(void) {
    hak_option_set("background", "off"); /* the figures are exact while nobody else works */
    family_open();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_and_size),
        cmocka_unit_test(test_an_older_caller),
        cmocka_unit_test(test_reading_keeps_errno_and_allocates_nothing),
        cmocka_unit_test(test_live_is_exact),
        cmocka_unit_test(test_sum_after_mixed_work),
        cmocka_unit_test(test_sum_with_huge_blocks),
        cmocka_unit_test(test_blocks_freed_by_another_thread),
        cmocka_unit_test(test_blocks_left_by_an_ended_thread),
        cmocka_unit_test(test_sum_with_first_class_heaps),
        cmocka_unit_test(test_collect_gives_memory_back),
    };
    return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
