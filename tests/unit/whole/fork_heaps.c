/* SPDX-License-Identifier: MIT
 *
 * As fork_steps.c, with a first-class heap: another thread forks while it is at work, or is being
 * destroyed.
 */
#include "scene.h"

#include "step.h"

static struct scene scene;
static struct hak_heap *heap;

static void heap_work(void *argument) {
    (void)argument;
    for (int i = 0; i < 5; i++) hak_heap_malloc(heap, 700);
    hak_heap_malloc(heap, 3 * MIB);
}

static void heap_child(void *argument) {
    struct scene *s = argument;
    scene_child(argument);
    for (int i = 0; i < 30; i++) { /* the heap itself works too */
        engine_enter(&s->table, 400 + (size_t)i, hak_heap_malloc(heap, 700), 700);
    }
    engine_check_table(&s->table);
    hak_free(engine_leave(&s->table, 400));
    hak_heap_destroy(heap);
}

static void test_first_class_heap(void **state) {
    (void)state;
    scene_start(&scene, 700, 10);
    heap = hak_heap_new();
    heap_work(&scene);
    step_fork(heap_work, heap_child, &scene);
    hak_heap_destroy(heap);
    scene_check_and_end(&scene);
}

/* What waits in its inbox leads to slabs that are being released. */
static void destroy(void *argument) {
    (void)argument;
    hak_heap_destroy(heap);
}

static void check_destroy(const char *mode) {
    engine_mode(mode);
    scene_start(&scene, 700, 10);
    heap = hak_heap_new();
    void *block[20];
    for (int i = 0; i < 20; i++) block[i] = hak_heap_malloc(heap, i % 2 ? 700 : 3000);
    for (int i = 0; i < 20; i += 3) hak_free(block[i]);
    step_fork(destroy, scene_child, &scene);
    scene_check_and_end(&scene);
}

static void test_destroy(void **state) {
    (void)state;
    check_destroy("fast");
}

static void test_destroy_checked(void **state) {
    (void)state;
    check_destroy("checked");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_first_class_heap),
        ISOLATED(test_destroy),
        ISOLATED(test_destroy_checked),
    };
    return cmocka_run_group_tests_name("whole/fork_heaps", tests, NULL, NULL);
}
