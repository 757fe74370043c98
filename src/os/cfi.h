/* SPDX-License-Identifier: MIT
 *
 * Call frame information: the tables that compilers write for exceptions (.eh_frame), which say how
 * to get from a frame of the stack to that of its caller.  DWARF 5, section 6.4, and the Linux
 * Standard Base, Core, sections 10.5 and 10.6.
 *
 * What compilers make of ordinary functions is understood; of anything else there is no rule.
 *
 * Concurrency: callable from anywhere: takes no lock, allocates nothing, has no state.
 */
#ifndef HAK_OS_CFI_H
#define HAK_OS_CFI_H

#include "base/base.h"

/* In 64 bits, to be read and written as a whole.  Offsets in words; 0 bits: no rule. */
struct hak_cfi_rule {
    uint64_t known : 1;
    uint64_t by_fp : 1;        /* the caller's sp is at an offset from fp; else from sp */
    uint64_t fp_saved : 1;     /* the function has saved fp */
    uint64_t sp_offset : 12;   /* forward, to the caller's sp */
    uint64_t pc_offset : 12;   /* from there back, to the return address */
    uint64_t fp_offset : 12;   /* and to the saved fp */
    uint64_t fingerprint : 25; /* of the code around pc: another one may be loaded there */
};

/* The rule for a return address, by the .eh_frame_hdr section of its module; known = 0: none. */
struct hak_cfi_rule hak_cfi_read(const unsigned char *header, uintptr_t pc);

#endif
