/* SPDX-License-Identifier: MIT
 *
 * From a frame of the stack to the one that called it, by rules (os/cfi.h).  A rule depends on the
 * code address alone, so it is looked up once, and following it is three loads.
 *
 * Concurrency: callable from anywhere: takes no lock, allocates nothing.  Needs _dl_find_object
 * (glibc 2.35); without it there are no rules.
 */
#ifndef HAK_OS_UNWIND_H
#define HAK_OS_UNWIND_H

#include "os/cfi.h"

/* Where a function goes on when a call returns, and its registers then. */
struct hak_frame {
    uintptr_t pc, sp, fp;
};

/* What it takes to get from a function to the one that called it, in three instructions.  `record`:
 * the caller's fp, and the address to return to; `sp`: the caller's. */
struct hak_frame_mark {
    const uintptr_t *record;
    uintptr_t sp;
};

/* Of the function that this is written in, or inlined into.  Good until that returns. */
#define HAK_FRAME_MARK() \
    ((struct hak_frame_mark){__builtin_frame_address(0), (uintptr_t)__builtin_dwarf_cfa()})

/* The frame of its caller. */
struct hak_frame hak_frame_of(struct hak_frame_mark mark);

/* The rule for a return address; known = 0: none. */
struct hak_cfi_rule hak_unwind_find(uintptr_t pc);

/* Is the code that the rule was found for still there? */
bool hak_unwind_is_current(struct hak_cfi_rule rule, uintptr_t pc);

/* Follows a rule.  False: the frame can't be one that the rule is for, and is left as it was. */
bool hak_unwind_step(struct hak_cfi_rule rule, struct hak_frame *frame);

#endif
