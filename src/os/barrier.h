/* SPDX-License-Identifier: MIT
 *
 * A memory barrier in all threads of the process, paid for by the one that asks for it.
 *
 * After it, what each other thread stored before some point of its program is seen here, and what
 * it loads after that point sees what was stored here before.  So where two threads each store and
 * then load what the other one stores, and one does so often, that one needs no fence.
 *
 * Source: membarrier(2), MEMBARRIER_CMD_PRIVATE_EXPEDITED, Linux 4.14.
 */
#ifndef HAK_OS_BARRIER_H
#define HAK_OS_BARRIER_H

#include "base/base.h"

/* To be called before the first barrier, in each process.  False: the system has none. */
bool hak_barrier_begin(void);

/* False: there was none, and there will be none. */
bool hak_barrier(void);

/* Would there be one? */
bool hak_barrier_is_ready(void);

#endif
