/* SPDX-License-Identifier: MIT
 *
 * check/verify.c: what any 64-bit value is, as a pointer; and what is said about a bad one.
 */
#include "engine.h"

#include "check/verify.h"
#include "config/option.h"
#include "heap/registry.h"
#include "large/huge.h"
#include "slab/slab.h"
#include "span/region.h"

#include <pthread.h>
#include <string.h>

static void expect(const void *pointer, enum hak_verdict verdict, size_t bytes, size_t offset) {
    struct hak_finding finding = hak_verify(pointer);
    if (finding.verdict != verdict || finding.block_bytes != bytes || finding.offset != offset) {
        fail_msg("%p: verdict %d (%zu, %zu), not %d (%zu, %zu)", pointer, finding.verdict,
                 finding.block_bytes, finding.offset, verdict, bytes, offset);
    }
}

static void *at(uintptr_t address) {
    return (void *)address;
}

static int global;

/* With and without anything allocated. */
static void test_pointers_that_are_not_ours(void **state) {
    (void)state;
    for (int round = 0; round < 2; round++) {
        for (unsigned bit = 0; bit < 64; bit++) {
            expect(at((uintptr_t)1 << bit), HAK_POINTER_FOREIGN, 0, 0);
            expect(at(~((uintptr_t)1 << bit)), HAK_POINTER_FOREIGN, 0, 0);
            expect(at(((uintptr_t)1 << bit) - 1), HAK_POINTER_FOREIGN, 0, 0);
        }
        expect(&global, HAK_POINTER_FOREIGN, 0, 0);
        expect((const void *)test_pointers_that_are_not_ours, HAK_POINTER_FOREIGN, 0, 0);
        void *of_libc = strdup("x");
        expect(of_libc, HAK_POINTER_FOREIGN, 0, 0);
        free(of_libc);
        hak_malloc(100);
    }
}

static void *on_thread_stack(void *argument) {
    int local = 0;
    expect(&local, HAK_POINTER_STACK, 0, 0);
    return argument;
}

static void test_stack(void **state) {
    (void)state;
    int local = 0;
    pthread_t thread;
    expect(&local, HAK_POINTER_STACK, 0, 0);
    pthread_create(&thread, NULL, on_thread_stack, NULL);
    pthread_join(thread, NULL);
}

/* The high bits of a block's address, and no other ones, make it somebody else's. */
static void test_high_bits(void **state) {
    (void)state;
    char *block = hak_malloc(100);
    expect(block, HAK_POINTER_VALID, 112, 0);
    for (unsigned bit = HAK_ADDRESS_BITS; bit < 64; bit++) {
        expect(at((uintptr_t)block | (uintptr_t)1 << bit), HAK_POINTER_FOREIGN, 0, 0);
    }
}

/* Every address of a slab: the starts of blocks that were cut, their insides, and the rest. */
static void check_slab(size_t size) {
    char *block = hak_malloc(size);
    const struct hak_slab *slab = hak_slab_of(block);
    size_t bytes = hak_class_table[slab->class].block_bytes, end = slab->carved * bytes;
    size_t step = slab->units > 1 || bytes > 10000 ? 509 : 1;
    hak_tiny_magazine_flush_all();
    engine_fill(block, size, 1);
    for (size_t offset = 0; offset < slab->units * HAK_UNIT_BYTES; offset += step) {
        if (offset >= end) expect(slab->base + offset, HAK_POINTER_UNUSED, 0, 0);
        else if (offset % bytes)
            expect(slab->base + offset, HAK_POINTER_INTERIOR, bytes, offset % bytes);
    }
    expect(block, HAK_POINTER_VALID, bytes, 0);
}

static void test_slabs_fast(void **state) {
    (void)state;
    engine_mode("fast");
    check_slab(16);
    check_slab(48); /* the end of its slab is a multiple of its size */
    check_slab(3000);
    check_slab(20000);
    check_slab(100 * KIB);
}

static void test_slabs_checked(void **state) {
    (void)state;
    engine_mode("checked");
    check_slab(16);
    check_slab(48);
    check_slab(20000);
    check_slab(100 * KIB);
}

/* Free blocks: in the magazine, in the slab, on the way between threads, in a parked heap. */
static void test_free_blocks(void **state) {
    (void)state;
    engine_mode("checked");
    static struct fake_thread other;
    void *block[6];
    for (int i = 0; i < 6; i++) block[i] = hak_malloc(100);
    hak_free(block[0]);
    expect(block[0], HAK_POINTER_FREE, 112, 0);
    hak_tiny_magazine_flush_all();
    expect(block[0], HAK_POINTER_FREE, 112, 0);
    struct fake_thread *first = fake_thread_switch(&other);
    expect(block[0], HAK_POINTER_FREE, 112, 0);
    expect(block[1], HAK_POINTER_VALID, 112, 0);
    hak_free(block[1]);
    expect(block[1], HAK_POINTER_FREE, 112, 0);
    fake_thread_end();
    expect(block[1], HAK_POINTER_FREE, 112, 0);
    fake_thread_switch(first);
    expect(block[1], HAK_POINTER_FREE, 112, 0);
    fake_thread_end();
    expect(block[1], HAK_POINTER_FREE, 112, 0);
    expect(block[2], HAK_POINTER_VALID, 112, 0);
}

static void test_huge(void **state) {
    (void)state;
    char *in_region = hak_malloc(5 * MIB), *alone = hak_malloc(40 * MIB);
    expect(in_region, HAK_POINTER_VALID, 5 * MIB, 0);
    expect(alone, HAK_POINTER_VALID, 40 * MIB, 0);
    static const size_t offset[] = {1, 16, 65535, 65536, 2 * MIB - 1, 2 * MIB, 5 * MIB - 1};
    for (size_t i = 0; i < UNIT_COUNT(offset); i++) {
        expect(in_region + offset[i], HAK_POINTER_INTERIOR, 5 * MIB, offset[i]);
        expect(alone + offset[i], HAK_POINTER_INTERIOR, 40 * MIB, offset[i]);
    }
    expect(in_region + 5 * MIB, HAK_POINTER_UNUSED, 0, 0);
    expect(alone + 39 * MIB, HAK_POINTER_INTERIOR, 40 * MIB, 39 * MIB);
    hak_free(in_region);
    expect(in_region, HAK_POINTER_UNUSED, 0, 0);
    expect(in_region + 3 * MIB, HAK_POINTER_UNUSED, 0, 0);
    hak_free(alone);
    expect(alone, HAK_POINTER_FOREIGN, 0, 0); /* unmapped */
    hak_collect();
    expect(in_region, HAK_POINTER_FOREIGN, 0, 0);
}

static void test_free_units(void **state) {
    (void)state;
    char *small = hak_malloc(100);
    char *unit = (char *)((uintptr_t)small & ~(HAK_UNIT_BYTES - 1));
    expect(unit + 5 * HAK_UNIT_BYTES, HAK_POINTER_UNUSED, 0, 0);
    expect(unit + HAK_SUPERSLAB_BYTES, HAK_POINTER_UNUSED, 0, 0);
}

/* ---- Messages -------------------------------------------------------------------------------- */

struct message {
    const char *function;
    struct hak_finding finding;
    const char *expected;
};

static const struct message messages[] = {
    {"free",
     {HAK_POINTER_FREE, 48, 0},
     "hakmem: free(0x1000): double free: the block of 48 bytes is free already\n"},
    {"realloc",
     {HAK_POINTER_INTERIOR, 96, 16},
     "hakmem: realloc(0x1000): interior pointer: 16 bytes into the block of 96 bytes at 0xff0\n"},
    {"free",
     {HAK_POINTER_UNUSED, 0, 0},
     "hakmem: free(0x1000): invalid pointer: this memory is not allocated (freed twice?)\n"},
    {"free",
     {HAK_POINTER_STACK, 0, 0},
     "hakmem: free(0x1000): invalid pointer: it points to the stack\n"},
    {"free",
     {HAK_POINTER_FOREIGN, 0, 0},
     "hakmem: free(0x1000): invalid pointer: not memory of this allocator\n"},
};

static void say(void *argument) {
    const struct message *message = argument;
    hak_verify_fail(message->function, at(0x1000), &message->finding);
}

static void say_size(void *argument) {
    hak_verify_fail_size(argument, at(0x1000), 100, 64);
}

static void test_messages(void **state) {
    (void)state;
    char out[CAPTURE_BYTES];
    for (size_t i = 0; i < UNIT_COUNT(messages); i++) {
        struct message message = messages[i];
        int status = capture_child(say, &message, out);
        assert_string_equal(out, message.expected);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
    char function[] = "free_sized";
    int status = capture_child(say_size, function, out);
    assert_string_equal(out,
                        "hakmem: free_sized(0x1000): size mismatch: freed as 100 bytes, but the "
                        "block has 64\n");
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void test_report_goes_on(void **state) {
    (void)state;
    char out[CAPTURE_BYTES];
    hak_option_write("on_error", "report");
    struct message message = messages[0];
    int status = capture_child(say, &message, out);
    assert_string_equal(out, message.expected);
    assert_int_equal(status, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_pointers_that_are_not_ours),
        ISOLATED(test_stack),
        ISOLATED(test_high_bits),
        ISOLATED(test_slabs_fast),
        ISOLATED(test_slabs_checked),
        ISOLATED(test_free_blocks),
        ISOLATED(test_huge),
        ISOLATED(test_free_units),
        ISOLATED(test_messages),
        ISOLATED(test_report_goes_on),
    };
    return cmocka_run_group_tests_name("check/verify", tests, NULL, NULL);
}
