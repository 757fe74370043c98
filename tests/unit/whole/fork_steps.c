/* SPDX-License-Identifier: MIT
 *
 * One thread executes an operation; at each of its instructions, in turn, another thread forks
 * (step.h).  In the child the first thread is gone, in the middle of whatever it did: its heap may
 * be torn.  scene_child says what must hold there (S5, H3, H5, H7, P1).
 *
 * Not here: first-class heaps (fork_heaps.c).
 */
#include "scene.h"

#include "heap/adopt.h"
#include "heap/registry.h"
#include "policy/release.h"
#include "span/region.h"
#include "step.h"

static struct scene scene;
static struct fake_thread fourth;

static void run(void (*operation)(void *)) {
    step_fork(operation, scene_child, &scene);
    scene_check_and_end(&scene);
}

/* ---- Operations ------------------------------------------------------------------------------ */

static size_t count; /* blocks that an operation works on */

static void allocate(void *argument) {
    struct scene *s = argument;
    scene_allocate(s, s->block, count);
}

static void release(void *argument) {
    struct scene *s = argument;
    scene_release(s, s->block, count);
}

static void release_foreign(void *argument) {
    struct scene *s = argument;
    scene_release(s, s->foreign, count);
}

static void flush(void *argument) {
    struct scene *s = argument;
    hak_tiny_magazine_flush((int)hak_class_of(s->size) - 1);
}

static void end(void *argument) {
    (void)argument;
    fake_thread_end();
}

static void begin(void *argument) {
    struct scene *s = argument;
    struct fake_thread *running = fake_thread_switch(&s->third);
    scene_allocate(s, s->block, count);
    fake_thread_switch(running);
}

static void collect(void *argument) {
    (void)argument;
    hak_collect();
}

/* The next allocation finds the magazine empty. */
static void empty_the_bin(void) {
    unsigned class = hak_class_of(scene.size);
    while (hak_heap_bin_count(hak_tls.heap, class)) scene_allocate(&scene, scene.block, 1);
}

/* ... and no slab with a block left. */
static void empty_the_slabs(void) {
    unsigned class = hak_class_of(scene.size);
    while (hak_heap_bin_count(hak_tls.heap, class) || hak_tls.heap->cold[class].partial) {
        scene_allocate(&scene, scene.block, 1);
    }
}

static void other_frees(struct scene *s) {
    scene_release(s, s->block, 64);
}

/* ---- Scenes ---------------------------------------------------------------------------------- */

static void hit(const char *mode) {
    engine_mode(mode);
    scene_start(&scene, 48, 20);
    scene_release(&scene, scene.block, 10);
    count = 2;
    run(allocate);
}

static void test_malloc_hit(void **state) {
    (void)state;
    hit("fast");
}

static void test_malloc_hit_checked(void **state) {
    (void)state;
    hit("checked");
}

static void free_hit(const char *mode) {
    engine_mode(mode);
    scene_start(&scene, 48, 20);
    count = 2;
    run(release);
}

static void test_free_hit(void **state) {
    (void)state;
    free_hit("fast");
}

static void test_free_hit_checked(void **state) {
    (void)state;
    free_hit("checked");
}

static bool tick_is_near(void) {
    return !HAK_STRESS && (hak_tls.heap->slow_ops + 2) % HAK_RELEASE_TICK < 2;
}

/* Above the hot path's sizes, the doors open (front/open.h): of a site that is known. */
static void hit_above(const char *mode, size_t size, void (*operation)(void *)) {
    engine_mode(mode);
    scene_start(&scene, size, 3);
    count = 1;
    for (int i = 0; i < 40 || tick_is_near(); i++) {
        release(&scene);
        allocate(&scene);
    }
    if (operation == allocate) release(&scene);
    run(operation);
}

static void test_malloc_hit_above(void **state) {
    (void)state;
    hit_above("checked", 20000, allocate);
}

static void test_free_hit_above(void **state) {
    (void)state;
    hit_above("checked", 20000, release);
}

static void test_malloc_hit_single(void **state) {
    (void)state;
    hit_above("checked", 300 * KIB, allocate);
}

static void test_malloc_hit_single_fast(void **state) {
    (void)state;
    hit_above("fast", 300 * KIB, allocate);
}

static void test_free_hit_single(void **state) {
    (void)state;
    hit_above("checked", 300 * KIB, release);
}

static void test_refill_by_carving(void **state) {
    (void)state;
    scene_start(&scene, 200, 10);
    empty_the_bin();
    count = 1;
    run(allocate);
}

static void test_refill_from_a_slab(void **state) {
    (void)state;
    scene_start(&scene, 64, 80);
    scene_release(&scene, scene.block, 70);
    hak_tiny_magazine_flush_all();
    count = 1;
    run(allocate);
}

static void test_refill_from_the_inbox(void **state) {
    (void)state;
    scene_start(&scene, 64, 80);
    scene_as_other(&scene, other_frees);
    empty_the_bin();
    count = 1;
    run(allocate);
}

static void test_new_slab(void **state) {
    (void)state;
    scene_start(&scene, 1000, 1);
    empty_the_slabs();
    count = 1;
    run(allocate);
}

static void test_new_slab_of_several_units(void **state) {
    (void)state;
    scene_start(&scene, 20000, 1);
    empty_the_slabs();
    count = 1;
    run(allocate);
}

static void test_new_slab_of_one_block(void **state) {
    (void)state;
    scene_start(&scene, 300 * KIB, 1);
    empty_the_slabs();
    count = 1;
    run(allocate);
}

static void test_new_region(void **state) {
    (void)state;
    scene_start(&scene, 30 * MIB, 1); /* most of the first one */
    scene.size = MIB;
    scene_allocate(&scene, scene.block, 2);
    count = 1;
    scene.size = 20 * MIB;
    run(allocate);
}

static void test_overflow(void **state) {
    (void)state;
    scene_start(&scene, 64, 60);
    unsigned class = hak_class_of(64);
    hak_tiny_magazine_flush_all();
    const struct hak_bin *bin = &hak_tls.heap->bin[class];
    while (bin->top < bin->limit) scene_release(&scene, scene.block, 1);
    count = 1;
    run(release);
}

static void test_flush_empties_a_slab(void **state) {
    (void)state;
    scene_start(&scene, 20000, 10);
    scene_release(&scene, scene.block, 10);
    run(flush);
}

static void test_free_empties_a_superslab(void **state) {
    (void)state;
    scene_start(&scene, MIB, 6);
    count = 3;
    run(release);
}

static void test_send(void **state) {
    (void)state;
    scene_start(&scene, 64, 60);
    scene_release(&scene, scene.foreign, 30);
    count = 2;
    run(release_foreign);
}

static void test_raid(void **state) {
    (void)state;
    scene_start(&scene, 20000, 5);
    fake_thread_switch(&fourth);
    scene_allocate(&scene, scene.foreign, 3);
    fake_thread_end();
    fake_thread_switch(&scene.first);
    empty_the_slabs();
    count = 1;
    run(allocate);
}

static void test_end(void **state) {
    (void)state;
    scene_start(&scene, 500, 20);
    scene_release(&scene, scene.foreign, 3);
    scene_release(&scene, scene.block, 10);
    run(end);
}

static void test_begin(void **state) {
    (void)state;
    scene_start(&scene, 500, 20);
    count = 1;
    run(begin);
}

static void test_begin_with_a_parked_heap(void **state) {
    (void)state;
    scene_start(&scene, 500, 20);
    fake_thread_switch(&fourth);
    scene_allocate(&scene, scene.foreign, 3);
    fake_thread_end();
    fake_thread_switch(&scene.first);
    count = 1;
    run(begin);
}

static void test_huge(void **state) {
    (void)state;
    scene_start(&scene, 3 * MIB, 2);
    count = 1;
    run(allocate);
}

static void test_free_huge(void **state) {
    (void)state;
    scene_start(&scene, 3 * MIB, 2);
    count = 1;
    run(release);
}

static void test_dedicated(void **state) {
    (void)state;
    scene_start(&scene, 40 * MIB, 0);
    count = 1;
    run(allocate);
}

static void test_free_dedicated(void **state) {
    (void)state;
    scene_start(&scene, 40 * MIB, 1);
    count = 1;
    run(release);
}

static void test_collect(void **state) {
    (void)state;
    scene_start(&scene, 5000, 20);
    scene_release(&scene, scene.block, 20);
    run(collect);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_malloc_hit),
        ISOLATED(test_malloc_hit_checked),
        ISOLATED(test_free_hit),
        ISOLATED(test_free_hit_checked),
        ISOLATED(test_malloc_hit_above),
        ISOLATED(test_free_hit_above),
        ISOLATED(test_malloc_hit_single),
        ISOLATED(test_malloc_hit_single_fast),
        ISOLATED(test_free_hit_single),
        ISOLATED(test_refill_by_carving),
        ISOLATED(test_refill_from_a_slab),
        ISOLATED(test_refill_from_the_inbox),
        ISOLATED(test_new_slab),
        ISOLATED(test_new_slab_of_several_units),
        ISOLATED(test_new_slab_of_one_block),
        ISOLATED(test_new_region),
        ISOLATED(test_overflow),
        ISOLATED(test_flush_empties_a_slab),
        ISOLATED(test_free_empties_a_superslab),
        ISOLATED(test_send),
        ISOLATED(test_raid),
        ISOLATED(test_end),
        ISOLATED(test_begin),
        ISOLATED(test_begin_with_a_parked_heap),
        ISOLATED(test_huge),
        ISOLATED(test_free_huge),
        ISOLATED(test_dedicated),
        ISOLATED(test_free_dedicated),
        ISOLATED(test_collect),
    };
    return cmocka_run_group_tests_name("whole/fork_steps", tests, NULL, NULL);
}
