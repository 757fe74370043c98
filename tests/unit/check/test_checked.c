/* SPDX-License-Identifier: MIT
 *
 * check/checked.h: what the free of a block of the thread's own heap sees in checked mode; and that
 * it sees nothing where there is nothing.
 */
#include "engine.h"

#include "check/checked.h"
#include "config/option.h"

#include <string.h>

static bool in_use(const void *block) {
    uint64_t words = hak_map_tag(block) ^ hak_tls.checked_tag;
    assert_true(words - 2 <= 2 * HAK_CLASSES - 2);
    return hak_checked_in_use(hak_tls.heap, words, block);
}

/* A class whose blocks are judged quickly: slabs of one unit, of several blocks. */
static bool is_quick(unsigned class) {
    return hak_class_table[class].units == 1 && hak_class_table[class].capacity > 1;
}

/* Of every quick class, every block that is in use is, and no other address of its unit. */
static void test_every_address_of_a_unit(void **state) {
    (void)state;
    engine_mode("checked");
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) {
        if (!is_quick(class)) continue;
        size_t size = hak_class_table[class].block_bytes;
        static void *block[5000];
        size_t count = 0;
        const struct hak_slab *slab;
        do { /* the second slab of the class is all in use, but for its untouched end */
            block[count] = hak_malloc(size);
            memset(block[count], 0xa5, size);
            slab = hak_slab_of(block[count++]);
        } while (slab->carved < slab->capacity / 2);
        static bool used[HAK_UNIT_BYTES];
        memset(used, 0, sizeof used);
        for (size_t i = 0; i < count; i++) {
            if (hak_slab_of(block[i]) == slab) used[(char *)block[i] - slab->base] = true;
        }
        for (size_t offset = 0; offset + 16 <= slab->capacity * size; offset++) {
            if (in_use(slab->base + offset) == used[offset]) continue;
            fail_msg("class of %zu: offset %zu is %s", size, offset,
                     used[offset] ? "in use" : "not in use");
        }
        for (size_t i = 0; i < count; i++) hak_free(block[i]);
    }
}

/* The end of a slab that is too short for a block starts at a multiple of its size. */
static void test_end_of_a_slab(void **state) {
    (void)state;
    engine_mode("checked");
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) {
        const struct hak_class *info = &hak_class_table[class];
        size_t end = (size_t)info->capacity * info->block_bytes;
        if (!is_quick(class) || end + 16 > HAK_UNIT_BYTES) continue;
        const struct hak_slab *slab = hak_slab_of(hak_malloc(info->block_bytes));
        while (slab->carved < slab->capacity) hak_malloc(info->block_bytes);
        if (in_use(slab->base + end)) {
            fail_msg("class of %u: offset %zu, where no block has room", info->block_bytes, end);
        }
    }
}

/* The others are judged the long way. */
static void test_other_classes(void **state) {
    (void)state;
    engine_mode("checked");
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) {
        if (!is_quick(class)) assert_false(in_use(hak_malloc(hak_class_table[class].block_bytes)));
    }
}

/* A free block is not in use, wherever it lies; it is again when it is handed out again. */
static void test_free_and_again(void **state) {
    (void)state;
    engine_mode("checked");
    void *block[40];
    for (int i = 0; i < 40; i++) block[i] = hak_malloc(64);
    for (int i = 0; i < 20; i++) hak_free(block[i]);
    for (int i = 0; i < 40; i++) assert_int_equal(in_use(block[i]), i >= 20);
    hak_tiny_magazine_flush_all();
    for (int i = 0; i < 40; i++) assert_int_equal(in_use(block[i]), i >= 20);
    for (int i = 0; i < 20; i++) block[i] = hak_malloc(64);
    for (int i = 0; i < 40; i++) assert_true(in_use(block[i]));
}

/* Whatever a block in use contains, and wherever it has it from, it is in use: programs copy memory
 * that nobody has written to, and what was free before is full of seals. */
static void test_copies_of_free_memory(void **state) {
    (void)state;
    engine_mode("checked");
    enum { SMALL = 16, MANY = 4096 };
    static void *small[MANY];
    for (int i = 0; i < MANY; i++) small[i] = hak_malloc(SMALL);
    for (int i = 0; i < MANY; i++) hak_free(small[i]);
    hak_tiny_magazine_flush_all(); /* the slab's unit is free now, and dirty */
    char *large = hak_malloc(30000), *copy;
    assert_non_null(large);
    for (size_t at = 0; at + 64 <= 30000; at += SMALL) {
        copy = hak_malloc(64);
        memcpy(copy, large + at, 64);
        if (!in_use(copy)) fail_msg("a copy of unwritten memory is taken for a free block");
        hak_free(copy);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_every_address_of_a_unit), ISOLATED(test_end_of_a_slab),
        ISOLATED(test_other_classes),           ISOLATED(test_free_and_again),
        ISOLATED(test_copies_of_free_memory),
    };
    return cmocka_run_group_tests_name("check/checked", tests, NULL, NULL);
}
