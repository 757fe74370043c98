/* SPDX-License-Identifier: MIT
 *
 * span/ under several threads: units and superslabs are claimed, released, purged and unmapped at
 * once.  Each owner writes its name to what it claims and looks for it when it gives it back (S2,
 * S3), and a clean unit must read as zeros (S4).  The fake kernel orders nothing between threads,
 * so a race detector sees what the engine's own atomics order.
 */
#include "engine.h"

#include "base/bits.h"
#include "span/purge.h"
#include "span/region.h"

#include <pthread.h>
#include <string.h>

enum { THREADS = 4, STEPS = 4000, HELD = 24 };

struct claim {
    struct hak_superslab *superslab; /* NULL: none */
    unsigned first, count;           /* units; count 0: whole superslabs */
    unsigned slots;
};

static char *claim_base(const struct claim *claim) {
    return hak_superslab_unit_base(claim->superslab, claim->first);
}

/* The first word of each unit (or superslab) says whose it is. */
static bool claim_sign(const struct claim *claim, uintptr_t old, uintptr_t name) {
    size_t parts = claim->count ? claim->count : claim->slots;
    size_t step = claim->count ? HAK_UNIT_BYTES : HAK_SUPERSLAB_BYTES;
    for (size_t i = 0; i < parts; i++) {
        uintptr_t *word = (uintptr_t *)(void *)(claim_base(claim) + i * step);
        if (old && *word != old) {
            print_error("%p: 0x%lx, not 0x%lx\n", (void *)word, *word, old);
            return false;
        }
        *word = name;
    }
    return true;
}

static bool claim_make(struct claim *claim, struct engine_random *random) {
    bool dirty = true;
    claim->first = claim->count = claim->slots = 0;
    if (engine_below(random, 4)) {
        claim->count = 1 + (unsigned)engine_below(random, engine_below(random, 4) ? 4 : 32);
        claim->superslab = hak_superslab_claim(claim->count, true, &claim->first, &dirty);
    } else {
        claim->slots = 1 + (unsigned)engine_below(random, 5);
        claim->superslab = hak_region_claim(claim->slots);
    }
    if (!claim->superslab) return false;
    if (!dirty && !engine_is_zero(claim_base(claim), claim->count * HAK_UNIT_BYTES)) return false;
    return claim_sign(claim, 0, (uintptr_t)claim);
}

static bool claim_drop(struct claim *claim) {
    struct hak_superslab *superslab = claim->superslab;
    if (!superslab) return true;
    if (!claim_sign(claim, (uintptr_t)claim, UINTPTR_MAX)) return false;
    claim->superslab = NULL;
    if (claim->count) {
        hak_superslab_release(superslab, claim->first, claim->count, claim->count);
        return true;
    }
    for (unsigned i = 0; i < claim->slots; i++) {
        atomic_fetch_or_explicit(&superslab[i].dirty_units, 1, memory_order_relaxed);
    }
    hak_region_release(superslab, claim->slots);
    return true;
}

static void *churn(void *argument) {
    struct engine_random random = {(uintptr_t)argument};
    struct claim held[HELD];
    memset(held, 0, sizeof held);
    for (int step = 0; step < STEPS; step++) {
        struct claim *claim = &held[engine_below(&random, HELD)];
        if (!(claim->superslab ? claim_drop(claim) : claim_make(claim, &random))) return argument;
        if (step % 50 == 0) hak_purge_some(0, 0, 2);
        if (step % 500 == 0) hak_purge_all();
    }
    for (int i = 0; i < HELD; i++) {
        if (!claim_drop(&held[i])) return argument;
    }
    return NULL;
}

static void test_threads(void **state) {
    (void)state;
    pthread_t thread[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        pthread_create(&thread[i], NULL, churn, (void *)(i + 1));
    }
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(thread[i], &result);
        assert_null(result);
    }
    engine_check_span();
    hak_purge_all();
    assert_int_equal(fake_page_mapped(HAK_PAGE_HEAP), 0);
}

/* The same while purges and unmappings fail now and then. */
static void test_threads_and_failures(void **state) {
    (void)state;
    fake_page_fail(FAKE_BIT(FAKE_PURGE) | FAKE_BIT(FAKE_UNMAP), 3, 400);
    pthread_t thread[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        pthread_create(&thread[i], NULL, churn, (void *)(i + 11));
    }
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(thread[i], &result);
        assert_null(result);
    }
    fake_page_fail_never();
    engine_check_span();
    hak_purge_all();
    assert_int_equal(fake_page_mapped(HAK_PAGE_HEAP), 0);
}

/* Free memory that no hint leads to is never purged.  One thread frees superslabs while another one
 * purges; then one more look must find everything. */
static _Atomic bool freer_done;

static void *freer(void *argument) {
    (void)argument;
    for (int step = 0; step < 20 * STEPS; step++) {
        struct hak_superslab *superslab = hak_region_claim(1);
        if (!superslab) return freer;
        atomic_store_explicit(&superslab->dirty_units, 1, memory_order_relaxed);
        hak_region_release(superslab, 1);
        unsigned first;
        bool dirty;
        superslab = hak_superslab_claim(1, true, &first, &dirty);
        if (!superslab) return freer;
        hak_superslab_release(superslab, first, 1, 1);
        if (step % 16 == 0) {
            for (volatile int wait = 0; wait < 200; wait++) {
            }
        }
    }
    atomic_store(&freer_done, true);
    return NULL;
}

static size_t dirty_units(void) {
    size_t dirty = 0;
    for (uint32_t i = 0; i < hak_region_count(); i++) {
        struct hak_region *region = hak_region_at(i);
        for (uint32_t slot = 0; region && slot < region->slots; slot++) {
            dirty += (size_t)__builtin_popcount(atomic_load(&region->superslab[slot].dirty_units));
        }
    }
    return dirty;
}

static void test_nothing_dirty_is_forgotten(void **state) {
    (void)state;
    for (int round = 0; round < 3; round++) {
        pthread_t thread;
        void *result;
        unsigned first;
        bool dirty;
        hak_superslab_claim(1, true, &first, &dirty); /* a superslab that stays in pieces */
        atomic_store(&freer_done, false);
        pthread_create(&thread, NULL, freer, NULL);
        while (!atomic_load_explicit(&freer_done, memory_order_relaxed)) hak_purge_some(0, 0, 64);
        pthread_join(thread, &result);
        assert_null(result);
        hak_purge_some(0, 0, 64);
        size_t left = dirty_units();
        if (left) fail_msg("round %d: %zu dirty units are free and in no hint", round, left);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_threads),
        ISOLATED(test_threads_and_failures),
        ISOLATED(test_nothing_dirty_is_forgotten),
    };
    return cmocka_run_group_tests_name("whole/span_threads", tests, NULL, NULL);
}
