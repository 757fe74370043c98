/* SPDX-License-Identifier: MIT
 *
 * Thousands of random operations of every kind, in several simulated threads, one at a time: after
 * each few of them all blocks have their contents, all invariants hold, and the statistics add up
 * exactly.  At the end nothing is left.
 */
#include "workload.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STEPS 6000
#else
#define STEPS 12000
#endif

static struct workload work;

static void run(uint64_t seed, size_t most) {
    fake_page_reuse(seed % 2);
    workload_start(&work, seed, most);
    for (int step = 0; step < STEPS; step++) {
        workload_step(&work);
        if (step % 300 == 0) workload_check(&work);
    }
    workload_check(&work);
    workload_end(&work);
    engine_check_empty();
}

static void test_fast(void **state) {
    (void)state;
    engine_mode("fast");
    run(1, 45 * MIB);
}

static void test_checked(void **state) {
    (void)state;
    engine_mode("checked");
    run(2, 45 * MIB);
}

static void test_small(void **state) {
    (void)state;
    run(3, 2000);
}

static void test_large(void **state) {
    (void)state;
    run(4, MIB);
}

static void test_pages_of_16_kib(void **state) {
    (void)state;
    fake_page_size(16 * KIB);
    run(5, 45 * MIB);
}

static void test_pages_of_64_kib(void **state) {
    (void)state;
    fake_page_size(64 * KIB);
    run(6, 45 * MIB);
}

static void test_purge_at_once(void **state) {
    (void)state;
    hak_option_set("purge_delay_ms", "0");
    run(7, 5 * MIB);
}

static void test_small_magazines(void **state) {
    (void)state;
    hak_option_set("magazine_blocks", "1");
    run(8, 10000);
}

/* Little memory: every size is short now and then, and all of it comes back. */
static void test_limited_memory(void **state) {
    (void)state;
    fake_page_limit(60 * MIB);
    work.may_fail = true;
    workload_start(&work, 9, 8 * MIB);
    for (int round = 0; round < 5; round++) {
        work.may_fail = true;
        for (int step = 0; step < STEPS / 5; step++) workload_step(&work);
        workload_check(&work);
    }
    assert_true(work.failed > 0);
    workload_end(&work);
    engine_check_empty();
}

/* Purges and unmappings that fail now and then cost memory for a while, and nothing else. */
static void test_failing_purges(void **state) {
    (void)state;
    workload_start(&work, 10, 20 * MIB);
    for (int round = 0; round < 50; round++) {
        fake_page_fail(FAKE_BIT(FAKE_PURGE) | FAKE_BIT(FAKE_ADVISE), 1 + (unsigned)round % 4, 3);
        for (int step = 0; step < STEPS / 50; step++) workload_step(&work);
        workload_check(&work);
    }
    fake_page_fail_never();
    workload_end(&work);
    engine_check_empty();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_fast),
        ISOLATED(test_checked),
        ISOLATED(test_small),
        ISOLATED(test_large),
        ISOLATED(test_pages_of_16_kib),
        ISOLATED(test_pages_of_64_kib),
        ISOLATED(test_purge_at_once),
        ISOLATED(test_small_magazines),
        ISOLATED(test_limited_memory),
        ISOLATED(test_failing_purges),
    };
    return cmocka_run_group_tests_name("whole/random_ops", tests, NULL, NULL);
}
