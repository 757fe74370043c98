/* SPDX-License-Identifier: MIT
 *
 * observe/mallinfo.c: glibc's questions, in hakmem's terms.
 */
#include "engine.h"

#include "config/option.h"

#include <string.h>

static void test_mallinfo2(void **state) {
    (void)state;
    struct hak_mallinfo info = hak_mallinfo2();
    assert_int_equal(info.uordblks | info.fordblks | info.hblks, 0);
    void *block[100];
    for (int i = 0; i < 100; i++) block[i] = hak_malloc(100);
    void *huge = hak_malloc(3 * MIB);
    info = hak_mallinfo2();
    struct hak_stats stats;
    engine_check_census(&stats);
    assert_int_equal(info.uordblks, 100 * 112 + 3 * MIB);
    assert_int_equal(info.uordblks, stats.live);
    assert_int_equal(info.fordblks, stats.cached + stats.free_dirty);
    assert_int_equal(info.hblks, 1);
    assert_int_equal(info.hblkhd, 3 * MIB);
    assert_int_equal(info.arena + info.hblkhd, stats.mapped - stats.metadata);
    for (int i = 0; i < 100; i++) hak_free(block[i]);
    hak_free(huge);
    info = hak_mallinfo2();
    assert_int_equal(info.uordblks, 0);
    assert_int_equal(info.hblks, 0);
    if (!HAK_STRESS) assert_true(info.ordblks + info.smblks >= 100); /* else: slabs are gone */
    assert_int_equal(info.fsmblks, info.smblks * 112);
    assert_true(info.keepcost >= 3 * MIB);
    assert_int_equal(hak_malloc_trim(0), 1);
    assert_int_equal(hak_mallinfo2().keepcost, 0);
}

static void test_malloc_info(void **state) {
    (void)state;
    char text[8192];
    FILE *stream = fmemopen(text, sizeof text, "w");
    hak_malloc(100);
    assert_int_equal(hak_malloc_info(0, stream), 0);
    fclose(stream);
    assert_ptr_equal(strstr(text, "<malloc version="), text);
    assert_non_null(strstr(text, "<size from=\"97\" to=\"112\""));
    assert_non_null(strstr(text, "</malloc>\n"));
    errno = 0;
    assert_int_equal(hak_malloc_info(1, stdout), -1);
    assert_int_equal(errno, EINVAL);
}

static void check_option(const char *name, const char *expected) {
    char value[64];
    assert_int_equal(hak_option_get(name, value, sizeof value), 0);
    assert_string_equal(value, expected);
}

static void test_mallopt(void **state) {
    (void)state;
    enum {
        MXFAST = 1,
        NLBLKS = 2,
        TRIM_THRESHOLD = -1,
        TOP_PAD = -2,
        MMAP_THRESHOLD = -3,
        MMAP_MAX = -4,
        CHECK_ACTION = -5,
        PERTURB = -6,
        ARENA_MAX = -8
    };
    static const int ignored[] = {NLBLKS,    TOP_PAD, MMAP_THRESHOLD, MMAP_MAX, PERTURB,
                                  ARENA_MAX, 99};
    for (size_t i = 0; i < UNIT_COUNT(ignored); i++)
        assert_int_equal(hak_mallopt(ignored[i], 1), 1);
    assert_int_equal(hak_mallopt(MXFAST, 64), 1);
    assert_int_equal(hak_mallopt(MXFAST, -1), 0);
    assert_int_equal(hak_mallopt(MXFAST, 1 << 20), 0);
    hak_mallopt(CHECK_ACTION, 1);
    check_option("on_error", "report");
    hak_mallopt(CHECK_ACTION, 3);
    check_option("on_error", "abort");
    hak_mallopt(TRIM_THRESHOLD, 1 << 20);
    check_option("purge_delay_ms", "1000");
    hak_mallopt(TRIM_THRESHOLD, -1);
    check_option("purge_delay_ms", "-1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_mallinfo2),
        ISOLATED(test_malloc_info),
        ISOLATED(test_mallopt),
    };
    return cmocka_run_group_tests_name("observe/mallinfo", tests, NULL, NULL);
}
