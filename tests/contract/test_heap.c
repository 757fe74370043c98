/* SPDX-License-Identifier: MIT
 *
 * First-class heaps: blocks like any other, calls from any thread, frees by plain hak_free in any
 * thread, destruction with live blocks, nothing left behind.
 */
#include "family.h"
#include "hakmem.h"
#include "memory.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

static void test_blocks_of_every_size(void **state) {
    (void)state;
    struct hak_heap *heap = hak_heap_new();
    assert_non_null(heap);
    for (size_t i = 0; i < family_size_count; i++) {
        size_t size = family_sizes[i];
        void *block = hak_heap_malloc(heap, size);
        assert_non_null(block);
        assert_aligned(block, 16);
        assert_true(hak_usable_size(block) >= size);
        pattern_write(block, size, i);
        void *zeroed = hak_heap_calloc(heap, 1, size);
        assert_non_null(zeroed);
        assert_int_equal(zero_check(zeroed, size), size);
        pattern_write(zeroed, size, i + 1);
        assert_int_equal(pattern_check(block, size, i), size);
        hak_free(block);
        hak_free(zeroed);
    }
    hak_heap_destroy(heap);
}

static void test_alignments(void **state) {
    (void)state;
    struct hak_heap *heap = hak_heap_new();
    assert_non_null(heap);
    for (size_t alignment = 1; alignment <= ((size_t)16 << 20); alignment *= 2) {
        for (size_t i = 0; i < family_size_count; i += 97) {
            void *block = hak_heap_aligned_alloc(heap, alignment, family_sizes[i]);
            assert_non_null(block);
            assert_aligned(block, alignment);
            memset(block, 1, family_sizes[i] < 4096 ? family_sizes[i] : 4096);
        }
    }
    errno = 0;
    assert_null(hak_heap_aligned_alloc(heap, 48, 100));
    assert_int_equal(errno, EINVAL);
    hak_heap_destroy(heap); /* with all of them live */
}

static void test_limits(void **state) {
    (void)state;
    struct hak_heap *heap = hak_heap_new();
    assert_non_null(heap);
    volatile size_t half = (size_t)PTRDIFF_MAX + 1, eighth = ((size_t)1 << 61) + 2, all = SIZE_MAX;
    errno = 0;
    assert_null(hak_heap_malloc(heap, half));
    assert_int_equal(errno, ENOMEM);
    errno = 0;
    assert_null(hak_heap_calloc(heap, eighth, 8));
    assert_int_equal(errno, ENOMEM);
    errno = 0;
    assert_null(hak_heap_aligned_alloc(heap, 64, all));
    assert_int_equal(errno, ENOMEM);
    void *a = hak_heap_malloc(heap, 0), *b = hak_heap_malloc(heap, 0);
    assert_non_null(a);
    assert_non_null(b);
    assert_ptr_not_equal(a, b);
    hak_heap_destroy(heap);
}

/* realloc keeps the contents; where the new block lies is the allocator's choice. */
static void test_realloc_keeps_contents(void **state) {
    (void)state;
    struct hak_heap *heap = hak_heap_new();
    assert_non_null(heap);
    void *block = hak_heap_malloc(heap, 10);
    assert_non_null(block);
    pattern_write(block, 10, 1);
    static const size_t sizes[] = {100, 5000, 300000, 5 << 20, 2 << 20, 70, 10};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        block = hak_realloc(block, sizes[i]);
        assert_non_null(block);
        assert_int_equal(pattern_check(block, 10, 1), 10);
    }
    hak_free(block);
    hak_heap_destroy(heap);
}

enum { THREADS = 6, EACH = 4000 };

struct worker {
    struct hak_heap *heap;
    void *blocks[EACH];
    size_t sizes[EACH];
    uint64_t seed;
    struct worker *frees; /* whose blocks to check and free */
    unsigned wrong;
};

static void *worker_allocate(void *argument) {
    struct worker *worker = argument;
    uint64_t random = worker->seed;
    for (size_t i = 0; i < EACH; i++) {
        worker->sizes[i] = random_next(&random) % ((size_t)64 << (random % 8));
        worker->blocks[i] = hak_heap_malloc(worker->heap, worker->sizes[i]);
        if (worker->blocks[i]) pattern_write(worker->blocks[i], worker->sizes[i], worker->seed + i);
        else worker->wrong++;
        if (i % 3 == 2) { /* some come back at once, by the plain free */
            hak_free(worker->blocks[i - 1]);
            worker->blocks[i - 1] = NULL;
        }
    }
    return NULL;
}

static void *worker_free(void *argument) {
    struct worker *worker = argument, *from = worker->frees;
    for (size_t i = 0; i < EACH; i++) {
        if (!from->blocks[i]) continue;
        if (pattern_check(from->blocks[i], from->sizes[i], from->seed + i) != from->sizes[i])
            worker->wrong++;
        hak_free(from->blocks[i]);
    }
    return NULL;
}

static void run_all(struct worker *workers, void *(*function)(void *)) {
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, function, &workers[i]), 0);
    for (size_t i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (size_t i = 0; i < THREADS; i++) assert_int_equal(workers[i].wrong, 0);
}

/* All threads allocate from one heap at once; then each frees what another one allocated. */
static void test_many_threads_on_one_heap(void **state) {
    (void)state;
    static struct worker workers[THREADS];
    for (int round = 0; round < 5; round++) {
        struct hak_heap *heap = hak_heap_new();
        assert_non_null(heap);
        for (size_t i = 0; i < THREADS; i++) {
            workers[i].heap = heap;
            workers[i].seed = 100u * (unsigned)round + i + 1;
            workers[i].frees = &workers[(i + 1) % THREADS];
        }
        run_all(workers, worker_allocate);
        if (round % 2 == 0) run_all(workers, worker_free);
        hak_heap_destroy(heap); /* in odd rounds with every block live */
    }
}

/* Blocks of the thread's own heap, of two first-class heaps, interleaved in memory and time: the
 * end of one heap must not touch the others. */
static void test_destroy_leaves_other_heaps_alone(void **state) {
    (void)state;
    enum { COUNT = 3000 };
    static void *plain[COUNT], *other[COUNT];
    struct hak_heap *gone = hak_heap_new(), *stays = hak_heap_new();
    assert_non_null(gone);
    assert_non_null(stays);
    for (size_t i = 0; i < COUNT; i++) {
        size_t size = i % 700 + 1;
        plain[i] = hak_malloc(size);
        other[i] = hak_heap_malloc(stays, size);
        void *lost = hak_heap_malloc(gone, i % 500 == 0 ? (size_t)3 << 20 : size);
        assert_true(plain[i] && other[i] && lost);
        pattern_write(plain[i], size, i);
        pattern_write(other[i], size, i + 1);
        memset(lost, 0xDD, size);
    }
    hak_heap_destroy(gone);
    for (size_t i = 0; i < COUNT; i++) {
        size_t size = i % 700 + 1;
        void *fresh = hak_malloc(size); /* may reuse what the destroyed heap had */
        memset(fresh, 0xEE, size);
        assert_int_equal(pattern_check(plain[i], size, i), size);
        assert_int_equal(pattern_check(other[i], size, i + 1), size);
        hak_free(fresh);
    }
    for (size_t i = 0; i < COUNT; i++) {
        hak_free(plain[i]);
        hak_free(other[i]);
    }
    hak_heap_destroy(stays);
}

/* 10,000 heaps, each with blocks of several classes left live, must not add up to anything. */
static void test_growth_is_flat(void **state) {
    (void)state;
    enum { WARM = 500, HEAPS = 10000 };
    size_t resident = 0;
    uint64_t mapped = 0;
    struct hak_stats stats = {.version = HAK_STATS_VERSION, .size = sizeof(stats)};
    for (int i = 0; i < WARM + HEAPS; i++) {
        if (i == WARM) {
            assert_int_equal(hak_stats_read(&stats), 0);
            resident = memory_resident();
            mapped = stats.mapped;
        }
        struct hak_heap *heap = hak_heap_new();
        assert_non_null(heap);
        for (size_t k = 0; k < 8; k++) {
            void *block = hak_heap_malloc(heap, (size_t)16 << k);
            assert_non_null(block);
            memset(block, 1, (size_t)16 << k);
        }
        hak_heap_destroy(heap);
    }
    assert_int_equal(hak_stats_read(&stats), 0);
    long resident_growth = (long)(memory_resident() - resident);
    long mapped_growth = (long)(stats.mapped - mapped);
    print_message("%d heaps: resident grew by %ld KiB, mapped by %ld KiB\n", HEAPS,
                  resident_growth / 1024, mapped_growth / 1024);
    assert_true(resident_growth < 1 << 20);
    assert_true(mapped_growth < 4 << 20);
}

/* Two threads: one makes and ends heaps, the other frees blocks of them just before. */
struct baton {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    void *block;
    bool done;
};

static void *baton_free(void *argument) {
    struct baton *baton = argument;
    pthread_mutex_lock(&baton->lock);
    for (;;) {
        while (!baton->block && !baton->done) pthread_cond_wait(&baton->moved, &baton->lock);
        if (baton->done) break;
        hak_free(baton->block);
        baton->block = NULL;
        pthread_cond_signal(&baton->moved);
    }
    pthread_mutex_unlock(&baton->lock);
    return NULL;
}

static void test_destroy_after_a_foreign_free(void **state) {
    (void)state;
    struct baton baton = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, false};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, baton_free, &baton), 0);
    for (size_t i = 0; i < 2000; i++) {
        struct hak_heap *heap = hak_heap_new();
        assert_non_null(heap);
        void *kept = hak_heap_malloc(heap, i % 3000 + 1);
        void *given = hak_heap_malloc(heap, i % 3000 + 1);
        assert_true(kept && given);
        pthread_mutex_lock(&baton.lock);
        baton.block = given;
        pthread_cond_signal(&baton.moved);
        while (baton.block) pthread_cond_wait(&baton.moved, &baton.lock);
        pthread_mutex_unlock(&baton.lock);
        hak_heap_destroy(heap);
    }
    pthread_mutex_lock(&baton.lock);
    baton.done = true;
    pthread_cond_signal(&baton.moved);
    pthread_mutex_unlock(&baton.lock);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void) {
    family_open();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_of_every_size),
        cmocka_unit_test(test_alignments),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_realloc_keeps_contents),
        cmocka_unit_test(test_many_threads_on_one_heap),
        cmocka_unit_test(test_destroy_leaves_other_heaps_alone),
        cmocka_unit_test(test_growth_is_flat),
        cmocka_unit_test(test_destroy_after_a_foreign_free),
    };
    return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
