/* SPDX-License-Identifier: MIT
 *
 * span/region.c: claiming superslabs, making, retiring and reusing regions; R1, S3, P4.
 */
#include "engine.h"

#include "base/bits.h"
#include "base/counter.h"
#include "span/arena.h"
#include "span/map.h"
#include "span/region.h"

#include <string.h>

#define SLOT     HAK_SUPERSLAB_BYTES
#define FIRST    (HAK_STRESS ? 2u : 16u) /* superslabs of the first region */
#define SLOTS(n) ((size_t)(n) << HAK_SUPERSLAB_SHIFT)

static struct hak_superslab *claim(unsigned count) {
    struct hak_superslab *first = hak_region_claim(count);
    assert_non_null(first);
    for (unsigned i = 0; i < count; i++) {
        assert_ptr_equal(first[i].base, first->base + SLOTS(i));
        assert_int_equal(first[i].slot, first->slot + i);
        assert_ptr_equal(first[i].region, first->region);
        assert_ptr_equal(hak_map_superslab(first[i].base), &first[i]);
        assert_false(atomic_load(&first->region->free_slots) >> first[i].slot & 1);
    }
    assert_int_equal((uintptr_t)first->base % SLOT, 0);
    assert_true(fake_page_is_mapped(first->base, SLOTS(count)));
    return first;
}

/* As an owner that wrote to it. */
static void soil(struct hak_superslab *superslab, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        memset(superslab[i].base, 0xee, 64);
        atomic_store(&superslab[i].dirty_units, 1);
    }
}

static void test_lowest_first(void **state) {
    (void)state;
    struct hak_superslab *superslab[FIRST];
    for (unsigned i = 0; i < FIRST; i++) {
        superslab[i] = claim(1);
        assert_int_equal(superslab[i]->slot, i);
        assert_int_equal(superslab[i]->region->index, 0);
    }
    hak_region_release(superslab[1], 1);
    hak_region_release(superslab[0], 1);
    assert_ptr_equal(claim(1), superslab[0]);
    assert_ptr_equal(claim(1), superslab[1]);
    assert_int_equal(hak_region_count(), 1);
}

/* Each region is twice as large as the last one, up to 64 superslabs. */
static void test_growth(void **state) {
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        struct hak_superslab *superslab = claim(1);
        assert_int_equal(superslab->region->slots, hak_min_size((size_t)FIRST << i, 64));
        assert_int_equal(superslab->region->bytes, SLOTS(superslab->region->slots));
        assert_ptr_equal(fake_page_log(FAKE_ADVISE, 0).start, superslab->base); /* no huge pages */
        while (atomic_load(&superslab->region->free_slots)) claim(1);
    }
}

static void test_runs_of_every_length(void **state) {
    (void)state;
    struct hak_superslab *run[65];
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned count = 1; count <= 64; count++) run[count] = claim(count);
        for (unsigned a = 1; a <= 64; a++) {
            for (unsigned b = a + 1; b <= 64; b++) {
                assert_true(run[a]->base + SLOTS(a) <= run[b]->base ||
                            run[b]->base + SLOTS(b) <= run[a]->base);
            }
        }
        for (unsigned count = 64; count; count--) hak_region_release(run[count], count);
        engine_check_span();
    }
}

static void test_claim_next(void **state) {
    (void)state;
    if (HAK_STRESS) return; /* regions are too short there */
    struct hak_superslab *first = claim(2), *blocker;
    assert_true(hak_region_claim_next(first, 2, 3));
    blocker = claim(1);
    assert_int_equal(blocker->slot, 5);
    assert_false(hak_region_claim_next(first, 5, 1));
    assert_false(hak_region_claim_next(first, 5, 2));
    hak_region_release(blocker, 1);
    assert_true(hak_region_claim_next(first, 5, FIRST - 5)); /* to the very end */
    assert_false(hak_region_claim_next(first, FIRST, 1));
    assert_int_equal(atomic_load(&first->region->free_slots), 0);
    hak_region_release(first, FIRST);
    assert_int_equal(atomic_load(&first->region->free_slots), hak_bits_run(0, FIRST));
}

/* Rule 5 of reliability: a mapping that is refused is tried smaller. */
static void test_halving(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    fake_page_limit(SLOTS(5));
    struct hak_superslab *superslab = claim(1);
    assert_int_equal(superslab->region->slots, 4);
    for (int i = 0; i < 3; i++) claim(1);
    assert_null(hak_region_claim(1));
    assert_null(hak_region_claim(5));
    fake_page_limit(SLOTS(5 + 10));
    assert_int_equal(claim(5)->region->slots, 8);
    fake_page_limit(0);
    claim(64);
    engine_check_span();
}

/* Not to less than what is needed. */
static void test_need_bounds_halving(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    fake_page_limit(SLOTS(15));
    assert_int_equal(claim(11)->region->slots, 11); /* 16, 11 */
    assert_null(hak_region_claim(11));
    assert_int_equal(fake_page_mapped(HAK_PAGE_HEAP), SLOTS(11));
    assert_non_null(hak_region_claim(1));
}

static void test_empty_regions_are_unmapped_and_their_descriptors_reused(void **state) {
    (void)state;
    size_t metadata = 0;
    for (int round = 0; round < 50; round++) {
        struct hak_superslab *superslab = claim(1);
        assert_int_equal(hak_region_unmap_free(), 0); /* in use */
        char *base = superslab->base;
        size_t bytes = superslab->region->bytes;
        hak_region_release(superslab, 1);
        assert_int_equal(hak_region_unmap_free(), bytes);
        assert_false(fake_page_is_mapped(base, SLOT));
        for (size_t at = 0; at < bytes; at += SLOT) assert_null(hak_map_superslab(base + at));
        assert_int_equal(fake_page_mapped(HAK_PAGE_HEAP), 0);
        if (round == 9) metadata = fake_page_mapped(HAK_PAGE_META);
    }
    /* Descriptors are reused; new leaves are the only growth. */
    assert_in_range(fake_page_mapped(HAK_PAGE_META) - metadata, 0, 2 * sizeof(struct hak_leaf));
    assert_in_range(hak_region_count(), 1, HAK_STRESS ? 6 : 4); /* while regions grow */
}

/* S4: what a reused descriptor says is true of the new memory. */
static void test_reused_descriptor_is_clean(void **state) {
    (void)state;
    struct hak_superslab *superslab = claim(2);
    while (superslab->region->slots < 64) superslab = claim(2);
    struct hak_region *region = superslab->region;
    soil(superslab, 2);
    hak_region_release(superslab, 2);
    assert_int_equal(atomic_load(&region->dirty_slots), 3);
    assert_int_equal(hak_region_unmap_free(), SLOTS(64));
    assert_ptr_equal(claim(1)->region, region);
    for (unsigned slot = 0; slot < region->slots; slot++) {
        assert_int_equal(atomic_load(&region->superslab[slot].dirty_units), 0);
    }
    assert_int_equal(atomic_load(&region->dirty_slots), 0);
    assert_true(engine_is_zero(region->base, region->bytes));
}

/* P4: what can't be unmapped stays owned, mapped and usable, and is tried again. */
static void test_unmap_fails(void **state) {
    (void)state;
    struct hak_superslab *superslab = claim(1);
    char *base = superslab->base;
    soil(superslab, 1);
    hak_region_release(superslab, 1);
    fake_page_fail(FAKE_BIT(FAKE_UNMAP), 1, 1);
    assert_int_equal(hak_region_unmap_free(), 0);
    engine_check_span();
    assert_ptr_equal(hak_map_superslab(base), superslab);
    assert_ptr_equal(claim(1), superslab);
    assert_int_equal(base[0] & 0xff, 0xee); /* contents and dirtiness as before */
    assert_int_equal(atomic_load(&superslab->dirty_units), 1);
    hak_region_release(superslab, 1);
    assert_true(hak_region_unmap_free() > 0);
    assert_int_equal(fake_page_mapped(HAK_PAGE_HEAP), 0);
}

/* The page map's leaf can't be mapped: the region goes back, nothing is lost. */
static void test_no_leaf(void **state) {
    (void)state;
    if (HAK_STRESS) return;          /* the descriptor is so small that the arena has room for it */
    hak_region_release(claim(1), 1); /* arena and first leaf are there */
    hak_region_unmap_free();
    fake_page_place(0); /* the next region lies on another leaf */
    fake_page_fail(FAKE_BIT(FAKE_MAP_META), 2, FAKE_FOR_EVER); /* the first is a descriptor */
    unsigned long maps = fake_page_calls(FAKE_MAP), unmaps = fake_page_calls(FAKE_UNMAP);
    assert_null(hak_region_claim(1));
    assert_true(fake_page_calls(FAKE_MAP) > maps);
    assert_int_equal(fake_page_calls(FAKE_UNMAP) - unmaps, fake_page_calls(FAKE_MAP) - maps);
    assert_int_equal(fake_page_mapped(HAK_PAGE_HEAP), 0);
    fake_page_fail_never();
    claim(1);
    engine_check_span();
}

/* ... and can't go back: it is still owned (P4), so a later call finds it. */
static void test_no_leaf_and_unmap_fails(void **state) {
    (void)state;
    if (HAK_STRESS) return; /* the descriptor is so small that the arena has room for it */
    hak_region_release(claim(1), 1);
    hak_region_unmap_free();
    fake_page_place(0);
    fake_page_fail(FAKE_BIT(FAKE_MAP_META) | FAKE_BIT(FAKE_UNMAP), 2, FAKE_FOR_EVER);
    assert_null(hak_region_claim(1));
    assert_true(fake_page_mapped(HAK_PAGE_HEAP) > 0);
    fake_page_fail_never();
    engine_check_census(NULL);
    hak_region_unmap_free();
    assert_int_equal(fake_page_mapped(HAK_PAGE_HEAP), 0);
}

/* A region over the border of two leaves. */
static void test_two_leaves(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    fake_page_place(((size_t)4 << 30) - SLOTS(3)); /* the descriptor comes first */
    struct hak_superslab *superslab = claim(FIRST);
    assert_int_equal(((uintptr_t)superslab->base + SLOTS(2)) % ((size_t)4 << 30), 0);
    assert_int_equal(fake_page_calls(FAKE_MAP), 1);
    assert_int_equal(fake_page_calls(FAKE_MAP_META), 2); /* descriptor and a leaf; another one */
    engine_check_span();
}

static void test_purge_in_runs(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    struct hak_superslab *all = claim(FIRST);
    struct hak_region *region = all->region;
    soil(all, FIRST);
    hak_region_release(all, 3);     /* 0 1 2 */
    hak_region_release(all + 4, 2); /* 4 5 */
    hak_region_release(all + 15, 1);
    assert_int_equal(hak_region_purge_slots(region, 0x8037), SLOTS(6));
    assert_int_equal(fake_page_calls(FAKE_PURGE), 3);
    assert_int_equal(atomic_load(&all[2].dirty_units), 0);
    assert_int_equal(atomic_load(&all[3].dirty_units), 1);
    assert_int_equal(all[3].base[0] & 0xff, 0xee);
    assert_true(engine_is_zero(all->base, SLOTS(3)));
    /* A run with a superslab in use is left alone; one whose purge fails stays dirty (S4, P4). */
    assert_int_equal(hak_region_purge_slots(region, 0x18), 0);
    soil(claim(3), 3);
    hak_region_release(all, 3);
    fake_page_fail(FAKE_BIT(FAKE_PURGE), 1, 1);
    assert_int_equal(hak_region_purge_slots(region, 7), 0);
    assert_int_equal(atomic_load(&all[1].dirty_units), 1);
    assert_int_equal(atomic_load(&region->free_slots), 0x8037);
    assert_int_equal(hak_region_purge_slots(region, 7), SLOTS(3));
}

/* ---- Regions of one huge block --------------------------------------------------------------- */

static void test_dedicated(void **state) {
    (void)state;
    for (size_t alignment = SLOT; alignment <= (size_t)1 << 30; alignment *= 4) {
        struct hak_superslab *superslab = hak_region_map_dedicated(40 * MIB + 4 * KIB, alignment);
        assert_int_equal((uintptr_t)superslab->base % alignment, 0);
        assert_int_equal(superslab->region->slots, 0);
        assert_int_equal(superslab->region->bytes, 40 * MIB + 4 * KIB);
        assert_ptr_equal(hak_map_superslab(superslab->base), superslab);
        assert_int_equal(hak_region_unmap_free(), 0);
        assert_true(hak_region_claim(1)->region != superslab->region);
        hak_region_unmap_dedicated(superslab);
    }
    hak_region_map_dedicated(4 * KIB, SLOT); /* shorter than a superslab */
    engine_check_span();
}

static void test_dedicated_unmap_fails(void **state) {
    (void)state;
    struct hak_superslab *superslab = hak_region_map_dedicated(40 * MIB, SLOT);
    fake_page_fail(FAKE_BIT(FAKE_UNMAP), 1, 1);
    hak_region_unmap_dedicated(superslab);
    assert_ptr_equal(hak_map_superslab(superslab->base), superslab);
    engine_check_span();
    hak_region_unmap_free(); /* tries again */
    assert_int_equal(fake_page_mapped(HAK_PAGE_HEAP), 0);
}

/* Before it gives up, address space that is free elsewhere is returned. */
static void test_dedicated_takes_the_place_of_free_regions(void **state) {
    (void)state;
    hak_region_release(claim(1), 1);
    fake_page_limit(SLOTS(FIRST) + 4 * MIB); /* a region may need two leaves of the page map */
    struct hak_superslab *superslab = hak_region_map_dedicated(SLOTS(FIRST), SLOT);
    assert_non_null(superslab);
    assert_null(hak_region_map_dedicated(SLOTS(FIRST), SLOT));
    assert_null(hak_region_claim(FIRST));
    hak_region_unmap_dedicated(superslab);
    claim(FIRST);
}

static void test_dedicated_resized_and_forgotten(void **state) {
    (void)state;
    struct hak_superslab *superslab = hak_region_map_dedicated(40 * MIB, SLOT);
    struct hak_region *region = superslab->region;
    char *base = superslab->base;
    assert_true(hak_region_resize_dedicated(superslab, 36 * MIB));
    assert_int_equal(region->bytes, 36 * MIB);
    assert_true(hak_page_unmap(base, 36 * MIB, HAK_PAGE_HEAP)); /* as a move does */
    hak_map_set_superslab(base, NULL); /* before another thread can map something there */
    hak_region_forget_dedicated(superslab);
    assert_ptr_equal(hak_region_map_dedicated(34 * MIB, SLOT)->region, region);
}

/* ---- The table ------------------------------------------------------------------------------- */

/* Over the ends of several of its chunks. */
static void test_many_regions(void **state) {
    (void)state;
    enum { MANY = 300 };
    static struct hak_superslab *superslab[MANY];
    for (unsigned i = 0; i < MANY; i++) {
        superslab[i] = hak_region_map_dedicated(4 * KIB, SLOT);
        assert_int_equal(superslab[i]->region->index, i);
        assert_int_equal(hak_region_count(), i + 1);
    }
    for (unsigned i = 0; i < MANY; i++) {
        assert_ptr_equal(hak_region_at(i), superslab[i]->region);
    }
    engine_check_span();
    assert_null(hak_region_at(MANY));
    assert_null(hak_region_at(100000));
    for (unsigned i = 0; i < MANY; i++) hak_region_unmap_dedicated(superslab[i]);
    for (unsigned i = 0; i < MANY; i++) hak_region_map_dedicated(4 * KIB, SLOT);
    assert_int_equal(hak_region_count(), MANY);
}

/* No memory for a chunk of the table, again and again: what was mapped for a region is not lost. */
static void test_no_table(void **state) {
    (void)state;
    for (int i = 0; i < 64; i++) hak_region_map_dedicated(4 * KIB, SLOT); /* the table is full */
    fake_page_fail(FAKE_BIT(FAKE_MAP_META), 1, FAKE_FOR_EVER);
    while (hak_arena_alloc(64, 64)) {
    }
    size_t metadata = fake_page_mapped(HAK_PAGE_META);
    for (int i = 0; i < 20; i++) {
        fake_page_fail(FAKE_BIT(FAKE_MAP_META), 1, FAKE_FOR_EVER);
        assert_null(hak_region_claim(1));
    }
    size_t grown = fake_page_mapped(HAK_PAGE_META) - metadata;
    if (grown > MIB) fail_msg("%zu bytes of metadata more after 20 failures", grown);
    fake_page_fail_never();
    claim(1);
    engine_check_span();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_lowest_first),
        ISOLATED(test_growth),
        ISOLATED(test_runs_of_every_length),
        ISOLATED(test_claim_next),
        ISOLATED(test_halving),
        ISOLATED(test_need_bounds_halving),
        ISOLATED(test_empty_regions_are_unmapped_and_their_descriptors_reused),
        ISOLATED(test_reused_descriptor_is_clean),
        ISOLATED(test_unmap_fails),
        ISOLATED(test_no_leaf),
        ISOLATED(test_no_leaf_and_unmap_fails),
        ISOLATED(test_two_leaves),
        ISOLATED(test_purge_in_runs),
        ISOLATED(test_dedicated),
        ISOLATED(test_dedicated_unmap_fails),
        ISOLATED(test_dedicated_takes_the_place_of_free_regions),
        ISOLATED(test_dedicated_resized_and_forgotten),
        ISOLATED(test_many_regions),
        ISOLATED(test_no_table),
    };
    return cmocka_run_group_tests_name("span/region", tests, NULL, NULL);
}
