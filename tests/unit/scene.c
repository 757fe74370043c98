/* SPDX-License-Identifier: MIT
 *
 * Scenes.  Header: scene.h.
 */
#include "scene.h"

#include "heap/adopt.h"

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

/* ---- A forked child -------------------------------------------------------------------------- */

#define LIVE 24u /* blocks that a thread of the child allocates at a time */

static struct fake_thread later[3];

/* Blocks of all kinds, which must not overlap each other or what was there before; half of them are
 * freed again. */
static void scene_live(struct scene *s, uint64_t seed) {
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

static void scene_thread_of_child(struct scene *s, struct fake_thread *thread, uint64_t seed) {
    struct fake_thread *running = fake_thread_switch(thread);
    scene_live(s, seed);
    fake_thread_switch(running);
}

void scene_child(void *argument) {
    struct scene *s = argument;
    fake_thread_switch(&s->other); /* the thread that forked */
    fake_fork();
    hak_adopt_after_fork(); /* heap/test_thread_heap.c has the other case */
    scene_check_blocks(s);
    scene_thread_of_child(s, &later[0], 2); /* adopts a heap that is parked now */
    scene_live(s, 1);                       /* raids the others */
    scene_thread_of_child(s, &later[1], 3);
    scene_check_blocks(s);
    scene_release(s, s->block, SCENE_BLOCKS);
    scene_release(s, s->foreign, SCENE_BLOCKS / 2);
    fake_thread_switch(&later[0]);
    fake_thread_end();
    fake_thread_switch(&later[2]);
    scene_live(s, 3);
    scene_release(s, s->foreign, SCENE_BLOCKS);
    engine_check_table(&s->table);
    engine_free_table(&s->table);
    hak_collect();
    fake_thread_switch(&s->other);
    scene_live(s, 1);
    engine_free_table(&s->table);
}
