/* SPDX-License-Identifier: MIT
 *
 * Threads of a forked child beside the thread that forked, which sorts the heaps of the threads
 * that are gone (hak_adopt_after_fork): at each instruction of the one, the other runs.  The other
 * may use a first-class heap, begin (and adopt a heap, or make one), or raid a parked heap; what it
 * has must not be taken from it (H4, P1).  And a fork while a heap is being made.
 *
 * Not here: what the child finds of an operation that another thread did at the fork
 * (fork_steps.c).
 */
#include "scene.h"

#include "front/slow.h"
#include "heap/adopt.h"
#include "heap/registry.h"
#include "os/lock.h"
#include "step.h"

#include <string.h>

static struct scene scene;
static struct fake_thread later[3];

/* The first thread forks: the other one is gone, and its heap has nobody. */
static void fork_here(void) {
    fake_fork();
    memset(&scene.other, 0, sizeof scene.other);
}

static void first_sorts(struct scene *s) {
    (void)s;
    hak_adopt_after_fork();
}

static void sort(void *argument) {
    scene_as_first(argument, first_sorts);
}

static bool is_parked(const struct hak_heap *heap) {
    return hak_registry_is_parked(heap->id, HAK_PARKED_THREAD);
}

/* The heap of a living thread. */
static struct hak_heap *heap_of(struct fake_thread *thread) {
    struct fake_thread *running = fake_thread_switch(thread);
    struct hak_heap *heap = hak_tls.heap;
    fake_thread_switch(running);
    return heap;
}

static void check_owned(struct fake_thread *thread, const char *name) {
    const struct hak_heap *heap = heap_of(thread);
    assert_non_null(heap);
    if (is_parked(heap)) fail_msg("heap %u of the %s thread is parked", heap->id, name);
}

/* Both threads live and work; a new one gets a heap of its own. */
static void check_threads(struct scene *s) {
    sort(s); /* if it was not done */
    fake_thread_switch(&s->third);
    hak_slow_start(); /* the same */
    fake_thread_switch(&s->first);
    check_owned(&s->first, "first");
    check_owned(&s->third, "third");
    assert_ptr_not_equal(heap_of(&s->first), heap_of(&s->third));
    struct fake_thread *running = fake_thread_switch(&later[2]);
    scene_allocate(s, s->foreign + 200, 20);
    assert_ptr_not_equal(hak_tls.heap, heap_of(&s->first));
    assert_ptr_not_equal(hak_tls.heap, heap_of(&s->third));
    fake_thread_switch(&s->third);
    scene_allocate(s, s->foreign + 150, 20);
    fake_thread_switch(&later[2]);
    scene_check_blocks(s);
    fake_thread_end();
    fake_thread_switch(running);
}

static void check_threads_and_end(void *argument) {
    check_threads(argument);
    scene_check_and_end(argument);
}

static void run(void (*operation)(void *), void (*meanwhile)(void *), void (*after)(void *)) {
    step_preempt(operation, meanwhile, after, &scene);
}

/* ---- A first-class heap ---------------------------------------------------------------------- */

static struct hak_heap *heap;
static void *heap_block[80];

static void heap_allocate(size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        heap_block[i] = hak_heap_malloc(heap, 300);
        assert_non_null(heap_block[i]);
        engine_fill(heap_block[i], 300, i);
    }
}

static bool heap_is_held(void) {
    if (!hak_lock_try(&heap->lock)) return true;
    hak_lock_release(&heap->lock);
    return false;
}

static void third_in_heap(void *argument) {
    (void)argument;
    struct fake_thread *running = fake_thread_switch(&scene.third);
    if (!heap_is_held()) heap_allocate(40, 48);
    fake_thread_switch(running);
}

/* The thread that forked sorts the heaps, and works in this one if it need not wait for that. */
static void sort_and_use(void *argument) {
    bool held = heap_is_held();
    sort(argument);
    if (held && !heap_is_held()) fail_msg("a lock that a living thread holds was taken from it");
    struct fake_thread *running = fake_thread_switch(&scene.first);
    if (!held) heap_allocate(50, 60);
    fake_thread_switch(running);
}

static void heap_check_and_end(void *argument) {
    sort(argument);
    assert_false(heap_is_held());
    heap_allocate(60, 80);
    for (size_t i = 0; i < 80; i++) {
        if (heap_block[i] && !engine_intact(heap_block[i], 300, i)) {
            fail_msg("block %zu of the heap was overwritten", i);
        }
    }
    hak_heap_destroy(heap);
    scene_check_and_end(argument);
}

/* lost: a thread was inside the heap when the process was forked. */
static void heap_start(bool lost) {
    scene_start(&scene, 300, 10);
    heap = hak_heap_new();
    assert_non_null(heap);
    heap_allocate(0, 30);
    if (lost) {
        assert_true(hak_lock_try(&heap->lock));
        atomic_store(&heap->busy, 1);
    }
    fork_here();
}

static void test_use_a_heap_and_sort(void **state) {
    (void)state;
    heap_start(false);
    run(third_in_heap, sort_and_use, heap_check_and_end);
}

static void test_sort_and_use_a_heap(void **state) {
    (void)state;
    heap_start(false);
    run(sort, third_in_heap, heap_check_and_end);
}

static void test_use_a_lost_heap_and_sort(void **state) {
    (void)state;
    heap_start(true);
    run(third_in_heap, sort_and_use, heap_check_and_end);
}

static void test_sort_and_use_a_lost_heap(void **state) {
    (void)state;
    heap_start(true);
    run(sort, third_in_heap, heap_check_and_end);
}

/* ---- A thread that begins -------------------------------------------------------------------- */

static void third_begins(void *argument) {
    struct scene *s = argument;
    struct fake_thread *running = fake_thread_switch(&s->third);
    scene_allocate(s, s->foreign + 100, 4);
    scene_release(s, s->foreign + 100, 2);
    fake_thread_switch(running);
}

/* `parked`: heaps of threads that ended before the fork.  torn: the other thread was inside its
 * slow path (with empty magazines, so that nothing is lost). */
static void begin_start(size_t parked, bool torn) {
    scene_start(&scene, 300, 10);
    for (size_t i = 0; i < parked; i++) {
        fake_thread_switch(&later[i]);
        hak_free(hak_malloc(300));
    }
    for (size_t i = 0; i < parked; i++) {
        fake_thread_switch(&later[i]);
        fake_thread_end();
    }
    fake_thread_switch(&scene.other);
    hak_tiny_magazine_flush_all();
    atomic_store(&hak_tls.heap->busy, torn);
    fake_thread_switch(&scene.first);
    fork_here();
}

static void test_begin_and_sort(void **state) {
    (void)state;
    begin_start(0, false);
    run(third_begins, sort, check_threads_and_end);
}

static void test_sort_and_begin(void **state) {
    (void)state;
    begin_start(0, false);
    run(sort, third_begins, check_threads_and_end);
}

static void test_begin_with_a_parked_heap_and_sort(void **state) {
    (void)state;
    begin_start(1, false);
    run(third_begins, sort, check_threads_and_end);
}

static void test_sort_and_begin_with_a_parked_heap(void **state) {
    (void)state;
    begin_start(1, false);
    run(sort, third_begins, check_threads_and_end);
}

static void test_begin_and_sort_a_torn_heap(void **state) {
    (void)state;
    begin_start(2, true);
    run(third_begins, sort, check_threads_and_end);
}

static void test_sort_a_torn_heap_and_begin(void **state) {
    (void)state;
    begin_start(2, true);
    run(sort, third_begins, check_threads_and_end);
}

/* ---- A raid ---------------------------------------------------------------------------------- */

static struct hak_heap *victim; /* parked, with a slab that has blocks to give */

static void third_raids(void *argument) {
    struct scene *s = argument;
    struct fake_thread *running = fake_thread_switch(&s->third);
    scene_allocate(s, s->foreign + 100, 1);
    fake_thread_switch(running);
}

static void sort_beside_a_raid(void *argument) {
    bool claimed = !is_parked(victim);
    sort(argument);
    if (claimed && is_parked(victim)) {
        fail_msg("heap %u, which a living thread has claimed, is parked", victim->id);
    }
}

static void raid_check_and_end(void *argument) {
    sort(argument);
    assert_true(is_parked(victim));
    check_threads_and_end(argument);
}

/* The third thread has a heap since the fork, and no slab in it. */
static void raid_start(void) {
    scene_start(&scene, 300, 10);
    fake_thread_switch(&later[0]);
    hak_slow_start();
    fake_thread_switch(&later[1]);
    scene_allocate(&scene, scene.foreign + 50, 3);
    victim = hak_tls.heap;
    fake_thread_end();
    fake_thread_switch(&later[0]);
    fake_thread_end();
    fake_thread_switch(&scene.first);
    fork_here();
    fake_thread_switch(&scene.third);
    hak_slow_start();
    assert_ptr_not_equal(hak_tls.heap, victim);
    fake_thread_switch(&scene.first);
    assert_true(is_parked(victim));
}

static void test_raid_and_sort(void **state) {
    (void)state;
    raid_start();
    run(third_raids, sort_beside_a_raid, raid_check_and_end);
}

static void test_sort_and_raid(void **state) {
    (void)state;
    raid_start();
    run(sort, third_raids, raid_check_and_end);
}

/* ---- A heap that was being made at the fork -------------------------------------------------- */

static void child_of_a_maker(void *argument) {
    struct scene *s = argument;
    fake_thread_switch(&s->first);
    fork_here();
    hak_adopt_after_fork();
    for (uint32_t id = 1; id <= hak_registry_count(); id++) {
        const struct hak_heap *made = hak_registry_get(id);
        if (made && made->id != id) fail_msg("heap %u has the id %u", id, made->id);
        if (made) assert_int_equal(made->tag, hak_tag_make(id, 0));
    }
    for (size_t i = 0; i < UNIT_COUNT(later); i++) { /* they adopt all that can be adopted */
        fake_thread_switch(&later[i]);
        scene_allocate(s, s->foreign + 110 + 20 * i, 20);
        assert_false(is_parked(hak_tls.heap));
    }
    heap = hak_heap_new();
    heap_allocate(0, 20);
    for (size_t i = 0; i < 20; i++) assert_true(engine_intact(heap_block[i], 300, i));
    scene_check_blocks(s);
    engine_check_heaps();
}

static void new_heap(void *argument) {
    (void)argument;
    heap = hak_heap_new();
}

static void run_maker(void (*operation)(void *)) {
    scene_start(&scene, 300, 10);
    step_fork(operation, child_of_a_maker, &scene);
    scene_check_and_end(&scene);
}

static void test_fork_in_begin(void **state) {
    (void)state;
    run_maker(third_begins);
}

static void test_fork_in_heap_new(void **state) {
    (void)state;
    run_maker(new_heap);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_use_a_heap_and_sort),
        ISOLATED(test_sort_and_use_a_heap),
        ISOLATED(test_use_a_lost_heap_and_sort),
        ISOLATED(test_sort_and_use_a_lost_heap),
        ISOLATED(test_begin_and_sort),
        ISOLATED(test_sort_and_begin),
        ISOLATED(test_begin_with_a_parked_heap_and_sort),
        ISOLATED(test_sort_and_begin_with_a_parked_heap),
        ISOLATED(test_begin_and_sort_a_torn_heap),
        ISOLATED(test_sort_a_torn_heap_and_begin),
        ISOLATED(test_raid_and_sort),
        ISOLATED(test_sort_and_raid),
        ISOLATED(test_fork_in_begin),
        ISOLATED(test_fork_in_heap_new),
    };
    return cmocka_run_group_tests_name("whole/child_threads", tests, NULL, NULL);
}
