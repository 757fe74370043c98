/* SPDX-License-Identifier: MIT
 *
 * The kernel fails at its n-th call, for every n that a mixed workload reaches; once, or from there
 * on.  Whatever fails: no crash, NULL with ENOMEM and nothing else, contents intact, the statistics
 * add up; then, with memory again, everything works and nothing is lost (P4).
 */
#include "workload.h"

#define MAPS (FAKE_BIT(FAKE_MAP) | FAKE_BIT(FAKE_MAP_META))

enum { STEPS = 350 };

static struct workload work;

struct failure {
    unsigned kinds;
    unsigned long nth, count;
    bool may_lose_space; /* the target of a move that failed: see os/page.c */
};

/* Exits with 0, or 2 if no call failed: n is beyond the last one. */
static int run(const struct failure *failure) {
    workload_start(&work, 100 + failure->nth % 7, 45 * MIB);
    work.may_fail = true;
    fake_page_fail(failure->kinds, failure->nth, failure->count);
    for (int step = 0; step < STEPS; step++) workload_step(&work);
    workload_check(&work);
    unsigned long failures = fake_page_failures();
    fake_page_fail_never();
    work.may_fail = false;
    for (int step = 0; step < STEPS / 2; step++) workload_step(&work);
    workload_check(&work);
    workload_end(&work);
    if (failure->may_lose_space) {
        hak_collect();
        engine_check_census(NULL);
    } else {
        engine_check_empty();
    }
    return failures ? 0 : 2;
}

static void every(unsigned kinds, unsigned long count, bool may_lose_space) {
    for (unsigned long nth = 1;; nth++) {
        struct failure failure = {kinds, nth, count, may_lose_space};
        int status = -1;
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) _exit(run(&failure)); /* an assertion ends as a test that failed does */
        assert_int_equal(waitpid(child, &status, 0), child);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 2) {
            print_message("%lu calls\n", nth - 1);
            assert_true(nth > 7); /* seven workloads, each reached */
            return;
        }
        if (status != 0) fail_msg("call %lu: wait status 0x%x", nth, (unsigned)status);
    }
}

static void test_map_fails_once(void **state) {
    (void)state;
    every(MAPS, 1, false);
}

static void test_map_fails_for_ever(void **state) {
    (void)state;
    every(MAPS, FAKE_FOR_EVER, false);
}

static void test_unmap_fails_once(void **state) {
    (void)state;
    every(FAKE_BIT(FAKE_UNMAP), 1, false);
}

static void test_unmap_fails_for_ever(void **state) {
    (void)state;
    every(FAKE_BIT(FAKE_UNMAP), FAKE_FOR_EVER, false);
}

static void test_purge_fails_once(void **state) {
    (void)state;
    every(FAKE_BIT(FAKE_PURGE), 1, false);
}

static void test_purge_fails_for_ever(void **state) {
    (void)state;
    every(FAKE_BIT(FAKE_PURGE), FAKE_FOR_EVER, false);
}

static void test_remap_fails(void **state) {
    (void)state;
    every(FAKE_BIT(FAKE_RESIZE) | FAKE_BIT(FAKE_MOVE), 1, true);
    every(FAKE_BIT(FAKE_RESIZE) | FAKE_BIT(FAKE_MOVE), FAKE_FOR_EVER, true);
}

static void test_anything_fails_for_ever(void **state) {
    (void)state;
    every(FAKE_ALL, FAKE_FOR_EVER, true);
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
