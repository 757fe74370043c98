/* SPDX-License-Identifier: MIT
 *
 * Random work.  Header: workload.h.
 */
#include "workload.h"

#include <string.h>

static void workload_switch(struct workload *work) {
    fake_thread_switch(&work->thread[engine_below(&work->random, WORKLOAD_THREADS)]);
}

void workload_start(struct workload *work, uint64_t seed, size_t most) {
    memset(work, 0, sizeof *work);
    work->random.state = seed;
    work->most = most;
    work->rare = 100;
    work->huge = 50;
    fake_thread_switch(&work->thread[0]);
}

static size_t workload_size(struct workload *work) {
    if (engine_below(&work->random, work->huge)) return engine_size(&work->random, work->most);
    return engine_below(&work->random, work->most);
}

/* A call that gave no block: allowed while the kernel fails. */
static void workload_failed(struct workload *work) {
    assert_int_equal(errno, ENOMEM);
    if (!work->may_fail) fail_msg("ENOMEM although the kernel has memory");
    work->failed++;
}

static void *workload_allocate(struct workload *work, size_t size, bool *of_heap) {
    size_t alignment = (size_t)16 << engine_below(&work->random, 13);
    void *block = NULL;
    *of_heap = false;
    errno = 0;
    switch (engine_below(&work->random, 8)) {
    case 0:
        block = hak_calloc(1, size);
        if (block) assert_true(engine_is_zero(block, size < 100 * KIB ? size : 100 * KIB));
        return block;
    case 1:
        block = hak_aligned_alloc(alignment, size);
        assert_int_equal((uintptr_t)block % alignment, 0);
        return block;
    case 2:
        if (!work->heap) return hak_malloc(size);
        *of_heap = true;
        return hak_heap_malloc(work->heap, size);
    case 3: {
        int error = hak_posix_memalign(&block, alignment, size);
        if (error) errno = error;
        return error ? NULL : block;
    }
    default:
        return hak_malloc(size);
    }
}

static void workload_new(struct workload *work, size_t row) {
    size_t size = workload_size(work);
    void *block = workload_allocate(work, size, &work->of_heap[row]);
    if (block) engine_enter(&work->table, row, block, size);
    else workload_failed(work);
}

static void workload_resize(struct workload *work, size_t row) {
    struct engine_block *entry = &work->table.row[row];
    size_t size = 1 + workload_size(work);
    if (engine_below(&work->random, 2)) size = 1 + engine_below(&work->random, 2 * entry->size + 1);
    if (size > work->most) size = work->most;
    errno = 0;
    uint64_t seed = entry->seed;
    size_t kept = size < entry->size ? size : entry->size;
    if (kept > 8192) kept = 8192; /* up to there every byte is filled */
    bool whole = entry->size <= 8192;
    unsigned char *resized = hak_realloc(entry->block, size);
    if (!resized) {
        workload_failed(work);
        assert_true(engine_intact(entry->block, entry->size, seed));
        return;
    }
    if (whole) assert_true(engine_intact(resized, kept, seed));
    work->of_heap[row] = work->of_heap[row] && resized == entry->block;
    engine_enter(&work->table, row, resized, size);
}

static void workload_heap(struct workload *work) {
    if (!work->heap) {
        errno = 0;
        work->heap = hak_heap_new();
        if (!work->heap) workload_failed(work);
        return;
    }
    for (size_t row = 0; row < ENGINE_TABLE; row++) {
        if (!work->of_heap[row]) continue;
        engine_leave(&work->table, row);
        work->of_heap[row] = false;
    }
    hak_heap_destroy(work->heap);
    work->heap = NULL;
}

static void workload_rare(struct workload *work) {
    switch (engine_below(&work->random, 6)) {
    case 0:
        hak_collect();
        break;
    case 1:
        hak_tiny_magazine_flush_all();
        break;
    case 2:
        hak_tiny_magazine_flush((int)engine_below(&work->random, HAK_CLASSES));
        break;
    case 3:
        fake_clock_advance(engine_below(&work->random, 3000));
        break;
    case 4: {
        struct fake_thread *ended = fake_thread_switch(&work->thread[0]);
        fake_thread_switch(ended);
        fake_thread_end();
        memset(&hak_tls, 0, sizeof hak_tls); /* another thread begins in its place */
        break;
    }
    default:
        workload_heap(work);
        break;
    }
}

void workload_step(struct workload *work) {
    size_t row = engine_below(&work->random, ENGINE_TABLE);
    workload_switch(work);
    if (engine_below(&work->random, work->rare) == 0) {
        workload_rare(work);
    } else if (!work->table.row[row].block) {
        workload_new(work, row);
    } else if (engine_below(&work->random, 4) == 0 && !work->of_heap[row]) {
        workload_resize(work, row);
    } else {
        work->of_heap[row] = false;
        hak_free(engine_leave(&work->table, row));
    }
}

void workload_check(struct workload *work) {
    struct hak_stats stats;
    size_t usable = 0;
    engine_check_table(&work->table);
    engine_check_span();
    engine_check_heaps();
    engine_check_census(&stats);
    for (size_t row = 0; row < ENGINE_TABLE; row++) {
        if (work->table.row[row].block) usable += hak_usable_size(work->table.row[row].block);
    }
    assert_int_equal(stats.live, usable);
}

void workload_end(struct workload *work) {
    for (size_t row = 0; row < ENGINE_TABLE; row++) {
        workload_switch(work);
        hak_free(engine_leave(&work->table, row));
        work->of_heap[row] = false;
    }
    if (work->heap) workload_heap(work);
    for (unsigned i = 0; i < WORKLOAD_THREADS; i++) {
        fake_thread_switch(&work->thread[i]);
        fake_thread_end();
    }
    static struct fake_thread last;
    memset(&last, 0, sizeof last);
    fake_thread_switch(&last);
}
