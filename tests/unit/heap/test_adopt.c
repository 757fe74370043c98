/* SPDX-License-Identifier: MIT
 *
 * heap/adopt.c: parked heaps, raids on them, and what a fork leaves behind; H1, H2, H4, H5, P1.
 */
#include "engine.h"

#include "config/option.h"
#include "heap/adopt.h"
#include "heap/bin.h"
#include "heap/registry.h"
#include "heap/remote.h"
#include "os/lock.h"
#include "span/region.h"

#define RELIEVE_BYTES (64 * KIB)

static bool is_parked(const struct hak_heap *heap) {
    return hak_registry_is_parked(heap->id, HAK_PARKED_THREAD);
}

/* A heap as of a thread; the simulated thread itself is not needed here. */
static struct hak_heap *make(void) {
    engine_mode("fast");
    hak_option_init();
    return hak_heap_make(HAK_HEAP_THREAD);
}

/* The calling thread's own heap: some calls ask for it. */
static struct hak_heap *mine(void) {
    struct hak_heap *heap = make();
    hak_tls.heap = heap;
    return heap;
}

static void test_park(void **state) {
    (void)state;
    struct hak_heap *heap = make(), *other = make();
    struct hak_block *kept = engine_take(heap, 2), *theirs = engine_take(other, 2),
                     *own = engine_take(heap, 1);
    hak_remote_free(heap, theirs, hak_map_tag(theirs));
    hak_remote_free_now(own, hak_map_tag(own));
    heap->thread = 77;
    hak_adopt_park(heap);
    assert_true(is_parked(heap));
    assert_int_equal(heap->thread, 0);
    assert_int_equal(atomic_load(&heap->busy), 0);
    for (unsigned class = 1; class <= HAK_CLASSES; class ++)
        assert_int_equal(hak_heap_bin_count(heap, class), 0);
    assert_null(heap->cold[1].partial); /* its inbox was drained, and the empty slab returned */
    assert_non_null(heap->cold[2].partial);
    assert_true(hak_remote_drain(other)); /* what it had gathered was sent */
    engine_fill(kept, 32, 1);
    engine_check_heaps();
}

static void test_adopt_whole(void **state) {
    (void)state;
    assert_null(hak_adopt_heap());
    struct hak_heap *a = make(), *b = make();
    struct hak_block *block = engine_take(b, 5);
    hak_adopt_park(b);
    assert_ptr_equal(hak_adopt_heap(), b);
    assert_false(is_parked(b));
    assert_null(hak_adopt_heap());
    hak_bin_push(b, 5, block); /* its slabs are its own still */
    engine_check_heaps();
    (void)a;
}

static void test_raid(void **state) {
    (void)state;
    unsigned class = hak_class_of(20000); /* slabs of several units */
    struct hak_heap *heap = make(), *from = make();
    struct hak_block *block = engine_take(from, class);
    hak_adopt_park(from);
    assert_null(hak_adopt_slab_for(heap, class + 1)); /* it has none */
    assert_true(is_parked(from));
    struct hak_slab *slab = hak_adopt_slab_for(heap, class);
    assert_ptr_equal(slab, hak_slab_of(block));
    assert_int_equal(slab->owner, heap->id);
    assert_ptr_equal(heap->cold[class].partial, slab);
    assert_null(from->cold[class].partial);
    assert_true(is_parked(from));
    engine_check_span();
    engine_check_heaps();
    assert_null(hak_adopt_slab_for(heap, class));
}

/* Each parked heap in turn, although each has more than one slab to give. */
static void test_raids_go_round(void **state) {
    (void)state;
    enum { PARKED = 5 };
    struct hak_heap *heap = make(), *from[PARKED];
    unsigned class = hak_class_of(8 * KIB), capacity = hak_class_table[class].capacity;
    for (int i = 0; i < PARKED; i++) {
        struct hak_block *one = NULL, *two = NULL;
        from[i] = make();
        for (unsigned j = 0; j < capacity; j++) one = engine_take(from[i], class);
        for (unsigned j = 0; j < capacity; j++) two = engine_take(from[i], class);
        hak_bin_push(from[i], class, one);
        hak_bin_push(from[i], class, two);
    }
    for (int i = 0; i < PARKED; i++) hak_adopt_park(from[i]);
    for (int i = 0; i < PARKED; i++) assert_non_null(hak_adopt_slab_for(heap, class));
    for (int i = 0; i < PARKED; i++) {
        assert_non_null(from[i]->cold[class].partial);
        assert_null(from[i]->cold[class].partial->next);
    }
    assert_int_equal(hak_registry_parked_count(HAK_PARKED_THREAD), PARKED);
    engine_check_heaps();
}

/* Nobody raids a heap that somebody has. */
static void test_running_heaps_are_left_alone(void **state) {
    (void)state;
    struct hak_heap *heap = make(), *running = make();
    engine_take(running, 3);
    assert_null(hak_adopt_slab_for(heap, 3));
    assert_non_null(running->cold[3].partial);
}

/* H1: blocks in a parked heap's magazine (drained there by earlier raids) never stay
 * behind when their slab is taken; the next owner of the heap would put them into a
 * slab that is not its own. */
static void test_raid_leaves_no_block_behind(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    enum { MANY = 400 };
    struct hak_heap *heap = mine(), *from = make();
    unsigned class = hak_class_of(16);
    static struct hak_block *block[MANY];
    for (int i = 0; i < MANY; i++) block[i] = engine_take(from, class);
    for (int i = 0; i < 4 * 4; i++) { /* a magazine that has grown */
        from->cold[class].was_flushed = 1;
        hak_bin_clear_all(from);
        hak_bin_push(from, class, engine_take(from, class));
    }
    assert_true(from->cold[class].capacity > HAK_BATCH_MAX);
    hak_adopt_park(from);
    for (int i = 0; i < MANY - 1; i++) hak_remote_free_now(block[i], hak_map_tag(block[i]));
    for (int i = 0; i < 3; i++) assert_null(hak_adopt_slab_for(heap, class + 1)); /* each drains */
    hak_adopt_slab_for(heap, class);
    engine_check_heaps();
}

/* ---- Parked inboxes -------------------------------------------------------------------------- */

static void test_relieve(void **state) {
    (void)state;
    struct hak_heap *heap = mine(), *to = make();
    unsigned class = hak_class_of(8 * KIB);
    struct hak_block *block[40];
    for (int i = 0; i < 40; i++) block[i] = engine_take(to, class);
    hak_adopt_park(to);
    for (size_t i = 0; i < 40; i++) {
        hak_remote_free_now(block[i], hak_map_tag(block[i]));
        bool large = atomic_load(&to->inbox_bytes) >= RELIEVE_BYTES;
        hak_adopt_relieve(heap, to);
        assert_int_equal(atomic_load(&to->inbox) == 0, large);
        assert_true(is_parked(to));
    }
    engine_check_heaps();
}

/* By freeing alone, a thread keeps the inboxes of ended ones short. */
static void test_parked_inbox_is_bounded(void **state) {
    (void)state;
    enum { MANY = 20000 };
    struct hak_heap *heap = mine(), *to = make();
    static struct hak_block *block[MANY];
    for (int i = 0; i < MANY; i++) block[i] = engine_take(to, 1 + (unsigned)i % 20);
    hak_adopt_park(to);
    for (int i = 0; i < MANY; i++) {
        hak_remote_free(heap, block[i], hak_map_tag(block[i]));
        size_t waiting = atomic_load(&to->inbox_bytes);
        assert_in_range(waiting, 0, RELIEVE_BYTES + 64 * KIB);
    }
    hak_remote_send_all(heap);
    engine_check_heaps();
    engine_check_empty();
}

static void test_relieve_leaves_others_alone(void **state) {
    (void)state;
    struct hak_heap *heap = mine(), *claimed = make(), *to = make();
    unsigned class = hak_class_of(8 * KIB);
    for (int i = 0; i < 20; i++)
        hak_remote_free_now(engine_take(to, class), hak_tag_make(to->id, class));
    hak_adopt_relieve(heap, to); /* it runs: its thread will drain it */
    assert_true(hak_remote_waiting(to));
    hak_adopt_park(to);
    for (int i = 0; i < 20; i++)
        hak_remote_free_now(engine_take(to, class), hak_tag_make(to->id, class));
    hak_adopt_relieve(claimed, to); /* only a thread's own heap claims another one */
    assert_true(hak_remote_waiting(to));
}

static void test_collect(void **state) {
    (void)state;
    struct hak_heap *heap = mine();
    for (int i = 0; i < 5; i++) {
        struct hak_heap *parked = make();
        struct hak_block *block[300];
        for (int j = 0; j < 300; j++) block[j] = engine_take(parked, 1 + (unsigned)(i + j) % 40);
        hak_adopt_park(parked);
        for (int j = 0; j < 300; j++) hak_remote_free_now(block[j], hak_map_tag(block[j]));
    }
    hak_adopt_collect();
    assert_int_equal(hak_registry_parked_count(HAK_PARKED_THREAD), 5);
    for (uint32_t id = heap->id + 1; id <= hak_registry_count(); id++) {
        assert_false(hak_remote_waiting(hak_registry_get(id)));
    }
    engine_check_empty();
}

/* ---- Fork ------------------------------------------------------------------------------------ */

static void test_after_fork(void **state) {
    (void)state;
    struct hak_heap *heap = mine(), *idle = make(), *inside = make(), *parked = make();
    struct hak_heap *locked = hak_heap_make(HAK_HEAP_LOCKED);
    engine_take(idle, 1);
    engine_take(inside, 1);
    atomic_store(&inside->busy, 1);
    assert_true(hak_lock_try(&locked->lock));
    hak_adopt_park(parked);
    hak_adopt_after_fork(); /* no fork: nothing happens */
    assert_false(is_parked(idle));
    fake_fork();
    hak_adopt_after_fork();
    assert_int_equal(fake_fork_finished(), 1);
    assert_false(is_parked(heap));
    assert_true(is_parked(idle) && is_parked(inside) && is_parked(parked));
    assert_false(idle->torn || parked->torn || heap->torn || locked->torn);
    assert_true(inside->torn);
    assert_true(hak_lock_try(&locked->lock)); /* P1 */
    hak_lock_release(&locked->lock);
    assert_int_equal(hak_registry_parked_count(HAK_PARKED_THREAD), 3);
    hak_adopt_after_fork(); /* once */
    assert_int_equal(fake_fork_finished(), 1);
    hak_adopt_collect(); /* claims each, and repairs one */
    assert_false(inside->torn);
    engine_check_span();
    engine_check_heaps();
}

static void tear(struct hak_heap *heap) {
    atomic_store(&heap->busy, 1);
    heap->torn = true;
}

/* Found again from the descriptors: partial slabs in their lists, the others in none. */
static void test_repair(void **state) {
    (void)state;
    struct hak_heap *heap = make(), *other = make();
    unsigned long_class = hak_class_of(20000);
    struct hak_block *partial = engine_take(heap, 3), *longer = engine_take(heap, long_class);
    struct hak_block *full = engine_take(heap, HAK_CLASSES), *theirs = engine_take(other, 3);
    heap->cold[3].partial = (struct hak_slab *)8; /* garbage: caught in mid-store */
    heap->bin[3].top = (struct hak_slot *)16;
    heap->bin[7].limit = NULL;
    heap->cold[7].floor = 99;
    tear(heap);
    hak_adopt_repair(heap);
    assert_false(heap->torn);
    assert_ptr_equal(heap->cold[3].partial, hak_slab_of(partial));
    assert_null(heap->cold[3].partial->next);
    assert_ptr_equal(heap->cold[long_class].partial, hak_slab_of(longer));
    assert_false(hak_slab_of(full)->listed);
    engine_check_heaps();
    engine_check_span();
    hak_bin_return(heap, full); /* H3: what is outside can come back */
    hak_bin_return(heap, partial);
    hak_bin_return(heap, longer);
    (void)theirs;
}

/* H5: whoever repairs a heap is inside its slow path, and a second fork must see that. */
static void test_repair_is_busy(void **state) {
    (void)state;
    struct hak_heap *heap = make();
    engine_take(heap, 3);
    tear(heap);
    hak_adopt_repair(heap);
    assert_int_equal(atomic_load(&heap->busy), 1);
}

/* The fork fell between the tags of a slab of several units: a repaired heap hands out blocks of
 * all of them, so all have the tag (S1). */
static void test_repair_of_a_slab_that_was_being_made(void **state) {
    (void)state;
    struct hak_heap *heap = make();
    struct hak_slab *slab = hak_slab_new(heap->id, hak_class_of(20000));
    assert_true(slab->units > 1);
    hak_map_set_tags(slab->base + HAK_UNIT_BYTES, slab->units - 1u, 0);
    tear(heap);
    hak_adopt_repair(heap);
    if (heap->cold[slab->class].partial) engine_check_span();
}

/* ... or between those of one that was changing hands (H1: nobody has blocks of it by half). */
static void test_repair_of_a_slab_that_was_being_adopted(void **state) {
    (void)state;
    struct hak_heap *heap = make(), *from = make();
    unsigned class = hak_class_of(20000);
    struct hak_block *block = engine_take(from, class);
    struct hak_slab *slab = hak_slab_of(block);
    hak_heap_slab_remove(from, slab);
    slab->owner = heap->id;
    hak_map_set_tags(slab->base, 1, hak_tag_make(heap->id, class));
    tear(heap);
    tear(from);
    hak_adopt_repair(heap);
    hak_adopt_repair(from);
    assert_null(from->cold[class].partial);
    if (heap->cold[class].partial) engine_check_span();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_park),
        ISOLATED(test_adopt_whole),
        ISOLATED(test_raid),
        ISOLATED(test_raids_go_round),
        ISOLATED(test_running_heaps_are_left_alone),
        ISOLATED(test_raid_leaves_no_block_behind),
        ISOLATED(test_relieve),
        ISOLATED(test_parked_inbox_is_bounded),
        ISOLATED(test_relieve_leaves_others_alone),
        ISOLATED(test_collect),
        ISOLATED(test_after_fork),
        ISOLATED(test_repair),
        ISOLATED(test_repair_is_busy),
        ISOLATED(test_repair_of_a_slab_that_was_being_made),
        ISOLATED(test_repair_of_a_slab_that_was_being_adopted),
    };
    return cmocka_run_group_tests_name("heap/adopt", tests, NULL, NULL);
}
