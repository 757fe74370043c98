/* SPDX-License-Identifier: MIT
 *
 * A file that a command writes, there whole or not at all: written beside its place, and moved
 * there at the end.  A pipe or a device is written to as it is.
 */
#ifndef HAK_TOOLS_FILE_H
#define HAK_TOOLS_FILE_H

#include <stdbool.h>
#include <stdio.h>

struct file {
    FILE *out;
    const char *path;
    char *temporary;
};

/* False: a message was written to standard error. */
bool file_open(struct file *file, const char *path);
bool file_close(struct file *file);

#endif
