/* SPDX-License-Identifier: MIT
 *
 * Signal handlers that allocate and free, at each instruction of a call of their own thread (H5).
 * What a handler does here concerns other classes than the interrupted call's, and must leave the
 * bin alone that this call may have looked at; and whatever state a handler finds, the trap doors
 * are closed in a slow path.
 *
 * Not here: handlers in a refill (preemption_heaps.c), at a thread's begin and end, and handlers
 * that fork (handlers_life.c).
 */
#include "scene.h"

#include "span/purge.h"
#include "step.h"

#define LARGE_SIZE (9 * KIB) /* above the fast path; checked mode has its quick checks for it */

static struct scene scene;
static void *last; /* the block of the interrupted malloc */

static size_t shown(size_t size) {
    return size < 1000 ? size : 1000;
}

static void run(void (*operation)(void *), void (*handler)(void *), void (*after)(void *)) {
    step_preempt(operation, handler, after, &scene);
}

/* ---- Trap doors ------------------------------------------------------------------------------ */

#define ROW_SIZE 64u /* of the blocks that a handler frees */

static unsigned long maps;
static void *row[SCENE_BLOCKS];
static void *large_block; /* of LARGE_SIZE */

/* The engine calls the kernel: here, only inside a slow path. */
static void look_at_the_doors(bool begins) {
    const struct hak_tls *tls = &hak_tls;
    if (!begins) return;
    if (tls->state != HAK_TLS_BUSY) fail_msg("in a slow path, but the state is %u", tls->state);
    if (tls->fast_limit || tls->checked_limit || tls->tag) {
        fail_msg("in a slow path, but the doors are open: limits %zu, %zu, tag %x", tls->fast_limit,
                 tls->checked_limit, tls->tag);
    }
}

static void map_a_region(void *argument) {
    (void)argument;
    last = hak_malloc(MIB);
}

/* A slow path of the handler's own opens the doors at its end. */
static void handler_takes(void *argument) {
    (void)argument;
    hak_free(hak_malloc(20 * KIB));
    fake_hook = look_at_the_doors;
}

/* A free that is due to flush its magazine. */
static void handler_overflows(void *argument) {
    (void)argument;
    for (size_t i = 0; i < 2; i++) hak_free(row[i]);
    fake_hook = look_at_the_doors;
}

/* A free of the thread's own block that is too large for the fast path. */
static void handler_frees_large(void *argument) {
    (void)argument;
    hak_free(large_block);
    fake_hook = look_at_the_doors;
}

static void doors_after(void *argument) {
    (void)argument;
    fake_hook = NULL;
    assert_true(fake_page_calls(FAKE_MAP) > maps);
    assert_int_equal(hak_tls.state, HAK_TLS_READY);
    hak_free(last);
    scene_check_blocks(&scene);
    engine_check_span();
    engine_check_heaps();
}

/* Fills regions until one is mapped, and gives that one back: the next call maps it again. */
static void doors_start(const char *mode) {
    engine_mode(mode);
    scene_start(&scene, 48, 10);
    for (size_t i = 0; i < SCENE_BLOCKS; i++) row[i] = hak_malloc(ROW_SIZE);
    const struct hak_bin *bin = &hak_tls.heap->bin[hak_class_of(ROW_SIZE)];
    for (size_t i = SCENE_BLOCKS; i > 2 && bin->top < bin->limit; i--) hak_free(row[i - 1]);
    large_block = hak_malloc(LARGE_SIZE);
    maps = fake_page_calls(FAKE_MAP);
    do last = hak_malloc(MIB);
    while (fake_page_calls(FAKE_MAP) == maps);
    hak_free(last);
    hak_tiny_magazine_flush((int)hak_class_of(MIB) - 1);
    hak_purge_all();
    maps = fake_page_calls(FAKE_MAP);
}

static void test_doors_and_takes(void **state) {
    (void)state;
    doors_start("fast");
    run(map_a_region, handler_takes, doors_after);
}

static void test_doors_and_takes_checked(void **state) {
    (void)state;
    doors_start("checked");
    run(map_a_region, handler_takes, doors_after);
}

static void test_doors_and_overflows(void **state) {
    (void)state;
    doors_start("fast");
    run(map_a_region, handler_overflows, doors_after);
}

static void test_doors_and_overflows_checked(void **state) {
    (void)state;
    doors_start("checked");
    run(map_a_region, handler_overflows, doors_after);
}

static void test_doors_and_frees(void **state) {
    (void)state;
    doors_start("fast");
    run(map_a_region, handler_frees_large, doors_after);
}

static void test_doors_and_frees_checked(void **state) {
    (void)state;
    doors_start("checked");
    run(map_a_region, handler_frees_large, doors_after);
}

/* ---- The bin that a call works on ------------------------------------------------------------ */

#define OTHER_SIZE (40 * KIB) /* what handlers allocate: not the class of the interrupted call */

static void *taken[64];

static void pop(void *argument) {
    struct scene *s = argument;
    last = hak_malloc(s->size);
    assert_non_null(last);
    engine_fill(last, shown(s->size), 99);
}

static void push(void *argument) {
    struct scene *s = argument;
    scene_release(s, s->block, 1);
}

/* Slow paths enough for idle looks that go round all classes twice. */
static void handler_idles(void *argument) {
    (void)argument;
    for (int look = 0; look < 24; look++) {
        fake_clock_advance(20);
        for (int i = 0; i < 33; i++) hak_free(hak_malloc(OTHER_SIZE));
    }
}

/* An allocation that finds no memory takes what it can from all magazines. */
static void handler_runs_out(void *argument) {
    void *got[100];
    size_t count = 0;
    (void)argument;
    fake_page_fail(FAKE_BIT(FAKE_MAP), 1, FAKE_FOR_EVER);
    while (count < 100 && (got[count] = hak_malloc(MIB))) count++;
    assert_true(count < 100);
    fake_page_fail_never();
    while (count) hak_free(got[--count]);
}

/* A refill drains the inbox, where blocks of the interrupted call's class wait. */
static void handler_drains(void *argument) {
    void *got[8];
    (void)argument;
    for (int i = 0; i < 8; i++) got[i] = hak_malloc(OTHER_SIZE);
    for (int i = 0; i < 8; i++) hak_free(got[i]);
}

static void other_frees(struct scene *s) {
    scene_release(s, s->block, s->size <= KIB ? 70 : 20);
    hak_tiny_magazine_flush_all(); /* sends all of them */
}

/* No block is handed out twice, and none is lost. */
static void bin_after(void *argument) {
    struct scene *s = argument;
    size_t size = shown(s->size);
    for (size_t i = 0; i < UNIT_COUNT(taken); i++) {
        taken[i] = hak_malloc(s->size);
        assert_non_null(taken[i]);
        engine_fill(taken[i], size, 1000 + i);
    }
    if (last && !engine_intact(last, size, 99)) fail_msg("%p was handed out twice", last);
    for (size_t i = 0; i < UNIT_COUNT(taken); i++) {
        if (!engine_intact(taken[i], size, 1000 + i)) {
            fail_msg("%p was handed out twice", taken[i]);
        }
        hak_free(taken[i]);
    }
    hak_free(last);
    scene_check_and_end(s);
}

/* A magazine with a few blocks, and an inbox with many; there is memory for the handler. */
static void bin_start(size_t size, const char *mode) {
    engine_mode(mode);
    fake_clock_set(1000);
    scene_start(&scene, size, 100);
    for (int i = 0; i < 6; i++) { /* the magazine grows */
        if (i) scene_allocate(&scene, scene.block, 8);
        scene_release(&scene, scene.block, 8);
    }
    assert_true(HAK_STRESS || hak_heap_bin_count(hak_tls.heap, hak_class_of(size)));
    for (int i = 0; i < 20; i++) { /* the site of pop is known */
        pop(&scene);
        hak_free(last);
    }
    last = NULL;
    scene_as_other(&scene, other_frees);
    hak_free(hak_malloc(OTHER_SIZE));
}

/* Each size and mode in a process of its own: the hot path, twice, a shared slab and one with a
 * single block above that. */
static void run_bins(void (*operation)(void *), void (*handler)(void *)) {
    static const size_t sizes[] = {48, 5000, LARGE_SIZE, 300 * KIB};
    static const char *const modes[] = {"fast", "checked"};
    if (!step_possible()) skip();
    for (size_t i = 0; i < UNIT_COUNT(sizes) * UNIT_COUNT(modes); i++) {
        size_t size = sizes[i % UNIT_COUNT(sizes)];
        const char *mode = modes[i / UNIT_COUNT(sizes)];
        int status = -1;
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            bin_start(size, mode);
            run(operation, handler, bin_after);
            fflush(NULL);
            _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        if (status) fail_msg("size %zu, %s: wait status 0x%x", size, mode, (unsigned)status);
    }
}

static void test_pop_and_idle(void **state) {
    (void)state;
    run_bins(pop, handler_idles);
}

static void test_push_and_idle(void **state) {
    (void)state;
    run_bins(push, handler_idles);
}

static void test_pop_and_run_out(void **state) {
    (void)state;
    run_bins(pop, handler_runs_out);
}

static void test_push_and_run_out(void **state) {
    (void)state;
    run_bins(push, handler_runs_out);
}

static void test_pop_and_drain(void **state) {
    (void)state;
    run_bins(pop, handler_drains);
}

static void test_push_and_drain(void **state) {
    (void)state;
    run_bins(push, handler_drains);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_doors_and_takes),     ISOLATED(test_doors_and_takes_checked),
        ISOLATED(test_doors_and_overflows), ISOLATED(test_doors_and_overflows_checked),
        ISOLATED(test_doors_and_frees),     ISOLATED(test_doors_and_frees_checked),
        ISOLATED(test_pop_and_idle),        ISOLATED(test_push_and_idle),
        ISOLATED(test_pop_and_run_out),     ISOLATED(test_push_and_run_out),
        ISOLATED(test_pop_and_drain),       ISOLATED(test_push_and_drain),
    };
    return cmocka_run_group_tests_name("whole/handlers", tests, NULL, NULL);
}
