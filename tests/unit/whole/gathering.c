/* SPDX-License-Identifier: MIT
 *
 * Frees of another heap's blocks, and blocks that change their size where they are, interrupted at
 * each instruction: by a handler of their own thread, which finds malloc's and free's doors open
 * while a block is gathered (H5), and by a fork.
 */
#include "scene.h"

#include "heap/parcel.h"
#include "step.h"

static struct scene scene;
static size_t new_size;

static void start(const char *mode, bool chains) {
    engine_mode(mode);
    scene_start(&scene, 64, 100);
    if (chains) {
        while (hak_parcel_take(hak_tls.heap)) {
        }
    }
    scene_release(&scene, scene.foreign, 10); /* fast mode keeps a few of them */
    assert_int_equal(hak_tls.state, HAK_TLS_READY);
}

static void gather(void *argument) {
    (void)argument;
    scene_release(&scene, scene.foreign, 1);
}

/* Others for the same owner, until they are sent, and for itself. */
static void handler_gathers(void *argument) {
    (void)argument;
    scene_release(&scene, scene.foreign + 30, 40);
}

static void handler_works_on_large(void *argument) {
    (void)argument;
    void *large = hak_realloc(hak_malloc(100 * KIB), 40 * KIB);
    hak_free(hak_realloc(large, 3 * MIB));
    hak_free(NULL);
}

/* The doors are open: any bin, full and empty; and what is in none. */
static void handler_works(void *argument) {
    scene_release(&scene, scene.block, 60);
    scene_allocate(&scene, scene.block, 80);
    handler_works_on_large(argument);
}

static void after(void *argument) {
    assert_int_equal(hak_tls.state, HAK_TLS_READY);
    scene_release(&scene, scene.foreign, 5);
    scene_check_and_end(argument);
}

static void test_gathers(void **state) {
    (void)state;
    start("fast", false);
    step_preempt(gather, handler_gathers, after, &scene);
}

static void test_gathers_checked(void **state) {
    (void)state;
    start("checked", false);
    step_preempt(gather, handler_gathers, after, &scene);
}

static void test_gathers_in_chains(void **state) {
    (void)state;
    start("fast", true);
    step_preempt(gather, handler_gathers, after, &scene);
}

static void test_gathers_in_chains_checked(void **state) {
    (void)state;
    start("checked", true);
    step_preempt(gather, handler_gathers, after, &scene);
}

static void test_works(void **state) {
    (void)state;
    start("fast", false);
    step_preempt(gather, handler_works, after, &scene);
}

static void test_works_checked(void **state) {
    (void)state;
    start("checked", true);
    step_preempt(gather, handler_works, after, &scene);
}

static void test_fork(void **state) {
    (void)state;
    start("fast", false);
    step_fork(gather, scene_child, &scene);
}

static void test_fork_checked(void **state) {
    (void)state;
    start("checked", false);
    step_fork(gather, scene_child, &scene);
}

static void test_fork_in_chains(void **state) {
    (void)state;
    start("fast", true);
    step_fork(gather, scene_child, &scene);
}

static void test_fork_in_chains_checked(void **state) {
    (void)state;
    start("checked", true);
    step_fork(gather, scene_child, &scene);
}

/* ---- Resizing -------------------------------------------------------------------------------- */

static void resize(void *argument) {
    (void)argument;
    void *resized = hak_realloc(scene.block[0], new_size);
    assert_ptr_equal(resized, scene.block[0]);
}

/* The block was made smaller before, so that there is room to grow into. */
static void start_resize(size_t size, size_t first, size_t then) {
    engine_mode("checked");
    scene_start(&scene, size, 1);
    new_size = first;
    resize(NULL);
    new_size = then;
}

static void test_fork_while_it_shrinks(void **state) {
    (void)state;
    start_resize(MIB, MIB, 100 * KIB);
    step_fork(resize, scene_child, &scene);
}

static void test_fork_while_it_grows(void **state) {
    (void)state;
    start_resize(500 * KIB, 100 * KIB, 500 * KIB);
    step_fork(resize, scene_child, &scene);
}

static void test_handler_while_it_shrinks(void **state) {
    (void)state;
    start_resize(MIB, MIB, 100 * KIB);
    step_preempt(resize, handler_works_on_large, scene_check_and_end, &scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_gathers),
        ISOLATED(test_gathers_checked),
        ISOLATED(test_gathers_in_chains),
        ISOLATED(test_gathers_in_chains_checked),
        ISOLATED(test_works),
        ISOLATED(test_works_checked),
        ISOLATED(test_fork),
        ISOLATED(test_fork_checked),
        ISOLATED(test_fork_in_chains),
        ISOLATED(test_fork_in_chains_checked),
        ISOLATED(test_fork_while_it_shrinks),
        ISOLATED(test_fork_while_it_grows),
        ISOLATED(test_handler_while_it_shrinks),
    };
    return cmocka_run_group_tests_name("whole/gathering", tests, NULL, NULL);
}
