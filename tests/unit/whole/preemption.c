/* SPDX-License-Identifier: MIT
 *
 * Two threads: one executes an operation, and at each of its instructions, in turn, the other one
 * runs another operation to its end (step.h).  Afterwards everything in memory must agree, all
 * blocks have their contents, and all free memory can be given back.
 *
 * Here: address space, superslabs and purges (S1 to S5, R1).  preemption_heaps.c has the rest.
 */
#include "scene.h"

#include "span/purge.h"
#include "span/region.h"
#include "step.h"

static struct scene scene;

static void run(void (*operation)(void *), void (*meanwhile)(void *), void (*after)(void *)) {
    step_preempt(operation, meanwhile, after, &scene);
}

/* ---- Free memory and purges ------------------------------------------------------------------ */

static void free_one(void *argument) {
    struct scene *s = argument;
    scene_release(s, s->block, 1);
    hak_tiny_magazine_flush_all(); /* to its slab, and that to its superslab */
}

static void other_frees_one(struct scene *s) {
    scene_release(s, s->foreign, 1);
    hak_tiny_magazine_flush_all();
}

static void free_other(void *argument) {
    scene_as_other(argument, other_frees_one);
}

static void purge(void *argument) {
    (void)argument;
    hak_purge_some(0, 0, 64);
}

/* What became free is purged by the next look, at the latest: no hint is lost. */
static void check_nothing_forgotten(void *argument) {
    size_t dirty = 0;
    hak_purge_some(0, 0, 64);
    for (uint32_t i = 0; i < hak_region_count(); i++) {
        struct hak_region *region = hak_region_at(i);
        for (uint32_t slot = 0; region && slot < region->slots; slot++) {
            struct hak_superslab *superslab = &region->superslab[slot];
            uint32_t free = atomic_load(&superslab->free_units);
            if (atomic_load(&region->free_slots) >> slot & 1) free = UINT32_MAX;
            dirty += (size_t)__builtin_popcount(free & atomic_load(&superslab->dirty_units));
        }
    }
    if (dirty) fail_msg("%zu dirty units are free, and no purge finds them", dirty);
    scene_check_and_end(argument);
}

static void test_free_huge_and_purge(void **state) {
    (void)state;
    scene_start(&scene, 5 * MIB, 2);
    run(free_one, purge, check_nothing_forgotten);
}

static void test_free_slab_and_purge(void **state) {
    (void)state;
    scene_start(&scene, 200 * KIB, 3);
    run(free_one, purge, check_nothing_forgotten);
}

static void test_purge_and_free_huge(void **state) {
    (void)state;
    scene_start(&scene, 5 * MIB, 2);
    free_one(&scene);
    run(purge, free_other, check_nothing_forgotten);
}

static void test_purge_and_free_slab(void **state) {
    (void)state;
    scene_start(&scene, 200 * KIB, 4);
    free_one(&scene);
    free_other(&scene);
    run(purge, free_other, check_nothing_forgotten);
}

/* ---- Units ----------------------------------------------------------------------------------- */

static void allocate_one(void *argument) {
    struct scene *s = argument;
    scene_allocate(s, s->block, 1);
}

static void other_allocates(struct scene *s) {
    scene_allocate(s, s->foreign, 2);
}

static void allocate_other(void *argument) {
    scene_as_other(argument, other_allocates);
}

static void test_new_slab_and_new_slab(void **state) {
    (void)state;
    scene_start(&scene, 150 * KIB, 1);
    run(allocate_one, allocate_other, scene_check_and_end);
}

static void test_new_slab_and_free_slab(void **state) {
    (void)state;
    scene_start(&scene, 150 * KIB, 2);
    run(allocate_one, free_other, scene_check_and_end);
}

static void test_free_slab_and_free_slab(void **state) {
    (void)state;
    scene_start(&scene, 900 * KIB, 3);
    run(free_one, free_other, scene_check_and_end);
}

static void test_purge_and_new_slab(void **state) {
    (void)state;
    scene_start(&scene, 150 * KIB, 4);
    free_one(&scene);
    free_other(&scene);
    run(purge, allocate_other, check_nothing_forgotten);
}

static void claim_a_unit(void *argument) {
    unsigned first;
    bool dirty;
    (void)argument;
    assert_non_null(hak_superslab_claim(1, true, &first, &dirty));
}

static void check_purged(void *argument) {
    (void)argument;
    hak_purge_some(0, 0, 64);
    struct hak_superslab *superslab = hak_region_at(0)->superslab;
    assert_int_equal(atomic_load(&superslab->free_units) & atomic_load(&superslab->dirty_units), 0);
}

/* The rest of a superslab that was free as a whole, and dirty, is purged, though a purge came while
 * all of it was claimed. */
static void test_fresh_superslab_and_purge(void **state) {
    (void)state;
    struct hak_superslab *superslab = hak_region_claim(1);
    atomic_store(&superslab->dirty_units, UINT32_MAX);
    hak_region_release(superslab, 1);
    run(claim_a_unit, purge, check_purged);
}

/* ---- Address space --------------------------------------------------------------------------- */

static void collect(void *argument) {
    (void)argument;
    hak_collect();
}

static void other_allocates_and_collects(struct scene *s) {
    scene_allocate(s, s->foreign, 2);
    scene_release(s, s->foreign, 2);
    hak_collect();
}

static void allocate_other_and_collect(void *argument) {
    scene_as_other(argument, other_allocates_and_collects);
}

/* Nothing is in use but a table of small blocks; a region of 16 superslabs is free. */
static void start_with_a_free_region(void) {
    scene_start(&scene, 30 * MIB, 1);
    scene_release(&scene, scene.block, 1);
    scene_release(&scene, scene.foreign, 1);
}

static void test_unmap_and_allocate(void **state) {
    (void)state;
    start_with_a_free_region();
    run(collect, allocate_other, scene_check_and_end);
}

static void test_unmap_and_unmap(void **state) {
    (void)state;
    fake_page_reuse(true);
    start_with_a_free_region();
    run(collect, allocate_other_and_collect, scene_check_and_end);
}

static void test_new_region_and_new_region(void **state) {
    (void)state;
    scene_start(&scene, 30 * MIB, 0);
    run(allocate_one, allocate_other, scene_check_and_end);
}

static void test_new_region_and_unmap(void **state) {
    (void)state;
    start_with_a_free_region();
    run(allocate_one, allocate_other_and_collect, scene_check_and_end);
}

/* Superslabs of a region that is made while another thread unmaps regions. */
static struct hak_superslab *kept;

static void unmap_free(void *argument) {
    (void)argument;
    hak_region_unmap_free();
}

/* Unmaps the region of 8 superslabs, makes one of 16 in its descriptor (the kernel refuses 32), and
 * frees the first 8 of that: free_slots is what it was. */
static void unmap_and_make_a_longer_one(void *argument) {
    (void)argument;
    hak_region_unmap_free();
    fake_page_fail(FAKE_BIT(FAKE_MAP), 1, 1);
    struct hak_superslab *first = hak_region_claim(8);
    kept = hak_region_claim(8);
    hak_region_release(first, 8);
}

static void check_kept(void *argument) {
    (void)argument;
    if (kept) assert_true(fake_page_is_mapped(kept->base, 8 * HAK_SUPERSLAB_BYTES));
}

/* R1: a region that another thread has made anew meanwhile is not taken for the one that was free.
 * */
static void test_unmap_and_make_a_longer_one(void **state) {
    (void)state;
    if (HAK_STRESS) skip(); /* other lengths */
    fake_page_fail(FAKE_BIT(FAKE_MAP), 1,
                   1); /* a descriptor for 16 superslabs, of which it has 8 */
    struct hak_superslab *first = hak_region_claim(1);
    assert_int_equal(hak_region_slots(first->region), 8);
    hak_region_release(first, 1);
    run(unmap_free, unmap_and_make_a_longer_one, check_kept);
}

static void grow_block(void *argument) {
    struct scene *s = argument;
    void *grown = hak_realloc(s->block[0], s->size + 20 * MIB);
    assert_non_null(grown);
    s->block[0] = grown;
}

/* A mapping of its own is moved; the place it leaves is mapped by somebody else at once. */
static void test_move_and_allocate(void **state) {
    (void)state;
    fake_page_reuse(true);
    scene_start(&scene, 40 * MIB, 1);
    fake_page_fail(FAKE_BIT(FAKE_RESIZE), 1, FAKE_FOR_EVER);
    run(grow_block, allocate_other, scene_check_and_end);
}

static void test_move_out_of_a_region_and_allocate(void **state) {
    (void)state;
    fake_page_reuse(true);
    scene_start(&scene, 20 * MIB, 1);
    run(grow_block, allocate_other, scene_check_and_end);
}

static void test_free_dedicated_and_allocate(void **state) {
    (void)state;
    fake_page_reuse(true);
    scene_start(&scene, 40 * MIB, 1);
    run(free_one, allocate_other, scene_check_and_end);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_free_huge_and_purge),
        ISOLATED(test_free_slab_and_purge),
        ISOLATED(test_purge_and_free_huge),
        ISOLATED(test_purge_and_free_slab),
        ISOLATED(test_new_slab_and_new_slab),
        ISOLATED(test_new_slab_and_free_slab),
        ISOLATED(test_free_slab_and_free_slab),
        ISOLATED(test_purge_and_new_slab),
        ISOLATED(test_fresh_superslab_and_purge),
        ISOLATED(test_unmap_and_allocate),
        ISOLATED(test_unmap_and_unmap),
        ISOLATED(test_new_region_and_new_region),
        ISOLATED(test_new_region_and_unmap),
        ISOLATED(test_unmap_and_make_a_longer_one),
        ISOLATED(test_move_and_allocate),
        ISOLATED(test_move_out_of_a_region_and_allocate),
        ISOLATED(test_free_dedicated_and_allocate),
    };
    return cmocka_run_group_tests_name("whole/preemption", tests, NULL, NULL);
}
