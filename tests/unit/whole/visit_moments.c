/* SPDX-License-Identifier: MIT
 *
 * What happens while a visitor waits for its barriers: the owner takes blocks that were about to be
 * closed, returns others, begins to be busy, forks; H8.
 */
#include "engine.h"

#include "heap/adopt.h"
#include "heap/bin.h"
#include "heap/magazine.h"
#include "heap/remote.h"
#include "heap/visit.h"
#include "os/thread.h"

static struct fake_thread visitor, owner, other; /* the visitor has no heap */
static struct hak_heap *heap;                    /* of the owner */
static struct engine_table table;                /* blocks in use */
static void *spare[4];                           /* blocks in use, that may be freed */
static uint32_t count;                           /* blocks in the magazine at first */

#define SMALL 64u
#define LARGE 20000u /* above the hot path's sizes */

static uint32_t at_hand(size_t size) {
    return hak_heap_bin_count(heap, hak_class_of(size));
}

/* Magazines with some blocks of all classes. */
static void fill(void) {
    void *block[8];
    for (size_t size = 16; size <= 300 * KIB; size += size / 2) {
        for (int i = 0; i < 8; i++) block[i] = hak_malloc(size);
        for (int i = 0; i < 8; i++) hak_free(block[i]);
    }
}

static void start(size_t size) {
    fake_thread_switch(&other);
    void *foreign = hak_malloc(48);
    fake_thread_switch(&owner);
    for (size_t i = 0; i < 10; i++) engine_enter(&table, i, hak_malloc(size), size);
    for (size_t i = 0; i < 4; i++) spare[i] = hak_malloc(size);
    heap = hak_tls.heap;
    if (!HAK_STRESS) hak_magazine_resize(heap, hak_class_of(size), 15);
    fill();
    hak_free(foreign); /* gathered */
    for (size_t i = 0; i < 4; i++) hak_free(hak_malloc(size));
    for (size_t i = 0; i < 6; i++) hak_free(engine_leave(&table, i));
    count = at_hand(size);
    if (!HAK_STRESS) assert_true(count > 1);
}

static unsigned gathered(void) {
    unsigned sum = 0;
    for (unsigned i = 0; i < HAK_OUTBOXES; i++)
        if (heap->outbox[i].owner) sum += heap->outbox[i].count;
    return sum;
}

static void check(void) {
    engine_check_table(&table);
    engine_check_heaps();
    engine_check_span();
    engine_check_census(NULL);
}

/* Nothing is there twice. */
static void live(size_t size) {
    for (size_t row = 100; row < 300; row++)
        engine_enter(&table, row, hak_malloc(row % 2 ? size : row * row), row % 2 ? size : 16);
    check();
    for (size_t row = 100; row < 300; row++) hak_free(engine_leave(&table, row));
}

static void check_and_end(size_t size) {
    check();
    live(size);
    check();
    for (size_t i = 0; i < 4; i++) hak_free(spare[i]);
    engine_free_table(&table);
    fake_thread_end();
    fake_thread_switch(&other);
    engine_check_empty();
    fake_thread_end();
}

/* ---- A visit, and something in one of its barriers ------------------------------------------- */

static unsigned barriers, moment;
static void (*meanwhile)(void);

static void in_barrier(void) {
    if (++barriers != moment) return;
    struct fake_thread *running = fake_thread_switch(&owner);
    meanwhile();
    fake_thread_switch(running);
}

static bool visit_and(unsigned barrier, void (*what)(void)) {
    moment = barrier;
    meanwhile = what;
    barriers = 0;
    fake_barrier_on_call(what ? in_barrier : NULL);
    struct fake_thread *running = fake_thread_switch(&visitor);
    bool done = hak_visit(heap, true);
    fake_thread_switch(running);
    fake_barrier_on_call(NULL);
    return done;
}

static void take_and_put(void) {
    spare[0] = hak_malloc(SMALL);
    hak_free(spare[1]);
    hak_free(spare[0]);
    spare[0] = hak_malloc(SMALL);
    spare[1] = hak_malloc(SMALL);
}

static void before_it_is_closed(void) {
    if (HAK_STRESS) return; /* magazines of one block */
    start(SMALL);
    spare[0] = (hak_free(spare[0]), NULL);
    assert_true(visit_and(1, take_and_put));
    assert_true(at_hand(SMALL) <= 1);
    check_and_end(SMALL);
}
ENGINE_BOTH(before_it_is_closed)

static void put_some(void) {
    for (size_t i = 0; i < 3; i++) spare[i] = (hak_free(spare[i]), NULL);
}

static void top_rises(void) {
    if (HAK_STRESS) return;
    start(SMALL);
    assert_true(visit_and(2, put_some));
    assert_int_equal(at_hand(SMALL), 4);
    check_and_end(SMALL);
}
ENGINE_BOTH(top_rises)

static void large_top_rises(void) {
    if (HAK_STRESS) return;
    start(LARGE);
    assert_true(visit_and(2, put_some));
    assert_int_equal(at_hand(LARGE), 3);
    check_and_end(LARGE);
}
ENGINE_BOTH(large_top_rises)

/* ---- The owner takes what is being closed ---------------------------------------------------- */

static struct hak_block *taken[2];
static unsigned takes, returns; /* blocks that the owner takes, and puts back then */
static bool holds;              /* ... in a call that is still under way */
static size_t size_taken;

static void remember_top(size_t size) {
    struct hak_slot *top = heap->bin[hak_class_of(size)].top;
    size_taken = size;
    for (unsigned i = 0; i < takes; i++) taken[i] = top[-(ptrdiff_t)i].block;
}

/* It has read the slot before the block was taken out of that. */
static void take_what_was_there(void) {
    heap->bin[hak_class_of(size_taken)].top -= takes;
    for (unsigned i = 0; i < takes; i++) {
        if (heap->mark) hak_used_flip(hak_used_find(taken[i]));
        engine_enter(&table, 20 + i, taken[i], size_taken);
    }
    for (unsigned i = 0; i < returns; i++)
        hak_free(i < takes ? engine_leave(&table, 20 + i) : spare[i - takes]);
    for (unsigned i = takes; i < returns; i++) spare[i - takes] = NULL;
    atomic_store(&heap->held, holds);
}

/* The visit leaves `left` blocks; of a magazine that is not the visitor's all that was there. */
static void check_take(size_t size, unsigned take, unsigned put, bool held, uint32_t left) {
    if (HAK_STRESS) return;
    takes = take;
    returns = put;
    holds = held;
    remember_top(size);
    unsigned sent = gathered();
    visit_and(2, take_what_was_there);
    assert_int_equal(at_hand(size), left);
    assert_int_equal(gathered(), held ? sent : 0);
    atomic_store(&heap->held, 0);
    check_and_end(size);
}

#define TAKE(name, size, ...)          \
    static void name(void) {           \
        start(size);                   \
        check_take(size, __VA_ARGS__); \
    }                                  \
    ENGINE_BOTH(name)

TAKE(takes_the_top, SMALL, 1, 0, false, count - 1)
TAKE(takes_two, SMALL, 2, 0, false, count - 2)

/* What it puts into the slot is not what was there. */
TAKE(takes_two_and_puts_one, SMALL, 2, 1, false, count - 1)
TAKE(takes_two_and_puts_three, SMALL, 2, 3, false, count + 1)
TAKE(takes_one_and_puts_two, SMALL, 1, 2, false, 2) /* above the slot that was closed */

/* A call under way may have read the slot; one that puts a block above has not. */
TAKE(large_is_held, LARGE, 0, 0, true, count)
TAKE(large_is_held_and_put, LARGE, 0, 1, true, 1)
TAKE(large_is_taken, LARGE, 1, 0, false, count - 1)
TAKE(large_is_taken_and_put, LARGE, 1, 2, false, count + 1)

static void be_gathering(void) {
    atomic_store(&heap->held, 1);
}

/* Blocks of its inbox that are to be sent on don't get into an outbox that the owner works on. */
static void test_forwarded_while_it_gathers(void **state) {
    (void)state;
    engine_mode("fast");
    start(SMALL);
    uint32_t owner_of = hak_tag_make(heap->id, hak_class_of(48)), sent = gathered();
    fake_thread_switch(&other);
    hak_remote_free_now(hak_malloc(48), owner_of);
    fake_thread_switch(&owner);
    assert_false(visit_and(2, be_gathering));
    assert_int_equal(heap->counts.forwarded, 1);
    assert_int_equal(gathered(), sent);
    atomic_store(&heap->held, 0);
    check_and_end(SMALL);
}

/* ---- The owner waits ------------------------------------------------------------------------- */

static void be_busy(void) {
    atomic_store(&heap->busy, 1);
}

static void owner_waits(void) {
    start(LARGE);
    uint32_t small = at_hand(SMALL);
    unsigned sent = gathered();
    for (unsigned barrier = 1; barrier <= 2; barrier++) {
        unsigned waked = fake_helper_waked();
        assert_false(visit_and(barrier, be_busy));
        assert_int_equal(barriers, barrier); /* it was seen at once */
        assert_int_equal(fake_helper_waked(), waked + 1);
        assert_int_equal(atomic_load(&heap->visitor), 0);
        atomic_store(&heap->busy, 0);
        assert_int_equal(at_hand(LARGE), count);
        assert_int_equal(at_hand(SMALL), small);
        assert_int_equal(gathered(), sent);
        check();
    }
    assert_true(visit_and(0, NULL));
    check_and_end(LARGE);
}
ENGINE_BOTH(owner_waits)

/* Its thread was ended in the middle, and the owner's goes on. */
static void visitor_is_gone(void) {
    start(LARGE);
    fake_helper_allow(true, false, false);
    atomic_store(&heap->visitor, hak_fork_generation());
    hak_tiny_magazine_flush_all();
    assert_int_equal(atomic_load(&heap->visitor), 0);
    check_and_end(LARGE);
}
ENGINE_BOTH(visitor_is_gone)

/* ---- Forks ----------------------------------------------------------------------------------- */

static void (*child)(void);

static void fork_and_wait(void) {
    int status;
    fflush(NULL);
    pid_t process = fork();
    if (process == 0) {
        fake_barrier_on_call(NULL);
        child();
        fflush(NULL);
        _exit(0);
    }
    assert_int_equal(waitpid(process, &status, 0), process);
    assert_int_equal(status, 0);
}

/* In each barrier; the parent goes on as if nothing had been. */
static void check_fork(void (*life)(void)) {
    child = life;
    for (unsigned barrier = 1; barrier <= 2; barrier++) {
        start(SMALL);
        assert_true(visit_and(barrier, fork_and_wait));
        engine_free_table(&table);
        check();
    }
}

/* The thread whose heap was being visited; its first slow path ends that. */
static void owner_in_child(void) {
    fake_fork();
    engine_check_table(&table);
    uint32_t ops = heap->slow_ops;
    for (size_t row = 20; row < 40 || heap->slow_ops == ops; row++)
        engine_enter(&table, row, hak_malloc(SMALL), SMALL);
    hak_tiny_magazine_flush_all();
    assert_int_equal(atomic_load(&heap->visitor), 0);
    check();
    live(SMALL);
    hak_collect();
    assert_true(visit_and(0, NULL));
    check();
    engine_free_table(&table);
    fake_thread_end();
    check();
}

static void owner_forks(void) {
    check_fork(owner_in_child);
}
ENGINE_BOTH(owner_forks)

/* Another thread: the heap has lost its own, and is torn. */
static void other_in_child(void) {
    fake_thread_switch(&other);
    fake_fork();
    hak_adopt_after_fork();
    assert_true(heap->torn);
    assert_int_equal(atomic_load(&heap->held), 0);
    hak_collect();
    assert_false(heap->torn);
    assert_int_equal(atomic_load(&heap->visitor), 0);
    live(SMALL);
    engine_free_table(&table);
    hak_collect();
    check();
}

static void other_forks(void) {
    check_fork(other_in_child);
}
ENGINE_BOTH(other_forks)

/* The child's first call works on no heap of the thread's, as there is no memory for what it wants;
 * and the child has a visitor of its own before another call does: that one does not take what is
 * half done for its own. */
static void visited_again_in_child(void) {
    fake_fork();
    fake_page_fail(FAKE_ALL, 1, FAKE_FOR_EVER);
    assert_null(hak_malloc(100 * MIB));
    fake_page_fail_never();
    visit_and(0, NULL);
    hak_tiny_magazine_flush_all();
    assert_int_equal(atomic_load(&heap->visitor), 0);
    check();
    live(SMALL);
}

static void owner_forks_and_is_visited(void) {
    check_fork(visited_again_in_child);
}
ENGINE_BOTH(owner_forks_and_is_visited)

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED_BOTH(before_it_is_closed),
        ISOLATED_BOTH(top_rises),
        ISOLATED_BOTH(large_top_rises),
        ISOLATED_BOTH(takes_the_top),
        ISOLATED_BOTH(takes_two),
        ISOLATED_BOTH(takes_two_and_puts_one),
        ISOLATED_BOTH(takes_two_and_puts_three),
        ISOLATED_BOTH(takes_one_and_puts_two),
        ISOLATED_BOTH(large_is_held),
        ISOLATED_BOTH(large_is_held_and_put),
        ISOLATED_BOTH(large_is_taken),
        ISOLATED_BOTH(large_is_taken_and_put),
        ISOLATED(test_forwarded_while_it_gathers),
        ISOLATED_BOTH(owner_waits),
        ISOLATED_BOTH(visitor_is_gone),
        ISOLATED_BOTH(owner_forks),
        ISOLATED_BOTH(other_forks),
        ISOLATED_BOTH(owner_forks_and_is_visited),
    };
    return cmocka_run_group_tests_name("whole/visit_moments", tests, NULL, NULL);
}
