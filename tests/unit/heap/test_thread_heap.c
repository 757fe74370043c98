/* SPDX-License-Identifier: MIT
 *
 * heap/thread_heap.c: a thread's heap from its first slow path to its end.
 */
#include "engine.h"

#include "config/option.h"
#include "heap/registry.h"
#include "heap/thread_heap.h"
#include "os/thread.h"

#include <string.h>

static struct hak_heap *attach(void) {
    hak_option_init();
    assert_true(hak_thread_heap_attach(&hak_tls));
    assert_int_equal(hak_tls.state, HAK_TLS_READY);
    assert_non_null(hak_tls.heap);
    assert_int_equal(atomic_load(&hak_tls.heap->busy), 0);
    return hak_tls.heap;
}

static void test_attach_and_end(void **state) {
    (void)state;
    struct hak_heap *heap = attach();
    assert_int_equal(fake_fork_armed(), 1);
    fake_thread_end();
    assert_int_equal(hak_tls.state, HAK_TLS_EXITED);
    assert_null(hak_tls.heap);
    assert_int_equal(hak_tls.fast_limit | hak_tls.checked_limit | hak_tls.tag, 0);
    assert_true(hak_registry_is_parked(heap->id, HAK_PARKED_THREAD));
}

/* A hundred thousand threads one after the other need one heap. */
static void test_next_thread_takes_it_whole(void **state) {
    (void)state;
    static struct fake_thread thread[1000];
    struct hak_heap *heap = attach();
    for (size_t i = 0; i < UNIT_COUNT(thread); i++) {
        engine_next_thread(&thread[i]);
        assert_ptr_equal(attach(), heap);
    }
    assert_int_equal(hak_registry_count(), 1);
}

static void test_threads_at_once_have_their_own(void **state) {
    (void)state;
    static struct fake_thread thread[20];
    struct hak_heap *heap[20];
    for (size_t i = 0; i < UNIT_COUNT(thread); i++) {
        fake_thread_switch(&thread[i]);
        heap[i] = attach();
        for (size_t j = 0; j < i; j++) assert_ptr_not_equal(heap[i], heap[j]);
    }
    for (size_t i = 0; i < UNIT_COUNT(thread); i++) {
        fake_thread_switch(&thread[i]);
        assert_ptr_equal(hak_tls.heap, heap[i]);
        fake_thread_end();
    }
    assert_int_equal(hak_registry_parked_count(HAK_PARKED_THREAD), UNIT_COUNT(thread));
}

/* The dynamic linker clears the first thread's thread-local data after resolvers have run. */
static void test_found_again_by_the_thread_pointer(void **state) {
    (void)state;
    struct hak_heap *heap = attach();
    heap->thread = hak_thread_self(); /* the fake put another name there */
    memset(&hak_tls, 0, sizeof hak_tls);
    assert_ptr_equal(attach(), heap);
    assert_int_equal(hak_registry_count(), 1);
}

/* But not one that is parked: who takes it must claim it. */
static void test_parked_one_is_claimed(void **state) {
    (void)state;
    static struct fake_thread next;
    struct hak_heap *heap = attach();
    engine_next_thread(&next);
    heap->thread = hak_thread_self();
    assert_ptr_equal(attach(), heap);
    assert_false(hak_registry_is_parked(heap->id, HAK_PARKED_THREAD));
}

/* After a fork the first heap may have been that of a thread that is gone, and a new
 * thread may have the same stack and thread pointer.  If a raider has the heap just
 * then, it is not free (H4). */
static void test_forked_heap_forgets_its_thread(void **state) {
    (void)state;
    static struct fake_thread forker, new;
    struct hak_heap *heap = attach();
    heap->thread = 1;
    fake_thread_switch(&forker);
    assert_ptr_not_equal(attach(), heap);
    heap->thread = hak_thread_self(); /* all threads of this test have the same */
    fake_fork();
    hak_collect(); /* the child's first slow path parks it */
    assert_true(hak_registry_claim(heap->id, HAK_PARKED_THREAD)); /* a raid */
    fake_thread_switch(&new);
    assert_ptr_not_equal(attach(), heap);
}

/* In the child, the thread that forked goes on with its heap, whoever is the first to need a new
 * one: it may allocate nothing, or nothing that is not in a magazine, before a thread of the child
 * does. */
static void test_forker_keeps_its_heap(void **state) {
    (void)state;
    static struct fake_thread new;
    hak_free(hak_malloc(100));
    const struct hak_heap *heap = hak_tls.heap;
    assert_non_null(heap);
    fake_fork();
    fake_thread_switch(&new);
    hak_free(hak_malloc(100));
    assert_ptr_not_equal(hak_tls.heap, heap);
    assert_false(hak_registry_is_parked(heap->id, HAK_PARKED_THREAD));
}

/* No key: the heap works, and is not parked when the thread ends. */
static void test_no_keys(void **state) {
    (void)state;
    fake_thread_no_keys(true);
    struct hak_heap *heap = attach();
    fake_thread_end();
    assert_ptr_equal(hak_tls.heap, heap);
    assert_int_equal(hak_registry_parked_count(HAK_PARKED_THREAD), 0);
}

static void test_without_memory(void **state) {
    (void)state;
    hak_option_init();
    fake_page_fail(FAKE_ALL, 1, FAKE_FOR_EVER);
    assert_false(hak_thread_heap_attach(&hak_tls));
    assert_int_equal(hak_tls.state, HAK_TLS_NEW);
    assert_null(hak_tls.heap);
    fake_page_fail_never();
    attach();
}

/* The end of a thread that has another heap by now (a second destructor call) does nothing. */
static void test_end_of_another_heap(void **state) {
    (void)state;
    static struct fake_thread other;
    struct hak_heap *heap = attach();
    struct fake_thread *first = fake_thread_switch(&other);
    struct hak_heap *mine = attach();
    first->ended(heap);
    assert_ptr_equal(hak_tls.heap, mine);
    assert_false(hak_registry_is_parked(mine->id, HAK_PARKED_THREAD));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_attach_and_end),
        ISOLATED(test_next_thread_takes_it_whole),
        ISOLATED(test_threads_at_once_have_their_own),
        ISOLATED(test_found_again_by_the_thread_pointer),
        ISOLATED(test_parked_one_is_claimed),
        ISOLATED(test_forked_heap_forgets_its_thread),
        ISOLATED(test_forker_keeps_its_heap),
        ISOLATED(test_no_keys),
        ISOLATED(test_without_memory),
        ISOLATED(test_end_of_another_heap),
    };
    return cmocka_run_group_tests_name("heap/thread_heap", tests, NULL, NULL);
}
