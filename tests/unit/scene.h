/* SPDX-License-Identifier: MIT
 *
 * A scene for tests of the whole engine that need several threads: blocks in use that nothing may
 * happen to, blocks that this thread works on, and another (simulated) thread with its own.
 */
#ifndef HAK_TESTS_UNIT_SCENE_H
#define HAK_TESTS_UNIT_SCENE_H

#include "engine.h"

#define SCENE_BLOCKS 256u

struct scene {
    struct engine_table table; /* in use all the time */
    struct fake_thread first, other, third;
    void *block[SCENE_BLOCKS];   /* of the first thread */
    void *foreign[SCENE_BLOCKS]; /* of the other one */
    size_t size;                 /* of all these */
};

/* `count` blocks of `size` for each of the two threads; the first one runs. */
void scene_start(struct scene *scene, size_t size, size_t count);

/* Runs a function as the other thread (the first). */
void scene_as_other(struct scene *scene, void (*run)(struct scene *scene));
void scene_as_first(struct scene *scene, void (*run)(struct scene *scene));

/* Fills `count` empty places with new blocks; frees the first `count` blocks. */
void scene_allocate(struct scene *scene, void **block, size_t count);
void scene_release(struct scene *scene, void **block, size_t count);

/* All blocks have their contents. */
void scene_check_blocks(struct scene *scene);

/* The same, the whole engine agrees with itself, and all of it can be freed and given back. */
void scene_check_and_end(void *scene);

/* The life of a child that the other thread has forked (step.h), in which the first one is gone:
 * blocks that were in use have their contents, its threads can allocate, free all blocks whoever
 * owned them, begin and end, and no block is handed out twice. */
void scene_child(void *scene);

#endif
