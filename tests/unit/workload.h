/* SPDX-License-Identifier: MIT
 *
 * Random work of every kind that the public interface offers, in several simulated threads that
 * begin and end.  An allocation may fail, with NULL and ENOMEM, only while the fake kernel fails.
 */
#ifndef HAK_TESTS_UNIT_WORKLOAD_H
#define HAK_TESTS_UNIT_WORKLOAD_H

#include "engine.h"

#define WORKLOAD_THREADS 4u

struct workload {
    struct engine_random random;
    struct engine_table table;
    struct fake_thread thread[WORKLOAD_THREADS];
    struct hak_heap *heap; /* a first-class one, or NULL: some blocks of the table are of it */
    bool of_heap[ENGINE_TABLE];
    size_t most;   /* the largest size */
    unsigned rare; /* one operation in so many is none on a block */
    unsigned huge; /* one size in so many is any up to `most` */
    bool may_fail;
    unsigned long failed; /* allocations that did */
};

void workload_start(struct workload *work, uint64_t seed, size_t most);

/* One operation, in one of the threads. */
void workload_step(struct workload *work);

/* Contents, invariants, and the identity of statistics. */
void workload_check(struct workload *work);

/* Frees all, ends all threads. */
void workload_end(struct workload *work);

#endif
