/* SPDX-License-Identifier: MIT
 *
 * Blocks that have a slab to themselves change their size where they are: hak_slab_resize, realloc.
 */
#include "engine.h"

#include "slab/slab.h"
#include "span/region.h"

#define OWNER 5u

/* A slab whose block is in use, and filled. */
static struct hak_slab *make(unsigned class, uint64_t seed) {
    struct hak_slot slot[2];
    struct hak_slab *slab = hak_slab_new(OWNER, class);
    assert_non_null(slab);
    assert_int_equal(hak_slab_carve(slab, 1, 0, slot), 1);
    assert_ptr_equal(slot[1].block, slab->base);
    engine_fill(slab->base, KIB, seed);
    return slab;
}

static void drop(struct hak_slab *slab) {
    struct hak_slot slot = {.block = (struct hak_block *)(void *)slab->base};
    assert_int_equal(hak_slab_put_run(slab, &slot, 1), 1);
    assert_int_equal(slab->used, 0);
    hak_slab_release(slab);
}

static void resize(struct hak_slab *slab, unsigned class, uint64_t seed) {
    const struct hak_class *info = &hak_class_table[class];
    assert_true(hak_slab_resize(slab, class));
    assert_int_equal(slab->class, class);
    assert_int_equal(slab->units, info->units);
    const char *last = slab->base + info->block_bytes - 1;
    assert_int_equal(hak_map_tag(last), hak_tag_make(OWNER, class));
    assert_ptr_equal(hak_slab_of(last), slab);
    assert_true(engine_intact(slab->base, KIB, seed));
    assert_int_equal(slab->used, 1);
    engine_check_span();
}

/* From every class of such slabs to every other. */
static void test_every_class(void **state) {
    (void)state;
    for (unsigned from = HAK_SHARED_CLASSES + 1; from <= HAK_CLASSES; from++) {
        for (unsigned to = HAK_SHARED_CLASSES + 1; to <= HAK_CLASSES; to++) {
            struct hak_slab *slab = make(from, to);
            resize(slab, to, to);
            drop(slab);
        }
    }
    assert_int_equal(atomic_load(&hak_region_at(0)->free_slots) & 1, 1);
}

/* What is given back may have been written to; what follows may be in use. */
static void test_between_others(void **state) {
    (void)state;
    unsigned large = hak_class_of(300 * KIB), small = hak_class_of(100 * KIB);
    struct hak_slab *keeper = make(1, 1), *slab = make(large, 2);
    struct hak_superslab *superslab = hak_map_superslab(slab->base);
    resize(slab, small, 2);
    assert_int_equal(atomic_load(&superslab->dirty_units), 0x38);
    resize(slab, large, 2);
    resize(slab, small, 2);
    struct hak_slab *next = make(1, 3);
    assert_ptr_equal(next->base, slab->base + 2 * HAK_UNIT_BYTES);
    assert_false(next->clean);
    assert_false(hak_slab_resize(slab, large));
    resize(slab, hak_class_of(128 * KIB), 2);
    drop(next);
    resize(slab, large, 2);
    drop(slab);
    drop(keeper);
}

/* A block with units of its own is cut short, and grows while the next ones are free. */
static void test_realloc_of_own(void **state) {
    (void)state;
    unsigned char *block = hak_malloc(MIB);
    engine_fill(block, 40 * KIB, 1);
    assert_ptr_equal(hak_realloc(block, 100 * KIB), block);
    assert_int_equal(hak_usable_size(block), 112 * KIB);
    assert_ptr_equal(hak_realloc(block, 40 * KIB), block);
    for (size_t size = 50 * KIB; size <= MIB; size *= 2)
        assert_ptr_equal(hak_realloc(block, size), block);
    assert_ptr_equal(hak_realloc(block, 40 * KIB), block);
    void *next = hak_malloc(40 * KIB);
    unsigned char *moved = hak_realloc(block, 70 * KIB);
    assert_ptr_not_equal(moved, block);
    assert_true(engine_intact(moved, 40 * KIB, 1));
    assert_int_equal(hak_usable_size(next), 40 * KIB);
    hak_free(moved);
    hak_free(next);
    hak_tiny_magazine_flush_all();
    engine_check_empty();
}

/* By those that have no heap, or another one, a block is moved. */
static void test_realloc_of_others(void **state) {
    (void)state;
    unsigned char *block = hak_malloc(MIB);
    engine_fill(block, 40 * KIB, 1);
    struct fake_thread other = {0}, *first = fake_thread_switch(&other);
    hak_free(hak_malloc(1));
    unsigned char *moved = hak_realloc(block, 40 * KIB);
    assert_ptr_not_equal(moved, block);
    assert_true(engine_intact(moved, 40 * KIB, 1));
    hak_free(moved);
    hak_tiny_magazine_flush_all();
    fake_thread_end();
    fake_thread_switch(first);
    engine_check_heaps();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_every_class),
        ISOLATED(test_between_others),
        ISOLATED(test_realloc_of_own),
        ISOLATED(test_realloc_of_others),
    };
    return cmocka_run_group_tests_name("whole/resizing", tests, NULL, NULL);
}
