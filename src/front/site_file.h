/* SPDX-License-Identifier: MIT
 *
 * The table of sites as a file, and for who reads it in memory.
 *
 *   hakmem sites 1                 the format's version
 *   site ADDRESS NAME=VALUE ...    one a line, those in use
 *   map LINE                       of /proc/self/maps, those of files: where the addresses belong
 *   end                            so that a file that was cut off is known
 *
 * Numbers are decimal, addresses and what is in a map line hexadecimal; lists are separated by
 * commas.  The names are those of struct hak_site, struct hak_site_large and, of sites that have
 * learned something, struct hak_steps.
 */
#ifndef HAK_FRONT_SITE_FILE_H
#define HAK_FRONT_SITE_FILE_H

#include "observe/site.h"
#include "policy/keep.h"

#define HAK_SITE_FILE_MAGIC "hakmem sites 1"

/* What `hakmem sites PID` finds in a process by this symbol: where all else is, and how large the
 * library's structs are. */
struct hak_site_root {
    char magic[24]; /* HAK_SITE_ROOT_MAGIC, its zero left out */
    uint32_t site_bytes, large_bytes, keep_bytes;
    const struct hak_site *table;
    const _Atomic uint32_t *used;
    const _Atomic(struct hak_keep_site *) *keep;
};
#define HAK_SITE_ROOT_MAGIC "hakmem sites in memory 1"
extern const struct hak_site_root hak_site_root;

/* What the option sites_file asks for, at the end of the process. */
void hak_site_file_at_exit(void);

#endif
