/* SPDX-License-Identifier: MIT
 *
 * Signal handlers, as in handlers.c, at each instruction of a thread's first call and of its end,
 * where the thread gets and loses its heap (H4, H5); and handlers that fork and go on in the child.
 */
#include "scene.h"

#include "front/slow.h"
#include "heap/adopt.h"
#include "heap/registry.h"
#include "step.h"

#define LARGE_SIZE (9 * KIB) /* above the fast path; checked mode has its quick checks for it */

static struct scene scene;
static void *last;        /* the block of the interrupted malloc */
static void *large_block; /* of LARGE_SIZE */

static bool is_parked(const struct hak_heap *heap) {
    return hak_registry_is_parked(heap->id, HAK_PARKED_THREAD);
}

static void run(void (*operation)(void *), void (*handler)(void *), void (*after)(void *)) {
    step_preempt(operation, handler, after, &scene);
}

/* ---- A thread's first call ------------------------------------------------------------------- */

static struct fake_thread more[2];

static void handler_attaches(void *argument) {
    struct scene *s = argument;
    scene_allocate(s, s->foreign + 100, 3);
    scene_release(s, s->foreign + 100, 1);
}

static void allocate(void *argument) {
    struct scene *s = argument;
    last = hak_malloc(s->size);
    assert_non_null(last);
    engine_fill(last, s->size, 99);
}

static void free_foreign(void *argument) {
    struct scene *s = argument;
    scene_release(s, s->foreign, 1);
}

static void first_call_after(void *argument) {
    assert_non_null(hak_tls.heap);
    assert_int_equal(hak_tls.state, HAK_TLS_READY);
    if (is_parked(hak_tls.heap)) fail_msg("heap %u, of this thread, is parked", hak_tls.heap->id);
    if (last) assert_true(engine_intact(last, scene.size, 99));
    hak_free(last);
    last = NULL;
    fake_thread_switch(&more[1]); /* may not get that heap */
    scene_allocate(&scene, scene.foreign + 150, 20);
    fake_thread_switch(&scene.third);
    scene_allocate(&scene, scene.foreign + 200, 20);
    scene_check_blocks(&scene);
    fake_thread_switch(&more[0]);
    fake_thread_end();
    fake_thread_switch(&more[1]);
    fake_thread_end();
    fake_thread_switch(&scene.first);
    scene_check_and_end(argument);
}

/* The third thread runs, and has made no call yet.  Each bit of an id is in use. */
static void first_call_start(const char *mode) {
    engine_mode(mode);
    scene_start(&scene, 48, 40);
    fake_thread_switch(&more[0]);
    hak_slow_start();
    fake_thread_switch(&scene.third);
}

static void test_free_first(void **state) {
    (void)state;
    first_call_start("fast");
    run(free_foreign, handler_attaches, first_call_after);
}

static void test_free_first_checked(void **state) {
    (void)state;
    first_call_start("checked");
    run(free_foreign, handler_attaches, first_call_after);
}

/* The handler adopts the heap that the block belongs to. */
static void test_free_first_and_adopt(void **state) {
    (void)state;
    first_call_start("fast");
    fake_thread_switch(&scene.other);
    fake_thread_end();
    fake_thread_switch(&scene.third);
    run(free_foreign, handler_attaches, first_call_after);
}

static void test_malloc_first(void **state) {
    (void)state;
    first_call_start("fast");
    run(allocate, handler_attaches, first_call_after);
}

/* There are two parked heaps to take. */
static void test_malloc_first_and_adopt(void **state) {
    (void)state;
    first_call_start("fast");
    fake_thread_switch(&scene.other);
    fake_thread_end();
    fake_thread_switch(&more[0]);
    fake_thread_end();
    fake_thread_switch(&scene.third);
    run(allocate, handler_attaches, first_call_after);
}

/* The first call of the process. */
static void test_malloc_first_of_all(void **state) {
    (void)state;
    scene.size = 48;
    fake_thread_switch(&scene.third);
    run(allocate, handler_attaches, first_call_after);
}

/* ---- A thread's end -------------------------------------------------------------------------- */

/* libc forgets what was asked for before it calls it. */
static void end(void *argument) {
    struct scene *s = argument;
    void (*ended)(void *) = s->third.ended;
    s->third.ended = NULL;
    ended(s->third.value);
}

/* Frees blocks of the ending thread, and allocates. */
static void handler_at_end(void *argument) {
    struct scene *s = argument;
    hak_free(large_block);
    large_block = NULL;
    scene_release(s, s->foreign + 100, 1);
    scene_allocate(s, s->foreign + 120, 3);
    scene_release(s, s->foreign + 120, 1);
}

/* The thread has no heap, or one that nobody else can get; and can still work. */
static void end_after(void *argument) {
    struct scene *s = argument;
    if (hak_tls.heap && is_parked(hak_tls.heap)) {
        fail_msg("heap %u, of this thread, is parked", hak_tls.heap->id);
    }
    if (!hak_tls.heap) assert_int_equal(hak_tls.state, HAK_TLS_EXITED);
    hak_free(large_block);
    large_block = NULL;
    scene_allocate(s, s->foreign + 150, 20);
    fake_thread_switch(&more[1]); /* adopts what is parked */
    scene_allocate(s, s->foreign + 180, 20);
    fake_thread_switch(&s->third);
    scene_allocate(s, s->foreign + 210, 20);
    scene_check_blocks(s);
    fake_thread_switch(&more[1]);
    fake_thread_end();
    fake_thread_switch(&s->first);
    scene_check_and_end(s);
}

static void end_start(const char *mode) {
    engine_mode(mode);
    scene_start(&scene, 48, 20);
    fake_thread_switch(&scene.third);
    scene_allocate(&scene, scene.foreign + 100, 10);
    large_block = hak_malloc(LARGE_SIZE);
}

static void test_end(void **state) {
    (void)state;
    end_start("fast");
    run(end, handler_at_end, end_after);
}

static void test_end_checked(void **state) {
    (void)state;
    end_start("checked");
    run(end, handler_at_end, end_after);
}

/* ---- A handler that forks -------------------------------------------------------------------- */

static void handler_forks(void *argument) {
    struct scene *s = argument;
    fake_fork();
    scene_allocate(s, s->foreign + 100, 3);
    scene_release(s, s->foreign + 100, 1);
    fake_page_fail(FAKE_BIT(FAKE_MAP), 1, FAKE_FOR_EVER);
    assert_null(hak_malloc(40 * MIB)); /* looks for memory in all parked heaps */
    fake_page_fail_never();
}

/* No heap is parked twice, or in use and parked. */
static void fork_after(void *argument) {
    uint32_t parked = 0;
    hak_adopt_after_fork();
    for (uint32_t id = 1; id <= hak_registry_count(); id++) {
        parked += hak_registry_is_parked(id, HAK_PARKED_THREAD);
    }
    assert_int_equal(hak_registry_parked_count(HAK_PARKED_THREAD), parked);
    assert_false(is_parked(hak_tls.heap));
    scene_check_and_end(argument);
}

static void raid(void *argument) {
    struct scene *s = argument;
    scene_allocate(s, s->block, 1);
}

static void test_fork_in_a_raid(void **state) {
    (void)state;
    scene_start(&scene, 20000, 5);
    fake_thread_switch(&scene.other);
    fake_thread_end();
    fake_thread_switch(&scene.first);
    hak_tiny_magazine_flush_all();
    while (hak_tls.heap->cold[hak_class_of(20000)].partial) {
        scene_allocate(&scene, scene.block, 1);
    }
    run(raid, handler_forks, fork_after);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_free_first),
        ISOLATED(test_free_first_checked),
        ISOLATED(test_free_first_and_adopt),
        ISOLATED(test_malloc_first),
        ISOLATED(test_malloc_first_and_adopt),
        ISOLATED(test_malloc_first_of_all),
        ISOLATED(test_end),
        ISOLATED(test_end_checked),
        ISOLATED(test_fork_in_a_raid),
    };
    return cmocka_run_group_tests_name("whole/handlers_life", tests, NULL, NULL);
}
