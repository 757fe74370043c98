/* SPDX-License-Identifier: MIT
 *
 * os/page.c on the real kernel: what the fake one promises is true of it.
 */
#include "isolate.h"

#include "base/counter.h"
#include "os/page.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define MIB ((size_t)1 << 20)

static uint64_t read_count(const hak_count_t *count) {
    return hak_counter_read(count);
}

static bool is_mapped(const void *start, size_t bytes) {
    unsigned char resident[4096];
    assert_true(bytes / hak_page_bytes() <= sizeof resident);
    return mincore((void *)(uintptr_t)start, bytes, resident) == 0;
}

static bool is_zero(const char *start, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        if (start[i]) return false;
    }
    return true;
}

static void test_page_size(void **state) {
    (void)state;
    assert_int_equal(hak_page_bytes(), sysconf(_SC_PAGESIZE));
}

static void test_map_aligned(void **state) {
    (void)state;
    for (size_t alignment = hak_page_bytes(); alignment <= 64 * MIB; alignment *= 2) {
        size_t bytes = 3 * hak_page_bytes();
        char *start = hak_page_map(bytes, alignment, HAK_PAGE_HEAP);
        assert_non_null(start);
        assert_int_equal((uintptr_t)start % alignment, 0);
        assert_true(is_zero(start, bytes));
        memset(start, 0xff, bytes);
        assert_true(is_mapped(start, bytes));
        assert_true(hak_page_unmap(start, bytes, HAK_PAGE_HEAP));
        assert_false(is_mapped(start, bytes));
    }
    assert_int_equal(read_count(&hak_counters.mapped_bytes), 0);
}

/* Large aligned mappings lie next to each other, so that the kernel joins them. */
static void test_mappings_touch(void **state) {
    (void)state;
    if (unit_emulated()) skip(); /* it chooses the places of mappings in its own way */
    char *last = hak_page_map(2 * MIB, 2 * MIB, HAK_PAGE_HEAP);
    int apart = 0;
    for (int i = 0; i < 20; i++) {
        char *next = hak_page_map(2 * MIB, 2 * MIB, HAK_PAGE_HEAP);
        apart += next + 2 * MIB != last;
        last = next;
    }
    assert_true(apart <= 2); /* something of libc's may lie between */
}

static void test_counts(void **state) {
    (void)state;
    char *heap = hak_page_map(MIB, hak_page_bytes(), HAK_PAGE_HEAP);
    char *meta = hak_page_map(MIB, hak_page_bytes(), HAK_PAGE_META);
    assert_int_equal(read_count(&hak_counters.mapped_bytes), 2 * MIB);
    assert_int_equal(read_count(&hak_counters.metadata_bytes), MIB);
    assert_true(hak_page_unmap(heap + MIB / 2, MIB / 2, HAK_PAGE_HEAP)); /* a part */
    assert_int_equal(read_count(&hak_counters.mapped_bytes), MIB + MIB / 2);
    assert_true(hak_page_unmap(meta, MIB, HAK_PAGE_META));
    assert_int_equal(read_count(&hak_counters.metadata_bytes), 0);
    assert_true(read_count(&hak_counters.os_mmap) >= 2);
    assert_int_equal(read_count(&hak_counters.os_munmap), 2);
    assert_int_equal(read_count(&hak_counters.os_mmap_failed), 0);
}

static void test_purge(void **state) {
    (void)state;
    size_t page = hak_page_bytes();
    char *start = hak_page_map(8 * page, page, HAK_PAGE_HEAP);
    memset(start, 0xff, 8 * page);
    assert_true(hak_page_purge(start + 2 * page, 3 * page, HAK_PAGE_HEAP));
    assert_true(is_zero(start + 2 * page, 3 * page));
    assert_int_equal(start[2 * page - 1] & start[5 * page] & 0xff, 0xff);
    assert_int_equal(read_count(&hak_counters.os_madvise_dontneed), 1);
    assert_int_equal(read_count(&hak_counters.purged_bytes), 3 * page);
    assert_true(hak_page_unmap(start, 8 * page, HAK_PAGE_HEAP));
    if (unit_emulated()) return;                              /* its madvise always works */
    assert_false(hak_page_purge(start, page, HAK_PAGE_HEAP)); /* nothing there */
    assert_int_equal(read_count(&hak_counters.os_madvise_failed), 1);
}

static void test_resize(void **state) {
    (void)state;
    char *start = hak_page_map(MIB, MIB, HAK_PAGE_HEAP);
    memset(start, 0x11, MIB);
    assert_true(hak_page_resize(start, MIB, MIB / 2));
    assert_false(is_mapped(start + MIB / 2, MIB / 2));
    assert_int_equal(read_count(&hak_counters.mapped_bytes), MIB / 2);
    assert_true(hak_page_resize(start, MIB / 2, MIB)); /* the place is free */
    assert_true(is_zero(start + MIB / 2, MIB / 2));
    assert_int_equal(start[MIB / 2 - 1], 0x11);
    /* something in the way: it fails, and nothing has changed */
    char *wall = mmap(start + MIB, hak_page_bytes(), PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    assert_true(wall != NULL);
    assert_false(hak_page_resize(start, MIB, 2 * MIB));
    assert_int_equal(read_count(&hak_counters.mapped_bytes), MIB);
    assert_int_equal(read_count(&hak_counters.os_mremap), 3);
    assert_int_equal(read_count(&hak_counters.os_mremap_failed), 1);
}

static void test_move(void **state) {
    (void)state;
    char *from = hak_page_map(MIB, MIB, HAK_PAGE_HEAP),
         *to = hak_page_map(4 * MIB, MIB, HAK_PAGE_HEAP);
    memset(from, 0x22, MIB);
    memset(to, 0x33, 4 * MIB);
    assert_int_equal(hak_page_move(from, MIB, to, 4 * MIB, false), HAK_PAGE_MOVED);
    assert_int_equal(to[0] & to[MIB - 1], 0x22);
    assert_true(is_zero(to + MIB, 3 * MIB));
    assert_false(is_mapped(from, MIB));
    assert_int_equal(read_count(&hak_counters.mapped_bytes), 4 * MIB);
}

static void test_move_and_keep(void **state) {
    (void)state;
    char *from = hak_page_map(4 * MIB, MIB, HAK_PAGE_HEAP),
         *to = hak_page_map(8 * MIB, MIB, HAK_PAGE_HEAP);
    memset(from, 0x22, 4 * MIB);
    enum hak_page_moved moved = hak_page_move(from + MIB, MIB, to, MIB, true);
    if (moved == HAK_PAGE_REFUSED) skip(); /* before Linux 5.7, or emulated */
    assert_int_equal(moved, HAK_PAGE_MOVED);
    assert_int_equal(to[0] & to[MIB - 1], 0x22);
    assert_true(is_zero(to + MIB, MIB));
    assert_true(is_zero(from + MIB, MIB));
    memset(from, 0x44, 4 * MIB); /* still ours, and writable */
    assert_int_equal(to[5], 0x22);
    assert_int_equal(read_count(&hak_counters.mapped_bytes), 12 * MIB);
}

/* No call of the kernel touches errno, whether it works or not (P3, P4). */
static void test_no_memory(void **state) {
    (void)state;
    char *start = hak_page_map(MIB, MIB, HAK_PAGE_HEAP);
    uint64_t mapped = read_count(&hak_counters.mapped_bytes);
    errno = 77;
    assert_null(hak_page_map((size_t)1 << 60, hak_page_bytes(), HAK_PAGE_HEAP));
    assert_null(hak_page_map(MIB, (size_t)1 << 62, HAK_PAGE_HEAP));
    assert_null(hak_page_map(SIZE_MAX & ~(MIB - 1), 2 * MIB, HAK_PAGE_HEAP));
    assert_false(hak_page_resize(start, MIB, (size_t)1 << 60));
    assert_false(hak_page_purge(start + 1, MIB, HAK_PAGE_HEAP));
    assert_int_equal(errno, 77);
    assert_true(read_count(&hak_counters.os_mmap_failed) >= 3);
    assert_int_equal(read_count(&hak_counters.mapped_bytes), mapped);
}

/* Alignment costs address space for a moment: under a limit it may fail, and must not leak. */
static void test_limited_address_space(void **state) {
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* their own address space is beyond any limit */
#else
    struct rlimit limit = {512 * MIB, 512 * MIB};
    setrlimit(RLIMIT_AS, &limit);
    for (int round = 0; round < 200; round++) {
        char *start = hak_page_map(40 * MIB, 64 * MIB, HAK_PAGE_HEAP);
        if (!start) continue;
        assert_true(hak_page_unmap(start, 40 * MIB, HAK_PAGE_HEAP));
    }
    assert_int_equal(read_count(&hak_counters.mapped_bytes), 0);
    assert_non_null(hak_page_map(200 * MIB, 2 * MIB, HAK_PAGE_HEAP));
#endif
}

static void test_avoid_huge(void **state) {
    (void)state;
    char *start = hak_page_map(8 * MIB, 2 * MIB, HAK_PAGE_HEAP);
    errno = 5;
    hak_page_avoid_huge(start, 8 * MIB); /* fails on a kernel without huge pages: no matter */
    assert_int_equal(errno, 5);
    assert_int_equal(read_count(&hak_counters.os_madvise_nohugepage), 1);
}

static unsigned resident_pages(const char *start, size_t pages) {
    unsigned char resident[64];
    unsigned count = 0;
    assert_true(pages <= sizeof resident);
    assert_int_equal(mincore((void *)(uintptr_t)start, pages * hak_page_bytes(), resident), 0);
    for (size_t i = 0; i < pages; i++) count += resident[i] & 1;
    return count;
}

static void test_populate(void **state) {
    (void)state;
    size_t page = hak_page_bytes();
    char *start = hak_page_map(64 * page, page, HAK_PAGE_HEAP);
    hak_page_avoid_huge(start, 64 * page);
    start[page] = 5;
    errno = 5;
    if (!hak_page_populate(start, 16 * page)) skip(); /* before Linux 5.14 */
    if (unit_emulated()) skip();
    assert_int_equal(resident_pages(start, 64), 16);
    assert_int_equal(start[page], 5);
    assert_true(is_zero(start, page) && is_zero(start + 2 * page, 62 * page));
    assert_int_equal(read_count(&hak_counters.os_madvise_populate), 1);
    /* what failed once is not tried again */
    char *gone = hak_page_map(64 * page, page, HAK_PAGE_HEAP);
    hak_page_unmap(gone, 64 * page, HAK_PAGE_HEAP);
    assert_false(hak_page_populate(gone, 16 * page));
    assert_false(hak_page_populate(start, 32 * page));
    assert_int_equal(read_count(&hak_counters.os_madvise_populate), 2);
    assert_int_equal(read_count(&hak_counters.os_madvise_failed), 1);
    assert_int_equal(errno, 5);
}

static void test_touch(void **state) {
    (void)state;
    size_t page = hak_page_bytes();
    char *start = hak_page_map(64 * page, page, HAK_PAGE_HEAP);
    hak_page_avoid_huge(start, 64 * page);
    assert_true(hak_page_touch(start, 16 * page) > 0);
    assert_int_equal(resident_pages(start, 64), 16);
    assert_true(is_zero(start, 64 * page));
}

/* All of it is resident afterwards, or a page. */
static void test_touch_huge(void **state) {
    (void)state;
    size_t page = hak_page_bytes(), count = 2 * MIB / page;
    char *start = hak_page_map(6 * MIB, 2 * MIB, HAK_PAGE_HEAP);
    hak_page_avoid_huge(start, 6 * MIB);
    errno = 5;
    if (!hak_page_touch_huge(start + 2 * MIB, 2 * MIB)) skip(); /* a kernel without them */
    assert_int_equal(errno, 5);
    assert_int_equal(read_count(&hak_counters.os_madvise_hugepage), 1);
    if (unit_emulated()) skip();
    assert_int_equal(resident_pages(start, 64), 0);
    assert_int_equal(resident_pages(start + 4 * MIB, 64), 0);
    unsigned first = resident_pages(start + 2 * MIB, 1);
    unsigned last = resident_pages(start + 2 * MIB + (count - 32) * page, 32);
    assert_int_equal(first, 1);
    assert_true(last == 0 || last == 32);
    assert_true(is_zero(start, 6 * MIB));
    /* the advice was taken back */
    assert_true(hak_page_purge(start + 2 * MIB, 2 * MIB, HAK_PAGE_HEAP));
    start[2 * MIB] = 1;
    assert_int_equal(resident_pages(start + 2 * MIB, 64), 1);
}

static void test_wiped(void **state) {
    (void)state;
    volatile unsigned *page = hak_page_map_wiped();
    if (!page) skip();
    *page = 5;
    assert_int_equal(read_count(&hak_counters.metadata_bytes), hak_page_bytes());
    pid_t child = fork();
    if (child == 0) _exit(*page == 0 ? 0 : 1);
    int status = -1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_int_equal(*page, 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_page_size),      ISOLATED(test_map_aligned),
        ISOLATED(test_mappings_touch), ISOLATED(test_counts),
        ISOLATED(test_purge),          ISOLATED(test_resize),
        ISOLATED(test_move),           ISOLATED(test_move_and_keep),
        ISOLATED(test_no_memory),      ISOLATED(test_limited_address_space),
        ISOLATED(test_avoid_huge),     ISOLATED(test_populate),
        ISOLATED(test_touch),          ISOLATED(test_touch_huge),
        ISOLATED(test_wiped),
    };
    return cmocka_run_group_tests_name("os/page", tests, NULL, NULL);
}
