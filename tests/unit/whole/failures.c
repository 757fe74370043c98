/* SPDX-License-Identifier: MIT
 *
 * The kernel fails at its n-th call, for every n that a mixed workload reaches; once, or from there
 * on.  Whatever fails: no crash, NULL with ENOMEM and nothing else, contents intact, the statistics
 * add up; then, with memory again, everything works and nothing is lost (P4).
 */
#include "workload.h"

#define MAPS (FAKE_BIT(FAKE_MAP) | FAKE_BIT(FAKE_MAP_META))

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { STEPS = 400, STRIDE = 4 }; /* a fork takes them long: every fourth n */
#else
enum { STEPS = 400, STRIDE = 1 };
#endif

static struct workload work;

struct failure {
    unsigned kinds;
    unsigned long nth, count;
    bool may_lose_space; /* the target of a move that failed: see os/page.c */
    unsigned huge;       /* as in workload.h */
};

/* What the fallback heap keeps (it served a thread that had no memory for a heap of its own) may be
 * left, in one region. */
static void check_nothing_lost(bool may_lose_space) {
    struct hak_stats stats;
    hak_collect();
    engine_check_span();
    engine_check_heaps();
    engine_check_census(&stats);
    assert_int_equal(stats.live, 0);
    assert_int_equal(stats.free_dirty, 0);
    assert_in_range(stats.cached, 0, 256 * KIB);
    if (may_lose_space) return;
    assert_in_range(stats.waste, 0, MIB);
    assert_in_range(fake_page_mapped(HAK_PAGE_HEAP), 0, stats.cached ? 128 * MIB : 0);
}

/* Exits with 0, or 2 if no call failed: n is beyond the last one. */
static int run(const struct failure *failure) {
    workload_start(&work, 100, 45 * MIB);
    work.may_fail = true;
    work.rare = 12;
    work.huge = failure->huge;
    fake_page_fail(failure->kinds, failure->nth, failure->count);
    for (int step = 0; step < STEPS; step++) workload_step(&work);
    workload_check(&work);
    unsigned long failures = fake_page_failures();
    fake_page_fail_never();
    work.may_fail = false;
    for (int step = 0; step < STEPS / 2; step++) workload_step(&work);
    workload_check(&work);
    workload_end(&work);
    check_nothing_lost(failure->may_lose_space);
    return failures ? 0 : 2;
}

static void every(unsigned kinds, unsigned long count, bool may_lose_space, unsigned huge) {
    for (unsigned long nth = 1;; nth += STRIDE) {
        struct failure failure = {kinds, nth, count, may_lose_space, huge};
        int status = -1;
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) _exit(run(&failure)); /* an assertion ends as a test that failed does */
        assert_int_equal(waitpid(child, &status, 0), child);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 2) {
            print_message("less than %lu calls\n", nth);
            assert_true(nth > 1);
            return;
        }
        if (status != 0) fail_msg("call %lu: wait status 0x%x", nth, (unsigned)status);
    }
}

static void test_map_fails_once(void **state) {
    (void)state;
    every(MAPS, 1, false, 12);
}

static void test_map_fails_for_ever(void **state) {
    (void)state;
    every(MAPS, FAKE_FOR_EVER, false, 12);
}

static void test_unmap_fails_once(void **state) {
    (void)state;
    every(FAKE_BIT(FAKE_UNMAP), 1, false, 12);
}

static void test_unmap_fails_for_ever(void **state) {
    (void)state;
    every(FAKE_BIT(FAKE_UNMAP), FAKE_FOR_EVER, false, 12);
}

static void test_purge_fails_once(void **state) {
    (void)state;
    every(FAKE_BIT(FAKE_PURGE), 1, false, 12);
}

static void test_purge_fails_for_ever(void **state) {
    (void)state;
    every(FAKE_BIT(FAKE_PURGE), FAKE_FOR_EVER, false, 12);
}

static void test_remap_fails(void **state) {
    (void)state;
    every(FAKE_BIT(FAKE_RESIZE) | FAKE_BIT(FAKE_MOVE), 1, true, 2);
    every(FAKE_BIT(FAKE_RESIZE) | FAKE_BIT(FAKE_MOVE), FAKE_FOR_EVER, true, 2);
}

static void test_anything_fails_for_ever(void **state) {
    (void)state;
    every(FAKE_ALL, FAKE_FOR_EVER, true, 12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_map_fails_once),   ISOLATED(test_map_fails_for_ever),
        ISOLATED(test_unmap_fails_once), ISOLATED(test_unmap_fails_for_ever),
        ISOLATED(test_purge_fails_once), ISOLATED(test_purge_fails_for_ever),
        ISOLATED(test_remap_fails),      ISOLATED(test_anything_fails_for_ever),
    };
    return cmocka_run_group_tests_name("whole/failures", tests, NULL, NULL);
}
