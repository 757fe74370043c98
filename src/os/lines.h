/* SPDX-License-Identifier: MIT
 *
 * Reads a file line by line, in pieces through a buffer inside the struct: put it on the stack.
 * Owned by one thread; allocates nothing, keeps errno.
 */
#ifndef HAK_OS_LINES_H
#define HAK_OS_LINES_H

#include "base/base.h"

/* One more than the longest line that comes whole. */
#define HAK_LINES_BYTES 1024

struct hak_lines {
    int fd;
    int error; /* 0 or -errno: reading ended early; -EFBIG: at `most` bytes */
    bool at_end;
    size_t most;       /* bytes that are read */
    size_t begin, end; /* the part of the buffer that is read and not yet returned */
    size_t total;      /* bytes read from the file */
    char buffer[HAK_LINES_BYTES];
};

/* Returns 0 or -errno; then nothing else may be called. */
int hak_lines_open(struct hak_lines *lines, const char *path, size_t most);

/* The next line, without its newline.  Of one that is too long, false *whole and what fits; the
 * rest comes as further lines.  False: no more. */
bool hak_lines_next(struct hak_lines *lines, const char **line, size_t *length, bool *whole);

/* Returns the error. */
int hak_lines_close(struct hak_lines *lines);

#endif
