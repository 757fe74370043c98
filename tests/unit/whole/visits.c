/* SPDX-License-Identifier: MIT
 *
 * Visits, at each instruction (step.h): a whole visit inside of each operation of the owner; each
 * operation of the owner inside of a visit, which waits where the owner has to; and forks in the
 * middle of one (H8).
 */
#include "scene.h"

#include "heap/bin.h"
#include "heap/magazine.h"
#include "heap/parcel.h"
#include "heap/visit.h"
#include "step.h"

#include <ucontext.h>

static struct scene scene;
static struct fake_thread visitor, fourth; /* the visitor has no heap */
static struct hak_heap *heap;              /* the one that is visited */
static size_t count;                       /* blocks that an operation works on */

static void visit(void *argument) {
    struct fake_thread *running = fake_thread_switch(&visitor);
    (void)argument;
    hak_visit(heap, true);
    fake_thread_switch(running);
}

/* ---- What the owner does --------------------------------------------------------------------- */

static void allocate(void *argument) {
    (void)argument;
    scene_allocate(&scene, scene.block, count);
}

static void release(void *argument) {
    (void)argument;
    scene_release(&scene, scene.block, count);
}

static void release_foreign(void *argument) {
    (void)argument;
    scene_release(&scene, scene.foreign, count);
}

static void flush(void *argument) {
    (void)argument;
    hak_tiny_magazine_flush_all();
}

static void end(void *argument) {
    (void)argument;
    fake_thread_end();
}

static void begin(void *argument) {
    struct fake_thread *running = fake_thread_switch(&scene.third);
    (void)argument;
    scene_allocate(&scene, scene.block, 2);
    fake_thread_switch(running);
}

/* Of everything, more than there is at hand. */
static void work(void *argument) {
    scene_release(&scene, scene.foreign, 3);
    scene_allocate(&scene, scene.block, 12);
    scene_release(&scene, scene.block, 20);
    hak_free(hak_malloc(20000));
    hak_free(hak_malloc(100 * KIB));
    flush(argument);
}

/* ---- Scenes ---------------------------------------------------------------------------------- */

static void other_frees(struct scene *s) {
    scene_release(s, s->block + 128, 4);
    hak_tiny_magazine_flush_all();
}

/* The first thread has blocks at hand, some gathered for the other one, and some in its inbox. */
static void start(size_t size) {
    scene_start(&scene, size, 20);
    heap = hak_tls.heap;
    if (!HAK_STRESS) hak_magazine_resize(heap, hak_class_of(size), 15);
    scene_allocate(&scene, scene.block + 128, 6);
    scene_release(&scene, scene.block, 12);
    scene_release(&scene, scene.foreign, 2);
    scene_as_other(&scene, other_frees);
    count = 2;
}

/* The next allocation finds the magazine empty. */
static void empty_the_bin(void) {
    while (hak_heap_bin_count(heap, hak_class_of(scene.size)))
        scene_allocate(&scene, scene.block, 1);
}

static void fill_the_bin(void) {
    const struct hak_bin *bin = &heap->bin[hak_class_of(scene.size)];
    scene_allocate(&scene, scene.block, 40);
    flush(NULL);
    while (bin->top < bin->limit) scene_release(&scene, scene.block, 1);
}

/* ---- A visit inside of an operation ---------------------------------------------------------- */

static void after(void *argument) {
    visit(argument);
    scene_check_and_end(argument);
}

static void visit_inside(void (*operation)(void *)) {
    step_preempt(operation, visit, after, &scene);
}

#define VISIT_INSIDE(name, size, operation) \
    static void name(void) {                \
        start(size);                        \
        visit_inside(operation);            \
    }                                       \
    ENGINE_BOTH(name)

VISIT_INSIDE(pop, 64, allocate)
VISIT_INSIDE(push, 64, release)
VISIT_INSIDE(pop_above, 20000, allocate)
VISIT_INSIDE(push_above, 20000, release)
VISIT_INSIDE(gather, 48, release_foreign)
VISIT_INSIDE(flush_all, 500, flush)
VISIT_INSIDE(thread_ends, 500, end)

static void pop_the_last(void) {
    start(64);
    while (hak_heap_bin_count(heap, hak_class_of(64)) > 2) allocate(NULL);
    count = 3;
    visit_inside(allocate);
}
ENGINE_BOTH(pop_the_last)

static void refill(void) {
    start(1000);
    empty_the_bin();
    count = 1;
    visit_inside(allocate);
}
ENGINE_BOTH(refill)

static void overflow(void) {
    start(100);
    fill_the_bin();
    count = 1;
    visit_inside(release);
}
ENGINE_BOTH(overflow)

static void pop_single(void) {
    start(300 * KIB);
    scene_release(&scene, scene.block, 3);
    visit_inside(allocate);
}
ENGINE_BOTH(pop_single)

static void push_single(void) {
    start(300 * KIB);
    scene_allocate(&scene, scene.block, 3);
    visit_inside(release);
}
ENGINE_BOTH(push_single)

static void gather_in_chains(void) {
    start(48);
    flush(NULL);
    while (hak_parcel_take(heap)) {
    }
    scene_release(&scene, scene.foreign, 2);
    visit_inside(release_foreign);
}
ENGINE_BOTH(gather_in_chains)

static void thread_begins(void) {
    fake_thread_switch(&fourth);
    scene.size = 500;
    scene_allocate(&scene, scene.foreign + 100, 3);
    heap = hak_tls.heap;
    fake_thread_end();
    fake_thread_switch(&scene.first);
    hak_free(hak_malloc(16));
    step_preempt(begin, visit, after, &scene);
}
ENGINE_BOTH(thread_begins)

/* ---- An operation inside of a visit ---------------------------------------------------------- */

/* The owner has a stack of its own: where it has to wait, the visitor goes on. */
#define STACK_BYTES (256 * KIB)

static char owner_stack[STACK_BYTES];
static ucontext_t owner_context, goes_on;
static void (*owner_operation)(void *);
static bool began, done;

static void owner_main(void) {
    owner_operation(&scene);
    done = true;
    swapcontext(&owner_context, &goes_on);
}

static void owner_waits(_Atomic uint32_t *word, uint32_t value, uint32_t ms) {
    assert_ptr_equal(word, &heap->visitor);
    assert_int_equal(atomic_load(word), value);
    assert_true(ms); /* a child that a signal handler has forked there goes on */
    swapcontext(&owner_context, &goes_on);
    assert_int_equal(atomic_load(word), 0); /* it has been woken */
}

static void owner_begins(void *argument) {
    struct fake_thread *running = fake_thread_switch(&scene.first);
    (void)argument;
    began = true;
    fake_helper_on_wait(owner_waits);
    getcontext(&owner_context);
    owner_context.uc_stack.ss_sp = owner_stack;
    owner_context.uc_stack.ss_size = STACK_BYTES;
    makecontext(&owner_context, owner_main, 0);
    swapcontext(&goes_on, &owner_context);
    fake_thread_switch(running);
}

/* The visit is over. */
static void owner_ends(void *argument) {
    if (began && !done) swapcontext(&goes_on, &owner_context);
    assert_true(done == began);
    after(argument);
}

static void inside_visit(size_t size, void (*operation)(void *)) {
    start(size);
    owner_operation = operation;
    step_preempt(visit, owner_begins, owner_ends, &scene);
}

static void visit_and_work(void) {
    inside_visit(64, work);
}
ENGINE_BOTH(visit_and_work)

static void visit_and_work_above(void) {
    inside_visit(20000, work);
}
ENGINE_BOTH(visit_and_work_above)

#define INSIDE_VISIT(name, mode, size, operation) \
    static void name(void **state) {              \
        (void)state;                              \
        engine_mode(mode);                        \
        inside_visit(size, operation);            \
    }

INSIDE_VISIT(test_visit_and_pop, "fast", 64, allocate)
INSIDE_VISIT(test_visit_and_push, "fast", 64, release)
INSIDE_VISIT(test_visit_and_pop_above, "fast", 20000, allocate)
INSIDE_VISIT(test_visit_and_push_above, "checked", 20000, release)
INSIDE_VISIT(test_visit_and_gather, "fast", 48, release_foreign)
INSIDE_VISIT(test_visit_and_end, "fast", 500, end)

/* Others put blocks into the inbox that is being drained. */
static void others_free(void *argument) {
    (void)argument;
    scene_as_other(&scene, other_frees);
}

static void test_visit_and_inbox(void **state) {
    (void)state;
    engine_mode("fast");
    start(64);
    scene_allocate(&scene, scene.block + 128, 6);
    step_preempt(visit, others_free, after, &scene);
}

/* The owner has to wait for no more than a batch. */
static uint64_t flushed, drained;

static void owner_comes(void *argument) {
    (void)argument;
    atomic_store(&heap->busy, 1);
    flushed = heap->counts.flushed;
    drained = heap->counts.remote_drained;
}

static void after_a_batch(void *argument) {
    if (atomic_load(&heap->busy)) {
        assert_in_range(heap->counts.flushed - flushed, 0, HAK_BATCH_MAX);
        assert_in_range(heap->counts.remote_drained - drained, 0, HAK_BATCH_MAX);
        assert_int_equal(atomic_load(&heap->visitor), 0);
    }
    atomic_store(&heap->busy, 0);
    after(argument);
}

static void test_visit_is_interrupted(void **state) {
    enum { MANY = 2 * HAK_BATCH_MAX + 10 };
    void *block[MANY];
    (void)state;
    if (HAK_STRESS) return; /* magazines of one block */
    engine_mode("fast");
    start(64);
    hak_magazine_resize(heap, hak_class_of(64), MANY + 20 + HAK_BATCH_MAX);
    for (int i = 0; i < MANY; i++) block[i] = hak_malloc(64);
    for (int i = 0; i < MANY; i++) hak_free(block[i]);
    assert_true(hak_heap_bin_count(heap, hak_class_of(64)) >= MANY);
    step_preempt(visit, owner_comes, after_a_batch, &scene);
}

/* ---- Forks ----------------------------------------------------------------------------------- */

/* The first slow path of the owner puts its heap right; scene_child is the life of a child that the
 * scene's other thread has forked. */
static void owner_in_child(void *argument) {
    fake_thread_switch(&scene.other);
    fake_fork();
    flush(argument);
    assert_int_equal(atomic_load(&heap->visitor), 0);
    for (unsigned class = 1; class <= HAK_CLASSES; class ++)
        for (struct hak_slab *slab = heap->cold[class].partial; slab; slab = slab->next)
            assert_int_equal(slab->used + engine_count_free(slab), slab->carved); /* L2 */
    engine_check_heaps();
    scene_child(argument);
}

static void fork_inside(size_t size, struct fake_thread *whose, void (*child)(void *)) {
    start(size);
    if (whose == &scene.other) {
        fake_thread_switch(&scene.other);
        heap = hak_tls.heap;
        scene_release(&scene, scene.foreign, 8);
        fake_thread_switch(&scene.first);
    }
    step_fork(visit, child, &scene);
    scene_check_and_end(&scene);
}

static void owner_forks(void) {
    fork_inside(64, &scene.other, owner_in_child);
}
ENGINE_BOTH(owner_forks)

static void test_owner_forks_above(void **state) {
    (void)state;
    engine_mode("fast");
    fork_inside(20000, &scene.other, scene_child);
}

static void other_forks(void) {
    fork_inside(64, &scene.first, scene_child);
}
ENGINE_BOTH(other_forks)

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED_BOTH(pop),
        ISOLATED_BOTH(pop_the_last),
        ISOLATED_BOTH(push),
        ISOLATED_BOTH(refill),
        ISOLATED_BOTH(overflow),
        ISOLATED_BOTH(pop_above),
        ISOLATED_BOTH(push_above),
        ISOLATED_BOTH(pop_single),
        ISOLATED_BOTH(push_single),
        ISOLATED_BOTH(gather),
        ISOLATED_BOTH(gather_in_chains),
        ISOLATED_BOTH(flush_all),
        ISOLATED_BOTH(thread_ends),
        ISOLATED_BOTH(thread_begins),
        ISOLATED_BOTH(visit_and_work),
        ISOLATED_BOTH(visit_and_work_above),
        ISOLATED(test_visit_and_pop),
        ISOLATED(test_visit_and_push),
        ISOLATED(test_visit_and_pop_above),
        ISOLATED(test_visit_and_push_above),
        ISOLATED(test_visit_and_gather),
        ISOLATED(test_visit_and_end),
        ISOLATED(test_visit_and_inbox),
        ISOLATED(test_visit_is_interrupted),
        ISOLATED_BOTH(owner_forks),
        ISOLATED(test_owner_forks_above),
        ISOLATED_BOTH(other_forks),
    };
    return cmocka_run_group_tests_name("whole/visits", tests, NULL, NULL);
}
