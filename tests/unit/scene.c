/* SPDX-License-Identifier: MIT
 *
 * Scenes.  Header: scene.h.
 */
#include "scene.h"

#define SCENE_TABLE 30u

/* The beginnings of large blocks are enough here. */
static size_t scene_shown(size_t size) {
    return size < 1000 ? size : 1000;
}

void scene_as_other(struct scene *scene, void (*run)(struct scene *scene)) {
    struct fake_thread *running = fake_thread_switch(&scene->other);
    run(scene);
    fake_thread_switch(running);
}

void scene_as_first(struct scene *scene, void (*run)(struct scene *scene)) {
    struct fake_thread *running = fake_thread_switch(&scene->first);
    run(scene);
    fake_thread_switch(running);
}

void scene_allocate(struct scene *scene, void **block, size_t count) {
    for (size_t i = 0; count; i++) {
        if (block[i]) continue;
        void *new = hak_malloc(scene->size);
        assert_non_null(new);
        engine_fill(new, scene_shown(scene->size), (uintptr_t)&block[i]);
        block[i] = new; /* last: another thread may look at any time */
        count--;
    }
}

void scene_release(struct scene *scene, void **block, size_t count) {
    for (size_t i = 0; count && i < SCENE_BLOCKS; i++) {
        if (!block[i]) continue;
        assert_true(engine_intact(block[i], scene_shown(scene->size), (uintptr_t)&block[i]));
        void *freed = block[i];
        block[i] = NULL; /* first: the free itself may be interrupted for good */
        hak_free(freed);
        count--;
    }
}

void scene_start(struct scene *scene, size_t size, size_t count) {
    struct engine_random random = {21};
    scene->size = size;
    fake_thread_switch(&scene->other);
    scene_allocate(scene, scene->foreign, count);
    fake_thread_switch(&scene->first);
    for (size_t i = 0; i < SCENE_TABLE; i++) {
        size_t one = engine_size(&random, 20 * KIB);
        engine_enter(&scene->table, i, hak_malloc(one), one);
    }
    scene_allocate(scene, scene->block, count);
}

static void scene_check_row(struct scene *scene, void **block) {
    for (size_t i = 0; i < SCENE_BLOCKS; i++) {
        if (!block[i]) continue;
        assert_true(engine_intact(block[i], scene_shown(scene->size), (uintptr_t)&block[i]));
    }
}

void scene_check_blocks(struct scene *scene) {
    engine_check_table(&scene->table);
    scene_check_row(scene, scene->block);
    scene_check_row(scene, scene->foreign);
}

static void scene_end_thread(struct scene *scene) {
    (void)scene;
    fake_thread_end();
}

void scene_check_and_end(void *argument) {
    struct scene *scene = argument;
    scene_check_blocks(scene);
    engine_check_span();
    engine_check_heaps();
    engine_check_census(NULL);
    scene_release(scene, scene->block, SCENE_BLOCKS);
    scene_release(scene, scene->foreign, SCENE_BLOCKS);
    engine_free_table(&scene->table);
    scene_as_other(scene, scene_end_thread);
    struct fake_thread *running = fake_thread_switch(&scene->third);
    fake_thread_end();
    fake_thread_switch(running);
    engine_check_empty();
}
