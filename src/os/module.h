/* SPDX-License-Identifier: MIT
 *
 * Which file an address of code is from.
 */
#ifndef HAK_OS_MODULE_H
#define HAK_OS_MODULE_H

#include "base/base.h"

/* Finds the name of the program or library, without its folders and cut to `size`, and where the
 * address is in it, as its ELF headers count.  False: in none that is known.  Takes no lock,
 * allocates nothing, keeps errno; callable from anywhere.  Needs _dl_find_object (glibc 2.35). */
bool hak_module_find(uintptr_t address, char *name, size_t size, uintptr_t *offset);

/* What tells the program or library of an address from all others; NULL: in none that is known.  As
 * above. */
const void *hak_module_at(uintptr_t address);

/* That of glibc; NULL: this is another libc. */
const void *hak_module_libc(void);

#endif
