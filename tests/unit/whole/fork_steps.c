/* SPDX-License-Identifier: MIT
 *
 * One thread executes an operation; at each of its instructions, in turn, another thread forks
 * (step.h).  In the child the first thread is gone, in the middle of whatever it did: its heap may
 * be torn.  All blocks that were in use must have their contents, the child's threads must be able
 * to allocate, to free all blocks whoever owned them, to begin and to end, and no block may be
 * handed out twice (S5, H3, H5, H7, P1).
 */
#include "scene.h"

#include "heap/adopt.h"
#include "heap/registry.h"
#include "span/region.h"
#include "step.h"

#define LIVE 24u /* blocks that a thread of the child allocates at a time */

static struct scene scene;
static struct fake_thread later[3];

/* ---- The child ------------------------------------------------------------------------------- */

/* Blocks of all kinds, which must not overlap each other or what was there before; half of them are
 * freed again. */
static void live(struct scene *s, uint64_t seed) {
    struct engine_random random = {seed};
    size_t row = 100 + (size_t)seed * 100; /* above those of the scene */
    for (size_t i = 0; i < LIVE; i++) {
        size_t size = i % 4 ? hak_min_size(s->size, 20000) : engine_size(&random, 5 * KIB);
        engine_enter(&s->table, row + i, hak_malloc(size), size);
    }
    engine_check_table(&s->table);
    for (size_t i = 0; i < LIVE; i += 2) hak_free(engine_leave(&s->table, row + i));
    scene_allocate(s, s->foreign + 128, 1);
    scene_release(s, s->foreign + 128, 1);
}

static void thread_of_child(struct scene *s, struct fake_thread *thread, uint64_t seed) {
    struct fake_thread *running = fake_thread_switch(thread);
    live(s, seed);
    fake_thread_switch(running);
}

static void child(void *argument) {
    struct scene *s = argument;
    fake_thread_switch(&s->other); /* the thread that forked */
    fake_fork();
    hak_adopt_after_fork(); /* heap/test_thread_heap.c has the other case */
    scene_check_blocks(s);
    thread_of_child(s, &later[0], 2); /* adopts a heap that is parked now */
    live(s, 1);                       /* raids the others */
    thread_of_child(s, &later[1], 3);
    scene_check_blocks(s);
    scene_release(s, s->block, SCENE_BLOCKS);
    scene_release(s, s->foreign, SCENE_BLOCKS / 2);
    fake_thread_switch(&later[0]);
    fake_thread_end();
    fake_thread_switch(&later[2]);
    live(s, 3);
    scene_release(s, s->foreign, SCENE_BLOCKS);
    engine_check_table(&s->table);
    engine_free_table(&s->table);
    hak_collect();
    fake_thread_switch(&s->other);
    live(s, 1);
    engine_free_table(&s->table);
}

static void run(void (*operation)(void *)) {
    struct step_plan plan = {operation, child, NULL, true};
    if (!step_possible()) skip();
    print_message("%u places\n", step_run(&plan, &scene));
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
    const struct hak_bin *bin = &hak_tls.heap->bin[hak_class_of(scene.size)];
    while (bin->head) scene_allocate(&scene, scene.block, 1);
}

/* ... and no slab with a block left. */
static void empty_the_slabs(void) {
    unsigned class = hak_class_of(scene.size);
    while (hak_tls.heap->bin[class].head || hak_tls.heap->cold[class].partial) {
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
    while (hak_tls.heap->bin[class].room > 0) scene_release(&scene, scene.block, 1);
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
    fake_thread_switch(&later[2]);
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
    fake_thread_switch(&later[2]);
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

/* ---- First-class heaps ----------------------------------------------------------------------- */

static struct hak_heap *heap;

static void heap_work(void *argument) {
    (void)argument;
    for (int i = 0; i < 5; i++) hak_heap_malloc(heap, 700);
    hak_heap_malloc(heap, 3 * MIB);
}

static void heap_child(void *argument) {
    struct scene *s = argument;
    child(argument);
    for (int i = 0; i < 30; i++) { /* the heap itself works too */
        engine_enter(&s->table, 400 + (size_t)i, hak_heap_malloc(heap, 700), 700);
    }
    engine_check_table(&s->table);
    hak_free(engine_leave(&s->table, 400));
    hak_heap_destroy(heap);
}

static void test_first_class_heap(void **state) {
    (void)state;
    struct step_plan plan = {heap_work, heap_child, NULL, true};
    if (!step_possible()) skip();
    scene_start(&scene, 700, 10);
    heap = hak_heap_new();
    heap_work(&scene);
    print_message("%u places\n", step_run(&plan, &scene));
    hak_heap_destroy(heap);
    scene_check_and_end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_malloc_hit),
        ISOLATED(test_malloc_hit_checked),
        ISOLATED(test_free_hit),
        ISOLATED(test_free_hit_checked),
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
        ISOLATED(test_first_class_heap),
    };
    return cmocka_run_group_tests_name("whole/fork_steps", tests, NULL, NULL);
}
