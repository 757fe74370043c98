/* SPDX-License-Identifier: MIT
 *
 * Header: os/lines.h.
 */
#include "os/lines.h"

#include "os/file.h"

#include <errno.h>
#include <string.h>

int hak_lines_open(struct hak_lines *lines, const char *path, size_t most) {
    lines->fd = hak_file_open_read(path);
    lines->error = 0;
    lines->at_end = false;
    lines->most = most;
    lines->begin = lines->end = lines->total = 0;
    return lines->fd < 0 ? lines->fd : 0;
}

/* Moves what is left to the front and reads behind it. */
static void lines_fill(struct hak_lines *lines) {
    lines->end -= lines->begin;
    memmove(lines->buffer, lines->buffer + lines->begin, lines->end);
    lines->begin = 0;
    if (lines->total >= lines->most) {
        lines->error = -EFBIG;
        lines->at_end = true;
        return;
    }
    const long count = hak_file_read(lines->fd, lines->buffer + lines->end,
                                     sizeof lines->buffer - lines->end);
    if (count <= 0) {
        lines->error = (int)count;
        lines->at_end = true;
        return;
    }
    lines->end += (size_t)count;
    lines->total += (size_t)count;
}

bool hak_lines_next(struct hak_lines *lines, const char **line, size_t *length, bool *whole) {
    for (;;) {
        const char *start = lines->buffer + lines->begin;
        const size_t ready = lines->end - lines->begin;
        const char *newline = ready == 0 ? NULL : memchr(start, '\n', ready);
        *line = start;
        if (newline != NULL) {
            *length = (size_t)(newline - start);
            lines->begin += *length + 1;
            *whole = true;
            return true;
        }
        if (ready == sizeof lines->buffer || (lines->at_end && ready > 0)) {
            *length = ready;
            lines->begin = lines->end;
            *whole = lines->at_end;
            return true;
        }
        if (lines->at_end) return false;
        lines_fill(lines);
    }
}

int hak_lines_close(struct hak_lines *lines) {
    hak_file_close(lines->fd);
    return lines->error;
}
