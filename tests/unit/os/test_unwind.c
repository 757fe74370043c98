/* SPDX-License-Identifier: MIT
 *
 * os/unwind.c: the frames of real stacks, beside what the compiler's own unwinder makes of them.
 */
#include "unit.h"

#include "os/unwind.h"

#include <execinfo.h>
#include <string.h>

#define NOINLINE __attribute__((noinline))

/* ---- Real stacks ----------------------------------------------------------------------------- */

enum { DEPTH_MAX = 32 };

static unsigned matched; /* frames that both have found */

/* backtrace finds this function first, and before it that of a sanitizer. */
static NOINLINE void look(void) {
    void *trace[DEPTH_MAX];
    int count = backtrace(trace, DEPTH_MAX);
    struct hak_frame frame = hak_frame_of(HAK_FRAME_MARK());
    int first = 0;
    while (first < count && (uintptr_t)trace[first] != frame.pc) first++;
    matched = 0;
    for (int i = first; i < count; i++) {
        assert_int_equal(frame.pc, (uintptr_t)trace[i]);
        matched++;
        struct hak_cfi_rule rule = hak_unwind_find(frame.pc);
        if (!rule.known) break;
        assert_true(hak_unwind_is_current(rule, frame.pc));
        if (!hak_unwind_step(rule, &frame)) break;
    }
}

/* What follows a call keeps it from being a jump. */
#define AFTER_CALL() __asm__ volatile("" ::: "memory")

static NOINLINE void plain(unsigned depth) {
    if (depth) plain(depth - 1);
    else look();
    AFTER_CALL();
}

/* Its frame has a size that is not known before, so it is found by fp. */
static NOINLINE void variable(size_t size) {
    volatile char *room = __builtin_alloca(size);
    room[0] = room[size - 1] = 1;
    plain(2);
    AFTER_CALL();
}

static NOINLINE void many_arguments(long a, long b, long c, long d, long e, long f, long g, long h,
                                    long i) {
    volatile long sum = a + b + c + d + e + f + g + h + i;
    variable((size_t)sum);
    AFTER_CALL();
}

static NOINLINE void wide(void) {
    char room[64 << 10];
    __asm__ volatile("" ::"r"(room) : "memory"); /* it is used */
    look();
    AFTER_CALL();
}

static int compare(const void *a, const void *b) {
    plain(1);
    return memcmp(a, b, 1);
}

static void need_tables(void) {
    if (!hak_unwind_find((uintptr_t)__builtin_return_address(0)).known) skip(); /* old libc */
}

static void test_plain(void **state) {
    (void)state;
    need_tables();
    plain(5);
    assert_true(matched >= 7);
}

static void test_variable(void **state) {
    (void)state;
    need_tables();
    for (size_t size = 1; size < 5000; size += 777) {
        variable(size);
        assert_true(matched >= 5);
    }
    many_arguments(1, 2, 3, 4, 5, 6, 7, 8, 9);
    assert_true(matched >= 6);
}

static void test_through_a_library(void **state) {
    (void)state;
    need_tables();
    char two[2] = {2, 1};
    qsort(two, 2, 1, compare);
    assert_true(matched >= 5);
    assert_int_equal(two[0], 1);
}

/* More than a rule has room for: the walk ends there. */
static void test_wide(void **state) {
    (void)state;
    need_tables();
    wide();
    assert_int_equal(matched, 1);
}

static void test_no_code(void **state) {
    (void)state;
    int local = 0;
    assert_false(hak_unwind_find(0).known);
    assert_false(hak_unwind_find(1).known);
    assert_false(hak_unwind_find(UINTPTR_MAX).known);
    assert_false(hak_unwind_find((uintptr_t)&local).known);
}

/* ---- Following a rule ------------------------------------------------------------------------ */

static void test_step(void **state) {
    (void)state;
    static uintptr_t stack[16];
    for (unsigned i = 0; i < 16; i++) stack[i] = 0x1000 + i;
    struct hak_frame frame = {1, (uintptr_t)&stack[2], (uintptr_t)&stack[5]};
    struct hak_cfi_rule rule = {.known = 1, .sp_offset = 4, .pc_offset = 1};
    assert_true(hak_unwind_step(rule, &frame));
    assert_int_equal(frame.pc, 0x1005);
    assert_ptr_equal(frame.sp, &stack[6]);
    assert_ptr_equal(frame.fp, &stack[5]);
    rule = (struct hak_cfi_rule){
        .known = 1, .by_fp = 1, .fp_saved = 1, .sp_offset = 4, .pc_offset = 1, .fp_offset = 2};
    assert_true(hak_unwind_step(rule, &frame));
    assert_int_equal(frame.pc, 0x1008);
    assert_ptr_equal(frame.sp, &stack[9]);
    assert_int_equal(frame.fp, 0x1007);
}

/* What can't be a frame of the rule's: nothing is read. */
static void test_no_step(void **state) {
    (void)state;
    static uintptr_t stack[4];
    const struct hak_frame frame = {1, (uintptr_t)&stack[2], (uintptr_t)&stack[2]};
    const struct hak_cfi_rule none = {0}, known = {.known = 1};
    struct hak_cfi_rule rules[] = {none, known, known, known, known};
    struct hak_frame frames[] = {frame, frame, frame, frame, frame};
    rules[2] = (struct hak_cfi_rule){.known = 1, .sp_offset = 1, .pc_offset = 2};
    rules[3] = (struct hak_cfi_rule){.known = 1, .by_fp = 1, .sp_offset = 2, .pc_offset = 1};
    rules[4] = rules[3];
    frames[3].fp = (uintptr_t)stack + 1;
    frames[4].fp = (uintptr_t)stack + (1 << 20);
    for (unsigned i = 0; i < UNIT_COUNT(rules); i++) {
        struct hak_frame before = frames[i];
        assert_false(hak_unwind_step(rules[i], &frames[i]));
        assert_memory_equal(&before, &frames[i], sizeof before);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_variable),
        cmocka_unit_test(test_through_a_library),
        cmocka_unit_test(test_wide),
        cmocka_unit_test(test_no_code),
        cmocka_unit_test(test_step),
        cmocka_unit_test(test_no_step),

    };
    return cmocka_run_group_tests_name("os/unwind", tests, NULL, NULL);
}
