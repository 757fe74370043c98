/* SPDX-License-Identifier: MIT
 *
 * Who is at work on this stack.
 */
#ifndef HAK_OS_STACK_H
#define HAK_OS_STACK_H

#include "base/base.h"

/* Is it certain that no function of libc or of the dynamic linker waits for this one to return, nor
 * one that a signal has interrupted?  Then the calling thread holds none of their locks.  What
 * starts a thread or a program does not count.
 *
 * False also where the stack can't be followed to its end: without unwind tables (machine code made
 * at run time), without _dl_find_object (before glibc 2.35, musl), in a static program, where libc
 * can't be told from the rest.  Takes microseconds; no lock, no memory. */
bool hak_stack_is_programs(void);

#endif
