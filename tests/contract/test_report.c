/* SPDX-License-Identifier: MIT
 *
 * mallinfo, mallinfo2, malloc_info, malloc_stats, malloc_trim, mallopt.  Whether what malloc_info
 * prints is well-formed XML is check_print.py's, with an XML parser.
 */
#include "family.h"

#include <malloc.h>
#include <string.h>
#include <unistd.h>

/* Small, medium and huge blocks of 30 MB together: the sum in use must
 * rise and fall by about that. */
static void test_bytes_in_use(void **state) {
    (void)state;
    enum { EACH = 10000000 };
    static void *small[EACH / 100], *medium[EACH / 10000], *huge[EACH / 5000000];
    size_t before = family->bytes_in_use();
    for (size_t i = 0; i < sizeof(small) / sizeof(small[0]); i++)
        assert_non_null(small[i] = family->malloc(100));
    for (size_t i = 0; i < sizeof(medium) / sizeof(medium[0]); i++)
        assert_non_null(medium[i] = family->malloc(10000));
    for (size_t i = 0; i < sizeof(huge) / sizeof(huge[0]); i++)
        assert_non_null(huge[i] = family->malloc(5000000));
    size_t during = family->bytes_in_use();
    assert_in_range(during - before, 3 * EACH, 4 * EACH + EACH / 2);
    for (size_t i = 0; i < sizeof(small) / sizeof(small[0]); i++) family->free(small[i]);
    for (size_t i = 0; i < sizeof(medium) / sizeof(medium[0]); i++) family->free(medium[i]);
    for (size_t i = 0; i < sizeof(huge) / sizeof(huge[0]); i++) family->free(huge[i]);
    size_t after = family->bytes_in_use();
    print_message("in use: %zu before, %zu during, %zu after\n", before, during, after);
    assert_true(after < before + EACH / 10);
}

/* mallinfo's ints wrap above 2 GiB; below, they are mallinfo2's. */
static void test_mallinfo_agrees_with_mallinfo2(void **state) {
    (void)state;
    if (strcmp(family->name, "libc") != 0) skip();
    void *block = malloc(5000000);
    assert_non_null(block);
    struct mallinfo2 wide = mallinfo2();
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    struct mallinfo narrow = mallinfo();
#pragma GCC diagnostic pop
    assert_int_equal(narrow.arena, wide.arena);
    assert_int_equal(narrow.hblks, wide.hblks);
    assert_int_equal(narrow.hblkhd, wide.hblkhd);
    assert_int_equal(narrow.uordblks, wide.uordblks);
    assert_int_equal(narrow.fordblks, wide.fordblks);
    free(block);
}

static void test_malloc_info(void **state) {
    (void)state;
    FILE *stream = tmpfile();
    assert_non_null(stream);
    assert_int_equal(family->malloc_info(0, stream), 0);
    assert_true(ftell(stream) > 20);
    assert_int_not_equal(family->malloc_info(1, stream), 0); /* no options are defined */
    fclose(stream);
}

static void test_malloc_stats_writes_to_stderr(void **state) {
    (void)state;
    FILE *stream = tmpfile();
    assert_non_null(stream);
    fflush(stderr);
    int saved = dup(STDERR_FILENO);
    assert_int_equal(dup2(fileno(stream), STDERR_FILENO), STDERR_FILENO);
    family->malloc_stats();
    fflush(stderr);
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    close(saved);
    assert_true(lseek(fileno(stream), 0, SEEK_END) > 20);
    fclose(stream);
}

static void test_malloc_trim_answers_0_or_1(void **state) {
    (void)state;
    for (int round = 0; round < 3; round++) {
        void *block = family->malloc((size_t)3 << 20);
        assert_non_null(block);
        memset(block, 1, (size_t)3 << 20);
        family->free(block);
        assert_in_range(family->malloc_trim(0), 0, 1);
        assert_in_range(family->malloc_trim((size_t)1 << 20), 0, 1);
        assert_in_range(family->malloc_trim(SIZE_MAX), 0, 1);
    }
}

/* Last, because glibc then behaves accordingly: every documented parameter is accepted, and the
 * allocator still works. */
static void test_mallopt_accepts_every_parameter(void **state) {
    (void)state;
    static const struct {
        int param, value;
    } rows[] = {{M_MXFAST, 64},       {M_TRIM_THRESHOLD, 1 << 20},
                {M_TOP_PAD, 1 << 16}, {M_MMAP_THRESHOLD, 1 << 20},
                {M_MMAP_MAX, 1000},   {M_CHECK_ACTION, 3},
                {M_PERTURB, 0},       {M_ARENA_TEST, 2},
                {M_ARENA_MAX, 4}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(family->mallopt(rows[i].param, rows[i].value), 1);
    (void)family->mallopt(12345, 1); /* unknown: either answer */
    void *block = family->malloc(1000);
    assert_non_null(block);
    family->free(block);
}

int main(void) {
    family_open();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_in_use),
        cmocka_unit_test(test_mallinfo_agrees_with_mallinfo2),
        cmocka_unit_test(test_malloc_info),
        cmocka_unit_test(test_malloc_stats_writes_to_stderr),
        cmocka_unit_test(test_malloc_trim_answers_0_or_1),
        cmocka_unit_test(test_mallopt_accepts_every_parameter),
    };
    return cmocka_run_group_tests_name(family->name, tests, NULL, NULL);
}
