/* SPDX-License-Identifier: MIT
 *
 * base/counter.h: no count is lost.
 */
#include "unit.h"

#include "base/counter.h"

#include <pthread.h>

#define THREADS 4
#define STEPS   20000

static void *count(void *argument) {
    (void)argument;
    for (int i = 0; i < STEPS; i++) {
        hak_counter_add(&hak_counters.slabs_new, 3);
        hak_counter_sub(&hak_counters.slabs_new, 1);
    }
    return NULL;
}

static void test_starts_at_zero(void **state) {
    (void)state;
    const hak_count_t *counts = (const hak_count_t *)(const void *)&hak_counters;
    for (size_t i = 0; i < sizeof hak_counters / sizeof *counts; i++) {
        assert_int_equal(hak_counter_read(&counts[i]), 0);
    }
}

static void test_threads(void **state) {
    (void)state;
    pthread_t thread[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, count, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
    assert_int_equal(hak_counter_read(&hak_counters.slabs_new), 2 * THREADS * STEPS);
}

/* Byte counts go down by what they went up by, whatever the order. */
static void test_modulo(void **state) {
    (void)state;
    hak_counter_sub(&hak_counters.mapped_bytes, 5);
    hak_counter_add(&hak_counters.mapped_bytes, 5);
    assert_int_equal(hak_counter_read(&hak_counters.mapped_bytes), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starts_at_zero),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_modulo),
    };
    return cmocka_run_group_tests_name("base/counter", tests, NULL, NULL);
}
