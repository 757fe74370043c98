/* SPDX-License-Identifier: MIT
 *
 * slab/used.h: in checked mode the bit of an address is set exactly while a block that is handed
 * out starts there, whatever that block contains.
 */
#include "engine.h"

#include "heap/heap.h"
#include "slab/used.h"

#include <string.h>

static bool in_use(const void *block) {
    assert_int_equal((hak_map_tag(block) & ~HAK_TAG_CLASS_MASK) | HAK_TAG_CHECKED, hak_tls.tag);
    return hak_used_is(block);
}

/* Of every class, every block that is in use is, and no other place in its slab where one could
 * be. */
static void test_every_place_in_a_slab(void **state) {
    (void)state;
    engine_mode("checked");
    static bool used[HAK_SUPERSLAB_BYTES / HAK_MIN_ALIGN];
    static void *block[5000];
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) {
        size_t size = hak_class_table[class].block_bytes, count = 0;
        const struct hak_slab *slab;
        do { /* at least half of it was handed out */
            block[count] = hak_malloc(size);
            slab = hak_slab_of(block[count++]);
        } while (slab->carved < (slab->capacity + 1) / 2);
        memset(used, 0, sizeof used);
        for (size_t i = 0; i < count; i++) {
            if (i % 3 == 1) hak_free(block[i]);
            else if (hak_slab_of(block[i]) == slab)
                used[((char *)block[i] - slab->base) / (ptrdiff_t)HAK_MIN_ALIGN] = true;
        }
        for (size_t i = 0; i < slab->units * HAK_UNIT_BYTES / HAK_MIN_ALIGN; i++) {
            if (in_use(slab->base + i * HAK_MIN_ALIGN) == used[i]) continue;
            fail_msg("class of %zu: offset %zu is %s", size, i * HAK_MIN_ALIGN,
                     used[i] ? "not in use" : "in use");
        }
        for (size_t i = 0; i < count; i++) {
            if (i % 3 != 1) hak_free(block[i]);
        }
    }
}

/* Set and cleared one by one, to the last of a superslab. */
static void test_bits(void **state) {
    (void)state;
    char *unit = hak_superslab_unit_base(hak_map_superslab(hak_malloc(MIB)), 0);
    for (size_t at = 0; at < HAK_SUPERSLAB_BYTES; at += HAK_MIN_ALIGN) {
        hak_used_clear(hak_used_find(unit + at));
        assert_false(hak_used_is(unit + at));
        assert_false(hak_used_clear(hak_used_find(unit + at)));
        hak_used_flip(hak_used_find(unit + at));
        assert_true(hak_used_is(unit + at));
    }
    for (size_t at = 0; at < HAK_SUPERSLAB_BYTES; at += HAK_MIN_ALIGN) {
        assert_true(hak_used_clear(hak_used_find(unit + at)));
    }
    assert_ptr_equal(hak_used_find(unit + HAK_SUPERSLAB_BYTES - 1).word,
                     hak_used_find(unit).word + HAK_USED_WORDS - 1);
}

/* A slab that goes with all its blocks leaves no bit behind. */
static void test_forget(void **state) {
    (void)state;
    engine_mode("checked");
    for (unsigned class = 1; class <= HAK_CLASSES; class ++) {
        size_t size = hak_class_table[class].block_bytes, live = 0;
        char *first = hak_malloc(size);
        const struct hak_slab *slab = hak_slab_of(first);
        for (char *block = first; hak_slab_of(block) == slab && live < slab->capacity; live++) {
            if (slab->carved == slab->capacity) break;
            block = hak_malloc(size);
        }
        size_t set = 0;
        for (size_t i = 0; i < slab->capacity; i++) set += hak_used_is(slab->base + i * size);
        assert_true(set > 0);
        assert_int_equal(hak_used_forget(slab), set);
        assert_int_equal(hak_used_forget(slab), 0);
    }
}

/* A first-class heap is destroyed with blocks in use: who gets the memory then finds no bit. */
static void test_destroyed_heap(void **state) {
    (void)state;
    engine_mode("checked");
    struct hak_heap *heap = hak_heap_new();
    static char *block[1000];
    for (int i = 0; i < 1000; i++) {
        block[i] = hak_heap_malloc(heap, 100);
        assert_true(hak_used_is(block[i]));
    }
    const uint64_t *word[1000];
    for (int i = 0; i < 1000; i++) word[i] = hak_used_find(block[i]).word;
    hak_heap_destroy(heap);
    for (int i = 0; i < 1000; i++) assert_int_equal(*word[i], 0);
}

/* A free by somebody else leaves the bit to the owner. */
static void test_remote_free(void **state) {
    (void)state;
    engine_mode("checked");
    struct hak_heap *heap = hak_heap_new();
    void *block = hak_heap_malloc(heap, 100);
    assert_non_null(hak_heap_malloc(heap, 100)); /* so that the slab stays */
    hak_free(block);
    if (!HAK_STRESS) assert_true(hak_used_is(block)); /* there every call drains */
    hak_collect();
    assert_false(hak_used_is(block));
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
        ISOLATED(test_every_place_in_a_slab),
        ISOLATED(test_bits),
        ISOLATED(test_forget),
        ISOLATED(test_destroyed_heap),
        ISOLATED(test_remote_free),
        ISOLATED(test_free_and_again),
        ISOLATED(test_copies_of_free_memory),
    };
    return cmocka_run_group_tests_name("slab/used", tests, NULL, NULL);
}
