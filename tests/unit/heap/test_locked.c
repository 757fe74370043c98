/* SPDX-License-Identifier: MIT
 *
 * heap/locked.c: first-class heaps, and those of callers that have no heap; P1.
 */
#include "engine.h"

#include "config/option.h"
#include "heap/adopt.h"
#include "heap/locked.h"
#include "heap/registry.h"
#include "heap/remote.h"
#include "large/huge.h"
#include "os/lock.h"
#include "span/map.h"

#include <pthread.h>

static bool is_free(struct hak_heap *heap) {
    if (!hak_lock_try(&heap->lock)) return false;
    hak_lock_release(&heap->lock);
    return true;
}

static struct hak_heap *make(void) {
    hak_option_init();
    struct hak_heap *heap = hak_locked_new();
    assert_non_null(heap);
    assert_true(heap->dedicated);
    return heap;
}

static struct hak_block *take(struct hak_heap *heap, size_t size) {
    bool zeroed;
    struct hak_block *block = hak_locked_take(heap, hak_class_of(size), &zeroed);
    assert_int_equal(hak_tag_owner(hak_map_tag(block)), heap->id);
    assert_true(is_free(heap));
    return block;
}

static struct hak_superslab *take_huge(struct hak_heap *heap, size_t size) {
    bool zeroed;
    struct hak_superslab *huge = hak_huge_alloc(size, 16, &zeroed);
    hak_locked_adopt_huge(heap, huge);
    return huge;
}

static unsigned freed_huge;

static void free_huge(struct hak_superslab *huge) {
    assert_null(huge->huge_heap);
    hak_huge_free(huge);
    freed_huge++;
}

/* Full slabs, partial ones, empty ones, blocks that others have freed: all of it goes. */
static void test_destroy(void **state) {
    (void)state;
    struct engine_random random = {17};
    for (int round = 0; round < 5; round++) {
        struct hak_heap *heap = make();
        static struct hak_block *block[3000];
        for (size_t i = 0; i < UNIT_COUNT(block); i++) {
            size_t size = 1 + engine_below(&random, i % 10 ? 500 : 50 * KIB);
            block[i] = take(heap, size);
            engine_fill(block[i], size, 3);
        }
        for (size_t i = 0; i < UNIT_COUNT(block); i += 2) {
            hak_remote_free_now(block[i], hak_map_tag(block[i]));
        }
        engine_check_span();
        hak_locked_destroy(heap, free_huge);
        engine_check_empty();
        assert_true(hak_registry_is_parked(heap->id, HAK_PARKED_EMPTY));
    }
    assert_int_equal(hak_registry_count(), 1); /* the next heap has the same descriptor */
}

static void test_two_heaps_are_apart(void **state) {
    (void)state;
    struct hak_heap *a = make(), *b = make();
    struct hak_block *kept = take(b, 100);
    struct hak_superslab *kept_huge = take_huge(b, 3 * MIB);
    engine_fill(kept, 100, 5);
    engine_fill(kept_huge->base, 3 * MIB, 6);
    for (int i = 0; i < 100; i++) take(a, 100);
    take_huge(a, 3 * MIB);
    hak_locked_destroy(a, free_huge);
    assert_int_equal(freed_huge, 1);
    assert_true(engine_intact(kept, 100, 5));
    assert_true(engine_intact(kept_huge->base, 3 * MIB, 6));
    hak_locked_destroy(b, free_huge);
    engine_check_empty();
}

/* The list of huge blocks, dropped in every order. */
static void test_huge_blocks(void **state) {
    (void)state;
    static const int order[][4] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 2, 0, 3}, {2, 0, 3, 1}};
    for (size_t i = 0; i < UNIT_COUNT(order); i++) {
        struct hak_heap *heap = make();
        struct hak_superslab *huge[4];
        for (int j = 0; j < 4; j++) huge[j] = take_huge(heap, j == 3 ? 40 * MIB : 2 * MIB);
        for (int j = 0; j < 4; j++) {
            freed_huge = 0;
            hak_locked_drop_huge(huge[order[i][j]]);
            hak_huge_free(huge[order[i][j]]);
            if (j == 1 && i % 2) break;
        }
        hak_locked_destroy(heap, free_huge);
        assert_int_equal(freed_huge, i % 2 ? 2 : 0);
        engine_check_empty();
    }
    bool zeroed;
    struct hak_superslab *of_no_heap = hak_huge_alloc(2 * MIB, 16, &zeroed);
    hak_locked_drop_huge(of_no_heap); /* nothing to do */
    hak_huge_free(of_no_heap);
}

/* No slab of it comes from a parked heap: that would have blocks of others in it. */
static void test_no_adoption(void **state) {
    (void)state;
    bool zeroed;
    struct hak_heap *heap = make(), *parked = hak_heap_make(HAK_HEAP_THREAD);
    hak_tls.heap = parked;
    struct hak_slab *slab = hak_slab_new(parked->id, hak_class_of(100));
    hak_heap_slab_add(parked, slab);
    hak_tls.heap = NULL;
    hak_adopt_park(parked);
    assert_ptr_not_equal(hak_slab_of(take(heap, 100)), slab);
    assert_ptr_equal(hak_slab_of(hak_fallback_take(hak_class_of(100), &zeroed)), slab);
}

static void test_fallbacks(void **state) {
    (void)state;
    bool zeroed;
    hak_option_init();
    struct hak_block *a = hak_fallback_take(1, &zeroed), *b = hak_fallback_take(1, &zeroed);
    struct hak_heap *one = hak_registry_get(hak_tag_owner(hak_map_tag(a)));
    assert_ptr_equal(hak_registry_get(hak_tag_owner(hak_map_tag(b))), one);
    assert_false(one->dedicated);
    /* Held by the thread that was interrupted: another one serves, nobody waits. */
    assert_true(hak_lock_try(&one->lock));
    struct hak_block *c = hak_fallback_take(1, &zeroed);
    struct hak_heap *two = hak_registry_get(hak_tag_owner(hak_map_tag(c)));
    assert_ptr_not_equal(one, two);
    hak_lock_release(&one->lock);
    for (int i = 0; i < 100; i++) hak_fallback_take(1, &zeroed);
    assert_int_equal(hak_registry_count(), 2);
    /* What is freed to it comes back. */
    hak_remote_free_now(a, hak_map_tag(a));
    hak_remote_free_now(b, hak_map_tag(b));
    hak_remote_free_now(c, hak_map_tag(c));
    engine_check_heaps();
}

/* P1: a lock whose holder did not come over a fork is free. */
static void test_fork_frees_locks(void **state) {
    (void)state;
    bool zeroed;
    struct hak_heap *heap = make();
    struct hak_block *block = take(heap, 100);
    struct hak_superslab *huge = take_huge(heap, 2 * MIB);
    hak_fallback_take(1, &zeroed);
    struct hak_heap *fallback = hak_registry_get(2);
    assert_true(hak_lock_try(&heap->lock));
    atomic_store(&heap->busy, 1);
    assert_true(hak_lock_try(&fallback->lock));
    atomic_store(&fallback->busy, 1);
    fake_fork();
    take(heap, 100);
    assert_non_null(hak_fallback_take(1, &zeroed));
    assert_int_equal(hak_registry_count(), 2);
    assert_ptr_equal(hak_slab_of(take(heap, 100)), hak_slab_of(block)); /* it was repaired */
    assert_ptr_equal(heap->huge, huge); /* its lists were made anew */
    freed_huge = 0;
    hak_locked_destroy(heap, free_huge);
    assert_int_equal(freed_huge, 1);
    engine_check_span();
}

static void test_without_memory(void **state) {
    (void)state;
    bool zeroed;
    hak_option_init();
    fake_page_fail(FAKE_ALL, 1, FAKE_FOR_EVER);
    assert_null(hak_locked_new());
    assert_null(hak_fallback_take(1, &zeroed));
    fake_page_fail_never();
    struct hak_heap *heap = make();
    fake_page_fail(FAKE_ALL, 1, FAKE_FOR_EVER);
    assert_null(hak_locked_take(heap, 1, &zeroed));
    assert_null(hak_fallback_take(1, &zeroed));
    assert_true(is_free(heap));
    fake_page_fail_never();
    take(heap, 16);
    assert_non_null(hak_fallback_take(1, &zeroed));
}

/* ---- Threads --------------------------------------------------------------------------------- */

enum { THREADS = 4, STEPS = 4000, HELD = 40 };

static void *churn(void *argument) {
    struct hak_heap *heap = argument;
    struct engine_random random = {(uintptr_t)&random};
    struct {
        void *block;
        size_t size;
    } held[HELD] = {{NULL, 0}};
    for (int step = 0; step < STEPS; step++) {
        size_t at = engine_below(&random, HELD);
        if (held[at].block) {
            if (!engine_intact(held[at].block, held[at].size, (uintptr_t)held)) return argument;
            hak_remote_free_now(held[at].block, hak_map_tag(held[at].block));
            held[at].block = NULL;
        } else {
            bool zeroed;
            held[at].size = 1 + engine_below(&random, 2000);
            unsigned class = hak_class_of(held[at].size);
            held[at].block = step % 3 ? hak_locked_take(heap, class, &zeroed)
                                      : hak_fallback_take(class, &zeroed);
            if (!held[at].block) return argument;
            engine_fill(held[at].block, held[at].size, (uintptr_t)held);
        }
    }
    return NULL;
}

static void test_threads(void **state) {
    (void)state;
    pthread_t thread[THREADS];
    struct hak_heap *heap = make();
    for (int i = 0; i < THREADS; i++) pthread_create(&thread[i], NULL, churn, heap);
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(thread[i], &result);
        assert_null(result);
    }
    engine_check_span();
    hak_locked_destroy(heap, free_huge);
    engine_check_span();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_destroy),     ISOLATED(test_two_heaps_are_apart),
        ISOLATED(test_huge_blocks), ISOLATED(test_no_adoption),
        ISOLATED(test_fallbacks),   ISOLATED(test_fork_frees_locks),
        ISOLATED(test_threads),     ISOLATED(test_without_memory),
    };
    return cmocka_run_group_tests_name("heap/locked", tests, NULL, NULL);
}
