/* SPDX-License-Identifier: MIT
 *
 * What a heap keeps: a slab of which no block is in use; its arrays, when a thread ends.
 */
#include "engine.h"

#include "heap/bin.h"
#include "heap/idle.h"
#include "heap/slots.h"

/* Moves the blocks of a bin to their slabs, as a slow path would. */
static void flush(struct hak_heap *heap, unsigned class) {
    hak_heap_enter(&hak_tls);
    hak_bin_flush(heap, class, 0, UINT32_MAX);
    hak_heap_leave(&hak_tls);
}

static void look(struct hak_heap *heap, unsigned class) {
    hak_heap_enter(&hak_tls);
    heap->idle_class = class - 1;
    hak_idle_look(heap);
    hak_heap_leave(&hak_tls);
}

/* The thread's heap keeps one empty slab of a class, until two looks have found it so. */
static void test_an_empty_slab_is_kept(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    static const size_t sizes[] = {16, 1000, 4096};
    for (size_t i = 0; i < UNIT_COUNT(sizes); i++) {
        unsigned class = hak_class_of(sizes[i]);
        void *block = hak_malloc(sizes[i]);
        struct hak_heap *heap = hak_tls.heap;
        struct hak_bin_cold *cold = &heap->cold[class];
        hak_free(block);
        assert_null(cold->kept); /* its blocks are in the magazine */
        flush(heap, class);
        struct hak_slab *slab = cold->kept;
        assert_ptr_equal(slab, hak_slab_of(block));
        engine_check_heaps();

        block = hak_malloc(sizes[i]); /* taken again */
        assert_ptr_equal(hak_slab_of(block), slab);
        assert_null(cold->kept);
        hak_free(block);

        flush(heap, class);
        assert_ptr_equal(cold->kept, slab);
        look(heap, class);
        assert_ptr_equal(cold->kept, slab);
        look(heap, class);
        assert_null(cold->kept);
        assert_null(cold->partial);
        engine_check_heaps();
    }
}

/* None is kept beside one with room, nor any that has more than a unit, nor another heap's. */
static void test_what_is_not_kept(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    static void *block[200];
    for (size_t i = 0; i < UNIT_COUNT(block); i++) block[i] = hak_malloc(1000); /* four slabs */
    struct hak_heap *heap = hak_tls.heap;
    unsigned class = hak_class_of(1000);
    for (size_t i = 1; i < UNIT_COUNT(block); i++) hak_free(block[i]);
    flush(heap, class);
    assert_null(heap->cold[class].kept);
    assert_ptr_equal(heap->cold[class].partial, hak_slab_of(block[0]));
    assert_null(heap->cold[class].partial->next);

    hak_free(block[0]);
    hak_free(hak_malloc(200 * KIB));
    flush(heap, class);
    flush(heap, hak_class_of(200 * KIB));
    assert_non_null(heap->cold[class].kept);
    assert_ptr_equal(heap->cold[class].partial, heap->cold[class].kept);
    assert_null(heap->cold[class].partial->next);
    assert_null(heap->cold[hak_class_of(200 * KIB)].partial);

    struct hak_heap *other = engine_heap("fast");
    hak_bin_return(other, engine_take(other, 1));
    hak_bin_clear_all(other);
    assert_null(other->cold[1].partial);
    hak_collect();
    assert_null(heap->cold[class].partial);
}

static unsigned kept_singles(const struct hak_heap *heap) {
    unsigned kept = 0;
    for (unsigned class = HAK_SHARED_CLASSES + 1; class <= HAK_CLASSES; class ++)
        kept += hak_heap_bin_count(heap, class);
    return kept;
}

/* Classes with one block a slab: a free block serves sizes down to two thirds of its own; one that
 * does not serve is no obstacle. */
static void test_large_blocks(void **state) {
    (void)state;
    void *keeper = hak_malloc(16), *large = hak_malloc(100 * KIB);
    struct hak_heap *heap = hak_tls.heap;
    uint64_t made = heap->cold[hak_class_of(80 * KIB)].refills;
    hak_free(large);
    for (int i = 0; i < 10; i++) {
        assert_ptr_equal(hak_malloc(80 * KIB), large); /* of two classes above */
        assert_int_equal(hak_usable_size(large), hak_good_size(100 * KIB));
        assert_int_equal(kept_singles(heap), 0);
        hak_free(large);
        assert_int_equal(kept_singles(heap), 1);
    }
    assert_int_equal(heap->cold[hak_class_of(80 * KIB)].refills, made);

    static const size_t sizes[] = {60 * KIB, 1 * MIB, 40 * KIB, 200 * KIB};
    for (size_t i = 0; i < UNIT_COUNT(sizes); i++) {
        void *block = hak_malloc(sizes[i]);
        assert_ptr_equal(block, large); /* in its place */
        assert_int_equal(hak_usable_size(block), hak_good_size(sizes[i]));
        assert_int_equal(kept_singles(heap), 0);
        hak_free(block);
        engine_check_heaps();
    }

    void *two[2] = {hak_malloc(40 * KIB), hak_malloc(900 * KIB)}; /* in turns */
    for (int i = 0; i < 10; i++) {
        hak_free(two[0]);
        hak_free(two[1]);
        assert_int_equal(kept_singles(heap), 2);
        assert_ptr_equal(hak_malloc(40 * KIB), two[0]);
        assert_ptr_equal(hak_malloc(900 * KIB), two[1]);
    }
    engine_check_span();
    hak_free(keeper);
}

/* A thread's end leaves no magazine, half of what was learned, and arrays for the next thread. */
static void test_retired(void **state) {
    (void)state;
    if (HAK_STRESS) return;
    static struct fake_thread next;
    unsigned class = hak_class_of(16), other = hak_class_of(48), unused = hak_class_of(80);
    hak_malloc(16);
    hak_malloc(48);
    struct hak_heap *heap = hak_tls.heap;
    struct hak_slot *base = heap->cold[other].base;
    assert_ptr_not_equal(base, hak_slots_none());
    heap->cold[class].capacity = 15;
    heap->cold[other].capacity = 2047;
    heap->cold[unused].capacity = 255;
    engine_next_thread(&next);
    assert_ptr_equal(heap->cold[class].base, hak_slots_none());
    assert_int_equal(heap->cold[class].capacity, hak_heap_first_capacity(class));
    assert_int_equal(heap->cold[other].capacity, 1023);
    assert_int_equal(heap->cold[unused].capacity, 255);
    engine_check_heaps();
    hak_malloc(16); /* arrays come back last in, first out */
    assert_ptr_equal(hak_tls.heap, heap);
    assert_ptr_equal(heap->cold[class].base, base);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_an_empty_slab_is_kept),
        ISOLATED(test_what_is_not_kept),
        ISOLATED(test_large_blocks),
        ISOLATED(test_retired),
    };
    return cmocka_run_group_tests_name("whole/keeping", tests, NULL, NULL);
}
