/* SPDX-License-Identifier: MIT
 *
 * How much memory the process, and the control group that it is in, use and may use, as the kernel
 * says.
 *
 * Source: proc(5), statm; cgroups(7); Linux, admin-guide/cgroup-v2, memory, and
 * admin-guide/cgroup-v1/memory.
 *
 * Concurrency: callable from any thread; no state but the caller's.  Keeps errno, allocates
 * nothing.
 */
#ifndef HAK_OS_USAGE_H
#define HAK_OS_USAGE_H

#include "os/lines.h"

/* The bytes that the process has resident, of all kinds; 0: /proc does not say. */
size_t hak_usage_resident(void);

/* A control group: the folder of the one with the least limit among those that the process is in,
 * one in another.  Not for a small stack. */
#define HAK_USAGE_FOLDER_BYTES 512
#define HAK_USAGE_TEXT_BYTES   128

struct hak_usage_group {
    char folder[HAK_USAGE_FOLDER_BYTES];
    bool unified;   /* version 2 */
    uint64_t limit; /* bytes: the lesser of memory.high and memory.max */
    /* room for the functions below */
    char climbed[HAK_USAGE_FOLDER_BYTES], path[HAK_USAGE_FOLDER_BYTES + 32];
    char text[HAK_USAGE_TEXT_BYTES];
    struct hak_lines lines;
};

/* Finds it.  `root` comes before all paths, for tests; "" is the system's.  False: there is none
 * with a limit. */
bool hak_usage_find_group(const char *root, struct hak_usage_group *group);

/* The bytes that the group uses, without what the kernel can drop (the cache of files); and for how
 * many of 10,000 moments lately one of its tasks has waited for memory (0 with version 1).  False:
 * the files are not there any more. */
bool hak_usage_read_group(struct hak_usage_group *group, uint64_t *used, uint32_t *waits);

#endif
