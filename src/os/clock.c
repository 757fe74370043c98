/* SPDX-License-Identifier: MIT
 *
 * clock_gettime(2).
 */
#include "os/clock.h"

#include <time.h>

uint64_t hak_clock_ms(void) {
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now); /* reads the vDSO; can't fail for this clock */
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 + 1;
}

uint64_t hak_clock_ns(void) {
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t clock_cpu_ns(clockid_t whose) {
    struct timespec used = {0, 0};
    clock_gettime(whose, &used);
    return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

uint64_t hak_clock_others_cpu_ns(void) {
    uint64_t all = clock_cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
    return all - clock_cpu_ns(CLOCK_THREAD_CPUTIME_ID);
}
