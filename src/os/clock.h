/* SPDX-License-Identifier: MIT
 *
 * Time, for decay and for statistics.  Read on slow paths only.
 */
#ifndef HAK_OS_CLOCK_H
#define HAK_OS_CLOCK_H

#include "base/base.h"

/* Milliseconds of CLOCK_MONOTONIC_COARSE (a few ms of resolution, no system call where the kernel
 * has a vDSO).  Never 0. */
uint64_t hak_clock_ms(void);

/* Nanoseconds of CLOCK_MONOTONIC, for measuring. */
uint64_t hak_clock_ns(void);

/* Nanoseconds of processor time that the process has used, but for the calling thread.  To within a
 * microsecond: may be a little less than a moment ago. */
uint64_t hak_clock_others_cpu_ns(void);

#endif
