/* SPDX-License-Identifier: MIT
 *
 * large/huge.c: blocks above the large limit, in regions and in mappings of their own; S1, S3, S4,
 * P4.
 */
#include "engine.h"

#include "base/counter.h"
#include "large/huge.h"
#include "span/map.h"
#include "span/purge.h"
#include "span/region.h"

#include <string.h>

#define SLOT       HAK_SUPERSLAB_BYTES
#define REGION_MAX (16 * SLOT) /* above: a mapping of its own */

static bool was_zeroed;

static struct hak_superslab *make(size_t size) {
    struct hak_superslab *huge = hak_huge_alloc(size, 16, &was_zeroed);
    assert_non_null(huge);
    assert_true(huge->huge_bytes >= size && huge->huge_bytes - size < hak_page_bytes());
    assert_int_equal(huge->huge_slots == 0, size > REGION_MAX);
    assert_int_equal(hak_map_tag(huge->base), HAK_TAG_HUGE);
    assert_ptr_equal(hak_huge_of(huge->base), huge);
    assert_null(huge->huge_heap);
    assert_true(fake_page_is_mapped(huge->base, huge->huge_bytes));
    if (was_zeroed) assert_true(engine_is_zero(huge->base, huge->huge_bytes));
    return huge;
}

static const size_t sizes[] = {1,
                               MIB + 1,
                               SLOT - 1,
                               SLOT,
                               SLOT + 1,
                               3 * SLOT,
                               REGION_MAX - 4096,
                               REGION_MAX,
                               REGION_MAX + 1,
                               REGION_MAX + SLOT,
                               100 * MIB + 12345};

static void test_every_kind(void **state) {
    (void)state;
    struct hak_superslab *huge[UNIT_COUNT(sizes)];
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < UNIT_COUNT(sizes); i++) {
            huge[i] = make(sizes[i]);
            engine_fill(huge[i]->base, sizes[i], i);
        }
        engine_check_span();
        for (size_t i = 0; i < UNIT_COUNT(sizes); i++) {
            assert_true(engine_intact(huge[i]->base, sizes[i], i));
            char *base = huge[i]->base;
            hak_huge_free(huge[i]);
            assert_int_equal(hak_map_tag(base), 0);
            assert_null(hak_huge_of(base));
        }
    }
    engine_check_empty();
    assert_int_equal(hak_counter_read(&hak_counters.huge_allocs),
                     hak_counter_read(&hak_counters.huge_frees));
}

static void test_alignment(void **state) {
    (void)state;
    fake_page_reuse(true);
    for (size_t alignment = 2 * HAK_UNIT_BYTES; alignment <= (size_t)4 << 30; alignment *= 2) {
        for (size_t size = 1; size <= 40 * MIB; size = size * 3 + 1000 * KIB) {
            struct hak_superslab *huge = hak_huge_alloc(size, alignment, &was_zeroed);
            assert_int_equal((uintptr_t)huge->base % alignment, 0);
            hak_huge_free(huge);
        }
    }
    engine_check_empty();
}

static void test_sizes_that_cannot_be(void **state) {
    (void)state;
    assert_null(hak_huge_alloc(PTRDIFF_MAX, 16, &was_zeroed));
    assert_null(hak_huge_alloc(2 * MIB, (size_t)1 << 62, &was_zeroed));
    assert_null(hak_huge_resize(make(2 * MIB), SIZE_MAX));
    assert_null(hak_huge_resize(make(40 * MIB), PTRDIFF_MAX));
}

static void test_huge_of(void **state) {
    (void)state;
    struct hak_superslab *huge = make(5 * MIB);
    assert_null(hak_huge_of(NULL));
    assert_null(hak_huge_of(huge->base + 1));
    assert_null(hak_huge_of(huge->base + HAK_UNIT_BYTES));
    assert_null(hak_huge_of(huge->base + SLOT)); /* a further superslab of it */
    assert_null(hak_huge_of(huge->base - 1));
    assert_null(hak_huge_of(&huge));
    assert_null(hak_huge_of((char *)UINTPTR_MAX));
}

/* S4: what a block's owner may have written to is dirty afterwards, and only that. */
static void test_dirtiness(void **state) {
    (void)state;
    struct hak_superslab *huge = make(2 * SLOT + 100000);
    assert_true(was_zeroed);
    engine_fill(huge->base, huge->huge_bytes, 1);
    hak_huge_free(huge);
    assert_int_equal(atomic_load(&huge[0].dirty_units), UINT32_MAX);
    assert_int_equal(atomic_load(&huge[1].dirty_units), UINT32_MAX);
    assert_int_equal(atomic_load(&huge[2].dirty_units), 3);
    assert_int_equal(atomic_load(&huge[3].dirty_units), 0);
    make(3 * SLOT);
    assert_false(was_zeroed);
    hak_huge_free(huge);
    hak_purge_some(0, 0, 64);
    make(3 * SLOT);
    assert_true(was_zeroed);
}

/* Dirty is dirty, also of a part that was given back by shrinking, and of one that grew. */
static void test_dirtiness_of_resized_blocks(void **state) {
    (void)state;
    struct engine_random random = {9};
    for (int round = 0; round < 60; round++) {
        struct hak_superslab *huge = make(MIB + 1 + engine_below(&random, 12 * MIB));
        memset(huge->base, 0xff, huge->huge_bytes);
        for (int i = 0; i < 4; i++) {
            size_t size = MIB + 1 + engine_below(&random, 14 * MIB);
            struct hak_superslab *resized = hak_huge_resize(huge, size);
            if (resized) memset((huge = resized)->base, 0xff, resized->huge_bytes);
        }
        hak_huge_free(huge);
        if (round % 5 == 0) hak_purge_some(0, 0, 64);
        engine_check_span();
        /* make() looks whether what is said to be zeroed is */
        hak_huge_free(make(MIB + 1 + engine_below(&random, 8 * MIB)));
        make(SLOT);
    }
}

/* ---- Resizing -------------------------------------------------------------------------------- */

static void check_resize(size_t from, size_t to, const char *how) {
    struct hak_superslab *huge = make(from);
    char *base = huge->base;
    engine_fill(base, hak_min_size(from, to), 4);
    struct hak_superslab *resized = hak_huge_resize(huge, to);
    if (!resized) {
        assert_string_equal(how, "not");
        assert_true(engine_intact(base, hak_min_size(from, to), 4));
        assert_int_equal(huge->huge_bytes, hak_align_up(from, hak_page_bytes()));
        resized = huge;
    } else {
        assert_string_equal(how, resized->base == base ? "in place" : "moved");
        assert_int_equal(resized->huge_bytes, hak_align_up(to, hak_page_bytes()));
        assert_true(engine_intact(resized->base, hak_min_size(from, to), 4));
        engine_fill(resized->base, to, 5); /* all of it can be used */
        assert_true(engine_intact(resized->base, to, 5));
    }
    assert_ptr_equal(hak_huge_of(resized->base), resized);
    if (resized->base != base) assert_int_equal(hak_map_tag(base), 0);
    engine_check_span();
    engine_check_census(NULL);
    hak_huge_free(resized);
    engine_check_empty();
}

static void test_resize(void **state) {
    (void)state;
    if (HAK_STRESS) return;     /* short regions */
    fake_page_place(256 * MIB); /* no leaf of the page map is mapped between two blocks */
    check_resize(2 * MIB, 2 * MIB, "in place");
    check_resize(3 * MIB, 3 * MIB + 5000, "in place");
    check_resize(3 * MIB, 9 * MIB, "in place");
    check_resize(9 * MIB, 3 * MIB, "in place");
    check_resize(2 * MIB, MIB + 1, "in place");
    check_resize(2 * MIB, MIB, "not"); /* a class's size: the caller moves it */
    check_resize(31 * MIB, 33 * MIB, "moved");
    check_resize(5 * MIB, 200 * MIB, "moved");
    check_resize(40 * MIB, 41 * MIB, "in place"); /* the fake kernel grows what it mapped last */
    check_resize(40 * MIB, 20 * MIB, "in place");
    check_resize(40 * MIB, MIB + 1, "in place");
}

static void test_next_superslab_is_taken(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    struct hak_superslab *huge = make(3 * MIB), *next = make(MIB + 1);
    assert_ptr_equal(next, huge + 2); /* two at least */
    assert_ptr_equal(hak_huge_resize(huge, 4 * MIB), huge);
    assert_null(hak_huge_resize(huge, 7 * MIB));
    hak_huge_free(next);
    assert_ptr_equal(hak_huge_resize(huge, 7 * MIB), huge);
    assert_ptr_not_equal(make(3 * MIB), next);
    assert_ptr_equal(hak_huge_resize(huge, 2 * MIB), huge); /* given back */
    assert_ptr_equal(make(3 * MIB), next);
}

/* A hidden block is not one, but its place is kept; what it held is dirty. */
static void test_hidden(void **state) {
    (void)state;
    for (int large = 0; large < 2; large++) {
        size_t size = large ? 40 * MIB : 3 * MIB;
        struct hak_superslab *huge = make(size);
        char *base = huge->base;
        engine_fill(base, size, 1);
        hak_huge_hide(huge);
        assert_null(hak_huge_of(base));
        assert_int_equal(hak_map_tag(base), 0);
        engine_check_span();
        struct hak_stats stats;
        engine_check_census(&stats);
        assert_int_equal(stats.live, 0);
        assert_true(stats.free_dirty >= size);
        struct hak_superslab *other = make(size);
        assert_ptr_not_equal(other->base, base);
        hak_huge_free(other);
        hak_huge_show(huge, size - 4096);
        assert_ptr_equal(hak_huge_of(base), huge);
        hak_huge_hide(huge);
        hak_huge_drop(huge, true);
        engine_check_span();
    }
    engine_check_empty();
}

/* A block counts as growing until it is freed, or above the limit. */
static void test_growing(void **state) {
    (void)state;
    struct hak_superslab *huge[100];
    unsigned count = 0;
    while (hak_huge_may_grow()) hak_huge_grows(huge[count++] = make(100 * KIB));
    assert_in_range(count, 16, 64);
    hak_huge_free(huge[0]);
    assert_true(hak_huge_may_grow());
    hak_huge_grows(huge[0] = make(100 * KIB));
    assert_ptr_equal(hak_huge_resize(huge[1], MIB), huge[1]);
    assert_null(hak_huge_resize(huge[1], 500 * KIB)); /* for an ordinary block */
    assert_false(hak_huge_may_grow());
    assert_ptr_equal(hak_huge_resize(huge[1], MIB + 1), huge[1]);
    assert_true(hak_huge_may_grow());
    for (unsigned i = 0; i < count; i++) hak_huge_free(huge[i]);
    engine_check_span();
    for (unsigned i = 0; i < count; i++) {
        assert_true(hak_huge_may_grow());
        hak_huge_grows(make(100 * KIB));
    }
    assert_false(hak_huge_may_grow());
}

static void test_dedicated_is_moved(void **state) {
    (void)state;
    fake_page_fail(FAKE_BIT(FAKE_RESIZE), 1, FAKE_FOR_EVER);
    check_resize(40 * MIB, 60 * MIB, "moved");
    check_resize(40 * MIB, 35 * MIB, "not");
    assert_int_equal(fake_page_failures(), 2);
}

static void test_resize_without_memory(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    hak_huge_free(make(2 * MIB));
    fake_page_fail(FAKE_BIT(FAKE_RESIZE) | FAKE_BIT(FAKE_MOVE), 1, FAKE_FOR_EVER);
    check_resize(20 * MIB, 40 * MIB, "not");
    struct hak_superslab *huge = make(40 * MIB);
    fake_page_fail(FAKE_BIT(FAKE_RESIZE) | FAKE_BIT(FAKE_MAP), 1, FAKE_FOR_EVER);
    assert_null(hak_huge_resize(huge, 60 * MIB));
    hak_huge_free(huge);
    fake_page_fail_never();
    engine_check_empty();
}

/* The kernel may have unmapped the target of a move that fails: its address space is given up, but
 * it is counted (P4), and nothing is said to be in use. */
static void test_move_of_dedicated_fails(void **state) {
    (void)state;
    struct hak_superslab *huge = make(40 * MIB);
    engine_fill(huge->base, 40 * MIB, 8);
    fake_page_fail(FAKE_BIT(FAKE_RESIZE) | FAKE_BIT(FAKE_MOVE), 1, FAKE_FOR_EVER);
    assert_null(hak_huge_resize(huge, 60 * MIB));
    fake_page_fail_never();
    assert_true(engine_intact(huge->base, 40 * MIB, 8));
    struct hak_stats stats;
    engine_check_census(&stats);
    assert_int_equal(stats.live, 40 * MIB);
    assert_int_equal(stats.waste, 60 * MIB);
    engine_check_span();
}

/* A block of a first-class heap stays where its heap looks for it. */
static void test_block_of_a_heap_is_not_moved(void **state) {
    (void)state;
    fake_page_place(256 * MIB);
    hak_huge_free(make(2 * MIB)); /* maps all metadata, so that the block is mapped last */
    struct hak_superslab *huge = make(40 * MIB);
    huge->huge_heap = (struct hak_heap *)8;
    fake_page_fail(FAKE_BIT(FAKE_RESIZE), 1, FAKE_FOR_EVER);
    assert_null(hak_huge_resize(huge, 60 * MIB));
    fake_page_fail_never();
    assert_ptr_equal(hak_huge_resize(huge, 60 * MIB), huge);
    assert_non_null(huge->huge_heap);
}

/* ---- Freeing that fails ---------------------------------------------------------------------- */

/* P4: the memory goes back at least; the block is not in use any more; the address space is tried
 * again. */
static void test_unmap_fails(void **state) {
    (void)state;
    struct hak_stats stats;
    struct hak_superslab *huge = make(40 * MIB);
    char *base = huge->base;
    engine_fill(base, 40 * MIB, 1);
    fake_page_fail(FAKE_BIT(FAKE_UNMAP), 1, 1);
    hak_huge_free(huge);
    assert_int_equal(fake_page_log(FAKE_PURGE, 0).bytes, 40 * MIB);
    assert_int_equal(hak_map_tag(base), 0);
    engine_check_census(&stats);
    assert_int_equal(stats.live, 0);
    assert_null(hak_huge_of(base));
}

static void test_unmap_is_tried_again(void **state) {
    (void)state;
    struct hak_superslab *huge = make(40 * MIB);
    fake_page_fail(FAKE_BIT(FAKE_UNMAP), 1, 1);
    hak_huge_free(huge);
    hak_purge_all();
    assert_int_equal(fake_page_mapped(HAK_PAGE_HEAP), 0);
}

static void test_without_memory(void **state) {
    (void)state;
    for (size_t i = 0; i < UNIT_COUNT(sizes); i++) {
        fake_page_fail(FAKE_ALL, 1, FAKE_FOR_EVER);
        assert_null(hak_huge_alloc(sizes[i], 16, &was_zeroed));
        fake_page_fail_never();
        hak_huge_free(make(sizes[i]));
        hak_purge_all();
    }
    engine_check_empty();
}

static void test_pages_of_64_kib(void **state) {
    (void)state;
    fake_page_size(64 * KIB);
    for (size_t i = 0; i < UNIT_COUNT(sizes); i++) {
        struct hak_superslab *huge = make(sizes[i]);
        assert_int_equal(huge->huge_bytes % (64 * KIB), 0);
        hak_huge_free(huge);
    }
    engine_check_empty();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_every_kind),
        ISOLATED(test_alignment),
        ISOLATED(test_sizes_that_cannot_be),
        ISOLATED(test_huge_of),
        ISOLATED(test_dirtiness),
        ISOLATED(test_dirtiness_of_resized_blocks),
        ISOLATED(test_resize),
        ISOLATED(test_next_superslab_is_taken),
        ISOLATED(test_hidden),
        ISOLATED(test_growing),
        ISOLATED(test_dedicated_is_moved),
        ISOLATED(test_resize_without_memory),
        ISOLATED(test_move_of_dedicated_fails),
        ISOLATED(test_block_of_a_heap_is_not_moved),
        ISOLATED(test_unmap_fails),
        ISOLATED(test_unmap_is_tried_again),
        ISOLATED(test_without_memory),
        ISOLATED(test_pages_of_64_kib),
    };
    return cmocka_run_group_tests_name("large/huge", tests, NULL, NULL);
}
