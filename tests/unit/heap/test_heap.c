/* SPDX-License-Identifier: MIT
 *
 * heap/heap.c: a new heap, its lists of slabs, and the trap doors (H5).
 */
#include "engine.h"

#include "config/option.h"
#include "heap/heap.h"
#include "heap/registry.h"

static struct hak_heap *make(enum hak_heap_kind kind) {
    hak_option_init();
    struct hak_heap *heap = hak_heap_make(kind);
    assert_non_null(heap);
    return heap;
}

static void test_make(void **state) {
    (void)state;
    for (uint32_t id = 1; id < 100; id++) {
        struct hak_heap *heap = make(id % 2 ? HAK_HEAP_THREAD : HAK_HEAP_LOCKED);
        assert_int_equal(heap->id, id);
        assert_int_equal(heap->tag, hak_tag_make(id, 0));
        assert_ptr_equal(hak_registry_get(id), heap);
        assert_int_equal((uintptr_t)heap % HAK_CACHE_LINE, 0);
        for (unsigned class = 1; class <= HAK_CLASSES; class ++) {
            assert_int_equal(hak_heap_bin_count(heap, class), 0);
            assert_true(heap->cold[class].capacity >= 1);
            assert_true(heap->cold[class].capacity * hak_class_table[class].block_bytes <=
                            8 * KIB ||
                        heap->cold[class].capacity == 1);
        }
    }
}

/* The byte table that malloc finds the class in, for every size that it is used for. */
static void test_class_words(void **state) {
    (void)state;
    struct hak_heap *heap = make(HAK_HEAP_THREAD);
    for (size_t size = 0; size <= HAK_SMALL_MAX; size++) {
        unsigned words = hak_class_words[(size + 15) >> 4];
        assert_int_equal(words, hak_class_of(size) << 1);
        assert_ptr_equal(hak_heap_bin_at(heap, words), &heap->bin[hak_class_of(size)]);
    }
}

static void test_mark(void **state) {
    (void)state;
    engine_mode("checked");
    struct hak_heap *one = make(HAK_HEAP_THREAD), *two = make(HAK_HEAP_LOCKED);
    assert_true(one->mark != 0);
    assert_int_equal(one->mark, two->mark); /* of the process: a block's new owner knows it */
}

static void test_no_mark(void **state) {
    (void)state;
    engine_mode("fast");
    assert_int_equal(make(HAK_HEAP_THREAD)->mark, 0);
}

static unsigned length(const struct hak_slab *list) {
    unsigned count = 0;
    for (const struct hak_slab *slab = list; slab; slab = slab->next, count++) {
        assert_ptr_equal(slab->prev ? slab->prev->next : list, slab);
        assert_true(!slab->next || slab->next->prev == slab);
    }
    return count;
}

/* Random moves between the lists, against a record of where each slab is. */
static void check_lists(bool dedicated) {
    enum { SLABS = 20, NEW = 0, PARTIAL, FULL };
    struct engine_random random = {11};
    struct hak_heap *heap = make(HAK_HEAP_LOCKED);
    struct hak_slab *slab[SLABS];
    int place[SLABS] = {NEW};
    heap->dedicated = dedicated;
    for (int i = 0; i < SLABS; i++) slab[i] = hak_slab_new(heap->id, 3);
    for (int step = 0; step < 3000; step++) {
        size_t at = engine_below(&random, SLABS);
        unsigned partial = 0, full = 0;
        if (place[at] == NEW) {
            hak_heap_slab_add(heap, slab[at]);
            place[at] = PARTIAL;
        } else if (engine_below(&random, 5) == 0) {
            hak_heap_slab_remove(heap, slab[at]);
            place[at] = NEW;
        } else if (place[at] == PARTIAL) {
            hak_heap_slab_full(heap, slab[at]);
            place[at] = FULL;
        } else {
            hak_heap_slab_partial(heap, slab[at]);
            place[at] = PARTIAL;
        }
        for (int i = 0; i < SLABS; i++) {
            partial += place[i] == PARTIAL;
            full += place[i] == FULL;
            assert_int_equal(slab[i]->listed, place[i] == PARTIAL);
        }
        assert_int_equal(length(heap->cold[3].partial), partial);
        assert_int_equal(length(heap->full), dedicated ? full : 0);
    }
}

static void test_lists(void **state) {
    (void)state;
    check_lists(false);
}

/* A first-class heap keeps track of all it owns, for its destruction. */
static void test_lists_of_dedicated(void **state) {
    (void)state;
    check_lists(true);
}

static void test_reset(void **state) {
    (void)state;
    struct hak_heap *heap = make(HAK_HEAP_THREAD);
    hak_heap_slab_add(heap, hak_slab_new(heap->id, 1));
    heap->bin[1].top = heap->bin[1].limit = NULL;
    heap->cold[1].floor = 3;
    heap->outbox[2].owner = 9;
    heap->torn = true;
    hak_heap_reset(heap);
    assert_null(heap->cold[1].partial);
    assert_int_equal(hak_heap_bin_count(heap, 1), 0);
    assert_int_equal(heap->outbox[2].owner, 0);
    assert_false(heap->torn);
}

/* All zero fails every compare of the fast path, in both modes. */
static void check_doors(const char *mode) {
    engine_mode(mode);
    struct hak_tls *tls = &hak_tls;
    struct hak_heap *heap = make(HAK_HEAP_THREAD);
    bool checked = heap->mark != 0;
    tls->heap = heap;
    hak_tls_open(tls, heap);
    assert_int_equal(tls->state, HAK_TLS_READY);
    assert_int_equal(tls->fast_limit, checked ? 0 : HAK_SMALL_MAX + 1);
    assert_int_equal(tls->checked_limit, checked ? HAK_SMALL_MAX + 1 : 0);
    assert_int_equal(tls->tag, heap->tag | (checked ? HAK_TAG_CHECKED : 0));
    assert_ptr_equal(hak_heap_enter(tls), heap);
    assert_int_equal(tls->state, HAK_TLS_BUSY);
    assert_int_equal(tls->fast_limit | tls->checked_limit | tls->tag, 0);
    assert_int_equal(atomic_load(&heap->busy), 1);
    hak_heap_leave(tls);
    assert_int_equal(tls->state, HAK_TLS_READY);
    assert_int_equal(tls->fast_limit + tls->checked_limit, HAK_SMALL_MAX + 1);
    assert_int_equal(atomic_load(&heap->busy), 0);
    tls->heap = NULL;
    hak_tls_close(tls, HAK_TLS_EXITED);
}

static void test_doors_fast(void **state) {
    (void)state;
    check_doors("fast");
}

static void test_doors_checked(void **state) {
    (void)state;
    check_doors("checked");
}

static void test_without_memory(void **state) {
    (void)state;
    hak_option_init();
    fake_page_fail(FAKE_ALL, 1, FAKE_FOR_EVER);
    for (int i = 0; i < 5; i++) assert_null(hak_heap_make(HAK_HEAP_THREAD));
    fake_page_fail_never();
    assert_int_equal(hak_heap_make(HAK_HEAP_THREAD)->id, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_make),
        ISOLATED(test_class_words),
        ISOLATED(test_mark),
        ISOLATED(test_no_mark),
        ISOLATED(test_lists),
        ISOLATED(test_reset),
        ISOLATED(test_lists_of_dedicated),
        ISOLATED(test_doors_fast),
        ISOLATED(test_doors_checked),
        ISOLATED(test_without_memory),
    };
    return cmocka_run_group_tests_name("heap/heap", tests, NULL, NULL);
}
