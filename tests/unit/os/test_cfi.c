/* SPDX-License-Identifier: MIT
 *
 * os/cfi.c: tables made by hand; those of compilers are in test_unwind.c.
 */
#include "unit.h"

#include "os/cfi.h"

#include <string.h>

/* A header with two functions, one common entry and their own; the code is behind them. */
enum { HEADER = 0, COMMON = 64, FIRST = 128, SECOND = 192, CODE = 256, CODE_BYTES = 64 };

static unsigned char table[CODE + 2 * CODE_BYTES] __attribute__((aligned(8)));

static void put_int(unsigned at, int64_t value) {
    int32_t low = (int32_t)value;
    memcpy(&table[at], &low, sizeof low);
}

static void put_entry(unsigned at, int32_t id, const void *text, size_t length) {
    put_int(at, (int64_t)length + 4);
    put_int(at + 4, id);
    memcpy(&table[at + 8], text, length);
}

#if defined(__x86_64__)
#define FP 6
#define SP 7
#define PC 16
#else
#define FP 29
#define SP 31
#define PC 30
#endif

static void put_function(unsigned at, unsigned code, const unsigned char *text, size_t length) {
    unsigned char entry[48] = {0};
    memcpy(entry + 9, text, length);
    put_entry(at, (int32_t)(at + 4 - COMMON), entry, 9 + length);
    put_int(at + 8, (int64_t)code - (at + 8));
    put_int(at + 12, CODE_BYTES);
}

/* The caller's sp is at sp + 8, the return address before it; then what the functions say. */
static void make_table(const unsigned char *first, size_t length) {
    static const unsigned char common[] = {1, 'z',  'R',  0,  1, 0x78,      PC,
                                           1, 0x1b, 0x0c, SP, 8, 0x80 | PC, 1},
                               second[] = {0x0e, 80};
    memset(table, 0, sizeof table);
    memcpy(table, "\1\x1b\3\x3b", 4);
    put_int(8, 2);
    put_int(12, CODE);
    put_int(16, FIRST);
    put_int(20, CODE + CODE_BYTES);
    put_int(24, SECOND);
    put_entry(COMMON, 0, common, sizeof common);
    put_function(FIRST, CODE, first, length);
    put_function(SECOND, CODE + CODE_BYTES, second, sizeof second);
}

static struct hak_cfi_rule read_at(unsigned offset) {
    return hak_cfi_read(table, (uintptr_t)table + CODE + offset);
}

#define MAKE(...) \
    make_table((const unsigned char[]){__VA_ARGS__}, sizeof(const unsigned char[]){__VA_ARGS__})

static void expect(unsigned offset, unsigned by_fp, unsigned sp, unsigned pc, unsigned fp) {
    struct hak_cfi_rule rule = read_at(offset);
    assert_true(rule.known);
    assert_int_equal(rule.by_fp, by_fp);
    assert_int_equal(rule.sp_offset, sp);
    assert_int_equal(rule.pc_offset, pc);
    assert_int_equal(rule.fp_saved, fp != 0);
    assert_int_equal(rule.fp_offset, fp);
}

static void test_prologue(void **state) {
    (void)state;
    /* after 1 byte fp is pushed, after 4 it is the base; before the last byte all is back */
    MAKE(0x41, 0x0e, 16, 0x80 | FP, 2, 0x43, 0x0d, FP, 2, 40, 0x0a, 0x0c, SP, 8, 0xc0 | FP);
    expect(1, 0, 1, 1, 0);
    expect(2, 0, 2, 1, 2);
    expect(5, 1, 2, 1, 2);
    expect(40, 1, 2, 1, 2);
    expect(CODE_BYTES + 1, 0, 10, 1, 0);
    expect(2 * CODE_BYTES, 0, 10, 1, 0);
    assert_false(read_at(0).known);
    assert_false(read_at(2 * CODE_BYTES + 1).known);
}

static void test_remember(void **state) {
    (void)state;
    MAKE(0x0e, 64, 0x0a, 0x42, 0x0e, 8, 0x42, 0x0b);
    expect(1, 0, 8, 1, 0);
    expect(3, 0, 1, 1, 0);
    expect(5, 0, 8, 1, 0);
}

/* Everything that compilers write for registers that do not matter is passed over. */
static void test_passed_over(void **state) {
    (void)state;
    MAKE(0x83, 2, 0x05, 12, 3, 0x11, 13, 0x7d, 0x06, 3, 0x08, 12, 0x07, 14, 0x09, 3, 12, 0x10, 13,
         2, 0x77, 8, 0x16, 15, 1, 0x30, 0x2e, 16, 0, 0x2d, 0x0e, 0xc8, 0x01);
    expect(1, 0, 25, 1, 0);
    MAKE(0x05, FP, 4, 0x03, 1, 0, 0x11, FP, 3, 0x04, 1, 0, 0, 0, 0x06, FP);
    expect(1, 0, 1, 1, 4);
    expect(3, 0, 1, 1, 0);
    MAKE(0x11, PC, 2);
    expect(1, 0, 1, 2, 0);
}

static void expect_none(void) {
    assert_false(read_at(10).known);
}

static void test_not_understood(void **state) {
    (void)state;
    MAKE(0x0f, 2, 0x77, 8); /* sp by an expression */
    expect_none();
    MAKE(0x3f);
    expect_none();
    MAKE(0x10, FP, 1, 0x77);
    expect_none();
    MAKE(0x09, PC, 3);
    expect_none();
    MAKE(0x07, PC);
    expect_none();
    MAKE(0x0d, 3); /* another base */
    expect_none();
    MAKE(0x0b);
    expect_none();
    MAKE(0x0a, 0x0a, 0x0a, 0x0a, 0x0a);
    expect_none();
    MAKE(0x0e, 12); /* half a word */
    expect_none();
    MAKE(0x0e, 0x80, 0x80, 0x04); /* 64 KiB */
    expect_none();
    MAKE(0x0e); /* cut off */
    expect_none();
    MAKE(0x0e, 0x80);
    expect_none();
    MAKE(0x0e, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1);
    expect_none();
    MAKE(0x10, 3, 99, 0);
    expect_none();
    MAKE(0x08, PC); /* not saved */
    expect_none();
}

static void test_odd_entries(void **state) {
    (void)state;
    static const struct {
        unsigned at;
        unsigned char value;
    } changes[] = {{HEADER, 2},      {HEADER + 1, 0},     {HEADER + 2, 0x1b}, {HEADER + 3, 0x1b},
                   {COMMON + 4, 1},  {COMMON + 8, 4},     {COMMON + 9, 'e'},  {COMMON + 10, 'S'},
                   {COMMON + 14, 3}, {COMMON + 15, 0xff}, {COMMON + 16, 0},   {FIRST + 16, 99}};
    for (unsigned i = 0; i < UNIT_COUNT(changes); i++) {
        MAKE(0);
        expect(10, 0, 1, 1, 0);
        table[changes[i].at] = changes[i].value;
        expect_none();
    }
    MAKE(0);
    put_int(8, 0); /* no functions */
    expect_none();
    MAKE(0);
    put_int(COMMON, 0);
    expect_none();
    MAKE(0);
    put_int(FIRST, -1);
    expect_none();
}

/* A damaged table is read within its entries, and makes no rule that points anywhere. */
static void test_damaged(void **state) {
    (void)state;
    uint32_t random = 1;
    for (unsigned round = 0; round < 100000; round++) {
        MAKE(0x41, 0x0e, 16, 0x80 | FP, 2, 0x43, 0x0d, FP, 0x0a, 0x0c, SP, 8, 0xc0 | FP, 0x0b);
        for (unsigned i = 0; i < 3; i++) {
            random = random * 1664525 + 1013904223;
            unsigned at = random >> 8 & 63, common = random >> 20 & 1;
            if (at < 8 || (!common && at < 16)) continue; /* lengths, and where things are */
            table[(common ? COMMON : FIRST) + at] = (unsigned char)(random >> 24);
        }
        read_at(1 + round % CODE_BYTES);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prologue),    cmocka_unit_test(test_remember),
        cmocka_unit_test(test_passed_over), cmocka_unit_test(test_not_understood),
        cmocka_unit_test(test_odd_entries), cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests_name("os/cfi", tests, NULL, NULL);
}
