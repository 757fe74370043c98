/* SPDX-License-Identifier: MIT
 *
 * One operation executed an instruction at a time, and something else done before each instruction
 * of the engine that touches memory: in a child process, so that each place is tried from the same
 * state.
 *
 *   fork        Another thread forked there: the child never goes on with the operation.
 *   preemption  Another thread ran there: the operation goes on to its end afterwards.
 *
 * So every moment at which a snapshot can be taken, and every way to run a second operation inside
 * a first one, is tried; what is not tried is two threads changing places more than twice, and
 * stores that another processor sees in another order.
 *
 * Needs the trap flag of x86-64, and code without a sanitizer's; step_possible() says so.
 */
#ifndef HAK_TESTS_UNIT_STEP_H
#define HAK_TESTS_UNIT_STEP_H

#include <stdbool.h>

bool step_possible(void);

/* Both do all of it, and the operation once more in this process.  They print the number of
 * places, fail the test at the first place where a child fails, and skip it where stepping is
 * impossible. */

/* At each place a child does `child`, and ends. */
void step_fork(void (*operation)(void *), void (*child)(void *), void *argument);

/* At each place a child does `meanwhile`, then the rest of the operation, then `after`.  This
 * process does `after`, too. */
void step_preempt(void (*operation)(void *), void (*meanwhile)(void *), void (*after)(void *),
                  void *argument);

#endif
