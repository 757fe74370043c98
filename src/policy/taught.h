/* SPDX-License-Identifier: MIT
 *
 * What was learned in another run of the program: a policy file, as `hakmem learn` writes it.
 *
 *   hakmem policy 1                       the format's version
 *   site OFFSET KEEP MODULE[<TAB>SYMBOL]  one a line
 *   end                                   so that a file that was cut off is known
 *
 * OFFSET is where the site is in its file (hexadecimal, as ELF headers count), MODULE the file's
 * name without folders.  KEEP is a step: for how many ms what the site frees is kept, or "ever".
 * SYMBOL, NAME+0xOFFSET, is for `hakmem run --policy`, which finds the site by it after a rebuild.
 *
 * Concurrency: hak_taught_load may be called by several threads at once; one of them loads, and the
 * others go on as if there were no file until it has.
 */
#ifndef HAK_POLICY_TAUGHT_H
#define HAK_POLICY_TAUGHT_H

#include "base/base.h"

#define HAK_TAUGHT_MAGIC     "hakmem policy 1"
#define HAK_TAUGHT_SITES_MAX 4096u

struct hak_taught {
    uintptr_t offset;
    unsigned step;
    const char *module, *symbol; /* in the line, not terminated; symbol NULL: none */
    size_t module_length, symbol_length;
};

/* Reads what follows "site ".  What is wrong with it; NULL: nothing. */
const char *hak_taught_parse(const char *text, size_t length, struct hak_taught *out);

/* Reads the file of the option policy_file, once.  A bad one is reported, and not used. */
void hak_taught_load(void);

/* Is there anything taught? */
bool hak_taught_any(void);

/* The step of a site; -1: it is not in the file. */
int hak_taught_step(uintptr_t address);

#endif
