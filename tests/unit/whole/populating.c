/* SPDX-License-Identifier: MIT
 *
 * Pages that are made resident before blocks are cut from them (hak_slab_populate).
 */
#include "engine.h"

#include "slab/slab.h"

#define OWNER 5u

static unsigned long populated(void) {
    return fake_page_calls(FAKE_POPULATE);
}

/* What is asked for ahead is cut at one go, and asked for once. */
static void test_populate(void **state) {
    (void)state;
    unsigned class = hak_class_of(1024);
    struct hak_slab *slab = hak_slab_new(OWNER, class);
    struct hak_slot slot[HAK_BATCH_MAX + 1];
    hak_slab_populate(slab, 4 * HAK_PAGE_BYTES_MIN);
    hak_slab_populate(slab, 4 * HAK_PAGE_BYTES_MIN);
    assert_int_equal(populated(), 1);
    assert_ptr_equal(fake_page_log(FAKE_POPULATE, 0).start, slab->base);
    assert_int_equal(fake_page_log(FAKE_POPULATE, 0).bytes, 4 * HAK_PAGE_BYTES_MIN);
    assert_int_equal(hak_slab_carve(slab, 10, 0, slot), 10); /* 4 a page otherwise */
    hak_slab_populate(slab, 4 * HAK_PAGE_BYTES_MIN);
    assert_int_equal(populated(), 1);
    assert_int_equal(hak_slab_carve(slab, 64, 0, slot), 6);
    /* as far as there are blocks, and not where the memory was in use before, or is all cut */
    hak_slab_populate(slab, 8 * HAK_UNIT_BYTES);
    assert_int_equal(fake_page_log(FAKE_POPULATE, 0).bytes, HAK_UNIT_BYTES - 16 * KIB);
    while (hak_slab_carve(slab, 64, 0, slot)) continue;
    hak_slab_populate(slab, 4 * HAK_PAGE_BYTES_MIN);
    struct hak_slab *dirty = hak_slab_new(OWNER, class);
    dirty->clean = false;
    hak_slab_populate(dirty, 4 * HAK_PAGE_BYTES_MIN);
    assert_int_equal(populated(), 2);
}

/* Without memory for it, page by page as before. */
static void test_populate_fails(void **state) {
    (void)state;
    struct hak_slab *slab = hak_slab_new(OWNER, hak_class_of(1024));
    struct hak_slot slot[HAK_BATCH_MAX + 1];
    fake_page_fail(FAKE_BIT(FAKE_POPULATE), 1, 1);
    hak_slab_populate(slab, 4 * HAK_PAGE_BYTES_MIN);
    assert_int_equal(hak_slab_carve(slab, 10, 0, slot), 4);
}

/* Resident pages that no block has been cut from are purged with the slab. */
static void test_populated_is_dirty(void **state) {
    (void)state;
    unsigned class = 1;
    while (class < HAK_CLASSES && hak_class_table[class].units < 2) class ++;
    struct hak_slab *keeper = hak_slab_new(OWNER, 1), *slab = hak_slab_new(OWNER, class);
    struct hak_superslab *superslab = hak_map_superslab(slab->base);
    hak_slab_populate(slab, HAK_UNIT_BYTES + 1);
    hak_slab_release(slab);
    assert_int_equal(atomic_load(&superslab->dirty_units), 6);
    (void)keeper;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_populate),
        ISOLATED(test_populate_fails),
        ISOLATED(test_populated_is_dirty),
    };
    return cmocka_run_group_tests_name("whole/populating", tests, NULL, NULL);
}
