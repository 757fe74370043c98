/* SPDX-License-Identifier: MIT
 *
 * As preemption.c, for heaps: blocks sent between threads, threads that end and begin, parked
 * heaps that are raided, first-class heaps (H1, H2, H4); and a signal handler that interrupts a
 * slow path of its own thread (H5).
 */
#include "scene.h"

#include "heap/registry.h"
#include "step.h"

static struct scene scene;

static void run(void (*operation)(void *), void (*meanwhile)(void *)) {
    step_preempt(operation, meanwhile, scene_check_and_end, &scene);
}

/* ---- What threads do ------------------------------------------------------------------------- */

static void end(struct scene *s) {
    (void)s;
    fake_thread_end();
}

static void other_ends(void *argument) {
    scene_as_other(argument, end);
}

static void third_begins(void *argument) {
    struct scene *s = argument;
    struct fake_thread *running = fake_thread_switch(&scene.third);
    scene_allocate(s, s->foreign + 100, 20);
    scene_release(s, s->foreign + 100, 10);
    fake_thread_switch(running);
}

/* The first thread frees blocks of the other one: a chain of 32 is sent. */
static void first_frees_foreign(struct scene *s) {
    scene_release(s, s->foreign, 34);
}

static void free_foreign(void *argument) {
    scene_as_first(argument, first_frees_foreign);
}

static void first_allocates(struct scene *s) {
    scene_allocate(s, s->block, 4);
}

static void allocate(void *argument) {
    scene_as_first(argument, first_allocates);
}

static void other_allocates(struct scene *s) {
    scene_allocate(s, s->foreign, 4);
}

static void allocate_other(void *argument) {
    scene_as_other(argument, other_allocates);
}

static void collect(void *argument) {
    (void)argument;
    hak_collect();
}

/* ---- Scenes ---------------------------------------------------------------------------------- */

static void test_send_and_end(void **state) {
    (void)state;
    scene_start(&scene, 100, 60);
    run(free_foreign, other_ends);
}

static void test_end_and_send(void **state) {
    (void)state;
    scene_start(&scene, 100, 60);
    run(other_ends, free_foreign);
}

static void test_drain_and_send(void **state) {
    (void)state;
    scene_start(&scene, 100, 120);
    free_foreign(&scene);
    scene_as_other(&scene, (void (*)(struct scene *))(void (*)(void))hak_tiny_magazine_flush_all);
    free_foreign(&scene);
    run(allocate_other, free_foreign);
}

static void test_send_and_drain(void **state) {
    (void)state;
    scene_start(&scene, 100, 120);
    run(free_foreign, allocate_other);
}

/* A parked heap is claimed by the one and the other. */
static void test_raid_and_begin(void **state) {
    (void)state;
    scene_start(&scene, 5000, 30);
    other_ends(&scene);
    hak_tiny_magazine_flush_all();
    run(allocate, third_begins);
}

static void test_begin_and_raid(void **state) {
    (void)state;
    scene_start(&scene, 5000, 30);
    other_ends(&scene);
    hak_tiny_magazine_flush_all();
    run(third_begins, allocate);
}

/* A block of a slab that is changing hands is freed by a third thread. */
static void free_foreign_as_third(void *argument) {
    struct fake_thread *running = fake_thread_switch(&scene.third);
    scene_release(argument, scene.foreign, 12);
    fake_thread_switch(running);
}

static void test_raid_and_free(void **state) {
    (void)state;
    scene_start(&scene, 20000, 20); /* slabs of several units */
    third_begins(&scene);
    other_ends(&scene);
    run(allocate, free_foreign_as_third);
}

static void test_relieve_and_begin(void **state) {
    (void)state;
    scene_start(&scene, 8 * KIB, 30);
    other_ends(&scene);
    run(free_foreign, third_begins);
}

static void test_collect_and_begin(void **state) {
    (void)state;
    scene_start(&scene, 1000, 100);
    other_ends(&scene);
    free_foreign(&scene);
    run(collect, third_begins);
}

static void test_begin_and_begin(void **state) {
    (void)state;
    scene_start(&scene, 1000, 10);
    other_ends(&scene);
    static struct fake_thread ended;
    fake_thread_switch(&ended);
    scene_allocate(&scene, scene.foreign + 50, 5);
    fake_thread_end();
    fake_thread_switch(&scene.first);
    run(third_begins, allocate);
}

/* ---- First-class heaps ----------------------------------------------------------------------- */

static struct hak_heap *heap;
static void *heap_block[80];

static void heap_allocate(void *argument) {
    (void)argument;
    for (size_t i = 40; i < 60; i++) {
        heap_block[i] = hak_heap_malloc(heap, 300);
        engine_fill(heap_block[i], 300, i);
    }
}

static void heap_free_some(void *argument) {
    struct scene *s = argument;
    struct fake_thread *running = fake_thread_switch(&s->other);
    for (size_t i = 0; i < 40; i += 2) {
        hak_free(heap_block[i]);
        heap_block[i] = NULL;
    }
    fake_thread_switch(running);
}

static void heap_start(void) {
    scene_start(&scene, 300, 10);
    heap = hak_heap_new();
    for (size_t i = 0; i < 40; i++) engine_fill(heap_block[i] = hak_heap_malloc(heap, 300), 300, i);
}

static void heap_check_and_end(void *argument) {
    for (size_t i = 0; i < 80; i++) {
        if (heap_block[i]) assert_true(engine_intact(heap_block[i], 300, i));
    }
    hak_heap_destroy(heap);
    scene_check_and_end(argument);
}

static void test_heap_allocates_and_blocks_are_freed(void **state) {
    (void)state;
    heap_start();
    step_preempt(heap_allocate, heap_free_some, heap_check_and_end, &scene);
}

/* ---- Signal handlers ------------------------------------------------------------------------- */

/* The handler allocates and frees blocks of all kinds; the thread is its own. */
static void handler(void *argument) {
    struct scene *s = argument;
    errno = 4711;
    scene_allocate(s, s->foreign + 100, 3);
    scene_release(s, s->foreign, 2); /* of the other thread */
    scene_release(s, s->block, 1);   /* of this one */
    void *huge = hak_malloc(3 * MIB);
    assert_non_null(huge);
    hak_free(huge);
    assert_int_equal(errno, 4711); /* P3 */
    scene_release(s, s->foreign + 100, 1);
}

static void *last;

static void allocate_with_an_empty_bin(void *argument) {
    struct scene *s = argument;
    last = hak_malloc(s->size);
    if (last) engine_fill(last, s->size < 1000 ? s->size : 1000, 99);
}

static void handler_after(void *argument) {
    struct scene *s = argument;
    assert_non_null(last);
    assert_true(engine_intact(last, s->size < 1000 ? s->size : 1000, 99));
    hak_free(last);
    last = NULL;
    scene_check_blocks(s);
    engine_check_span();
    engine_check_heaps();
}

static void run_handler(size_t size, const char *mode) {
    engine_mode(mode);
    scene_start(&scene, size, 40);
    hak_tiny_magazine_flush_all();
    step_preempt(allocate_with_an_empty_bin, handler, handler_after, &scene);
}

static void test_handler_in_refill(void **state) {
    (void)state;
    run_handler(48, "fast");
}

static void test_handler_in_refill_checked(void **state) {
    (void)state;
    run_handler(48, "checked");
}

static void test_handler_in_large_refill(void **state) {
    (void)state;
    run_handler(100 * KIB, "fast");
}

/* A signal in the first malloc of all: whoever finishes last must not
 * forget what the other made. */
static void first_malloc(void *argument) {
    struct scene *s = argument;
    allocate_with_an_empty_bin(s);
}

static void first_handler(void *argument) {
    struct scene *s = argument;
    scene_allocate(s, s->foreign, 3);
}

static void first_after(void *argument) {
    struct scene *s = argument;
    hak_free(last);
    scene_check_blocks(s);
    scene_release(s, s->foreign, SCENE_BLOCKS);
    fake_thread_end();
    engine_check_empty();
}

static void test_handler_in_first_malloc(void **state) {
    (void)state;
    scene.size = 100;
    step_preempt(first_malloc, first_handler, first_after, &scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_send_and_end),
        ISOLATED(test_end_and_send),
        ISOLATED(test_drain_and_send),
        ISOLATED(test_send_and_drain),
        ISOLATED(test_raid_and_begin),
        ISOLATED(test_begin_and_raid),
        ISOLATED(test_raid_and_free),
        ISOLATED(test_relieve_and_begin),
        ISOLATED(test_collect_and_begin),
        ISOLATED(test_begin_and_begin),
        ISOLATED(test_heap_allocates_and_blocks_are_freed),
        ISOLATED(test_handler_in_refill),
        ISOLATED(test_handler_in_refill_checked),
        ISOLATED(test_handler_in_large_refill),
        ISOLATED(test_handler_in_first_malloc),
    };
    return cmocka_run_group_tests_name("whole/preemption_heaps", tests, NULL, NULL);
}
