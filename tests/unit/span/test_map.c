/* SPDX-License-Identifier: MIT
 *
 * span/map.c: any address leads to a tag; S1.
 */
#include "engine.h"

#include "span/arena.h"
#include "span/map.h"
#include "span/region.h"

#define LEAF ((uintptr_t)1 << HAK_LEAF_SHIFT)

static void *at(uintptr_t address) {
    return (void *)address; /* never followed */
}

static void test_unknown_addresses_have_no_tag(void **state) {
    (void)state;
    assert_int_equal(hak_map_tag(NULL), 0);
    assert_int_equal(hak_map_tag(at(UINTPTR_MAX)), 0);
    for (unsigned bit = 0; bit < 64; bit++) {
        assert_int_equal(hak_map_tag(at((uintptr_t)1 << bit)), 0);
        assert_int_equal(hak_map_tag(at(((uintptr_t)1 << bit) - 1)), 0);
        assert_null(hak_map_superslab(at((uintptr_t)1 << bit)));
    }
    assert_int_equal(fake_page_calls(FAKE_MAP_META), 0);
}

static void test_tag_fields(void **state) {
    (void)state;
    for (uint32_t owner = 1; owner <= HAK_OWNER_MAX; owner += owner < 10 ? 1 : owner / 3) {
        for (unsigned class = 0; class <= HAK_CLASSES; class ++) {
            uint32_t tag = hak_tag_make(owner, class);
            assert_int_equal(hak_tag_owner(tag), owner);
            assert_int_equal(hak_tag_class(tag), class);
            assert_true(tag != 0 && tag != HAK_TAG_HUGE);
            /* What free computes: the class's bin in words, or nothing
             * that it takes for a class. */
            assert_int_equal(tag ^ hak_tag_make(owner, 0), class << 1);
            uint64_t other = tag ^ hak_tag_make(owner ^ 1, 0);
            assert_true(other - 2 > 2 * HAK_CLASSES - 2);
        }
    }
    assert_int_equal(hak_tag_owner(HAK_TAG_HUGE), 0);
    assert_true(hak_tag_make(HAK_OWNER_MAX, HAK_CLASSES) > hak_tag_make(HAK_OWNER_MAX, 0));
}

static void test_tags_of_one_leaf(void **state) {
    (void)state;
    char *start = at(5 * LEAF);
    assert_true(hak_map_cover(start, LEAF));
    assert_int_equal(fake_page_calls(FAKE_MAP_META), 1);
    hak_map_set_tags(start, 1, 11);
    hak_map_set_tags(start + LEAF - 3 * HAK_UNIT_BYTES, 3, 22);
    assert_int_equal(hak_map_tag(start), 11);
    assert_int_equal(hak_map_tag(start + HAK_UNIT_BYTES - 1), 11);
    assert_int_equal(hak_map_tag(start + HAK_UNIT_BYTES), 0);
    assert_int_equal(hak_map_tag(start + LEAF - 3 * HAK_UNIT_BYTES - 1), 0);
    assert_int_equal(hak_map_tag(start + LEAF - 3 * HAK_UNIT_BYTES), 22);
    assert_int_equal(hak_map_tag(start + LEAF - 1), 22);
    assert_int_equal(hak_map_tag(start + LEAF), 0);
    assert_int_equal(hak_map_tag(start - 1), 0);
    /* Bits that no address of user space has are ignored: who cares looks at them (check/). */
    assert_int_equal(hak_map_tag(at((uintptr_t)start | (uintptr_t)1 << HAK_ADDRESS_BITS)), 11);
}

static void test_cover_over_a_border(void **state) {
    (void)state;
    char *border = at(9 * LEAF);
    assert_true(hak_map_cover(border - HAK_SUPERSLAB_BYTES, 2 * HAK_SUPERSLAB_BYTES));
    void *next = hak_arena_alloc(1, 1);
    assert_true(hak_map_cover(border - 1, 2)); /* again: nothing to do */
    assert_true(hak_map_cover(border - 1, 1));
    assert_ptr_equal(hak_arena_alloc(1, 1), (char *)next + 1);
    assert_int_equal(hak_map_first.index, 8); /* the one that was made first, and no other */
    assert_ptr_equal(hak_map_moved(8 * LEAF), hak_map_first.map);
    assert_ptr_equal(hak_map_moved(9 * LEAF), (char *)&hak_map + hak_map.root[9]);
    hak_map_set_tags(border - 2 * HAK_UNIT_BYTES, 4, 33);
    for (int i = -3; i < 3; i++) {
        uint32_t expected = i >= -2 && i < 2 ? 33 : 0;
        assert_int_equal(hak_map_tag(border + i * (long)HAK_UNIT_BYTES), expected);
    }
}

static void test_superslabs(void **state) {
    (void)state;
    char *border = at(3 * LEAF);
    static struct hak_meta meta[2];
    static struct hak_superslab superslab[] = {{.meta = &meta[0]}, {.meta = &meta[1]}};
    struct hak_superslab *one = &superslab[0], *two = &superslab[1];
    assert_true(hak_map_cover(border - HAK_SUPERSLAB_BYTES, 2 * HAK_SUPERSLAB_BYTES));
    hak_map_set_superslab(border - HAK_SUPERSLAB_BYTES, one);
    hak_map_set_superslab(border, two);
    assert_ptr_equal(hak_map_superslab(border - 1), one);
    assert_ptr_equal(hak_map_superslab(border - HAK_SUPERSLAB_BYTES), one);
    assert_null(hak_map_superslab(border - HAK_SUPERSLAB_BYTES - 1));
    assert_ptr_equal(hak_map_superslab(border + HAK_SUPERSLAB_BYTES - 1), two);
    assert_null(hak_map_superslab(border + HAK_SUPERSLAB_BYTES));
    assert_ptr_equal(hak_leaf_used(hak_map_leaf((uintptr_t)border - 1), border - 1),
                     &meta[0].used[HAK_USED_WORDS - 1]);
    assert_ptr_equal(hak_leaf_used(hak_map_leaf((uintptr_t)border), border), &meta[1].used[0]);
    hak_map_set_superslab(border, NULL);
    assert_null(hak_map_superslab(border));
    assert_int_equal(atomic_load(&hak_map_leaf((uintptr_t)border)->used[0]), 0);
}

static void test_cover_without_memory(void **state) {
    (void)state;
    char *border = at(7 * LEAF);
    hak_arena_alloc(600 * KIB, 16); /* there is room for one leaf */
    fake_page_fail(FAKE_BIT(FAKE_MAP_META), 1, 1);
    assert_false(hak_map_cover(border - 1, 2));
    assert_int_equal(hak_map_tag(border), 0);
    assert_true(hak_map_cover(border - 1, 2)); /* tried again: one leaf is missing */
    assert_int_equal(fake_page_calls(FAKE_MAP_META), 3);
}

/* Linux gives such addresses to who asks for them; nobody here does, and they are refused. */
static void test_addresses_beyond_the_map(void **state) {
    (void)state;
    assert_false(hak_map_cover(at((uintptr_t)1 << HAK_ADDRESS_BITS), 1));
    assert_false(hak_map_cover(at(((uintptr_t)1 << HAK_ADDRESS_BITS) - 1), 2));
    assert_true(hak_map_cover(at(((uintptr_t)1 << HAK_ADDRESS_BITS) - 1), 1));
}

static void test_page_of_64_kib(void **state) {
    (void)state;
    fake_page_size(64 * KIB);
    assert_true(hak_map_cover(at(LEAF), 1));
    assert_true(fake_page_mapped(HAK_PAGE_META) >= sizeof(struct hak_leaf));
    assert_int_equal(fake_page_mapped(HAK_PAGE_META) % (64 * KIB), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_unknown_addresses_have_no_tag),
        ISOLATED(test_tag_fields),
        ISOLATED(test_tags_of_one_leaf),
        ISOLATED(test_cover_over_a_border),
        ISOLATED(test_superslabs),
        ISOLATED(test_cover_without_memory),
        ISOLATED(test_addresses_beyond_the_map),
        ISOLATED(test_page_of_64_kib),
    };
    return cmocka_run_group_tests_name("span/map", tests, NULL, NULL);
}
