/* SPDX-License-Identifier: MIT
 *
 * Fills the buffer, writes it when it is full.
 */
#include "os/writer.h"

#include "os/file.h"
#include "os/report.h"
#include "os/syscall.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define WRITER_PATH_BYTES 512

static void writer_flush(struct hak_writer *writer) {
    if (writer->error == 0 && writer->used > 0) {
        writer->error = hak_file_write(writer->fd, writer->buffer, writer->used);
    }
    writer->used = 0;
}

static void writer_put(struct hak_sink *sink, const char *text, size_t length) {
    struct hak_writer *writer = (struct hak_writer *)sink;
    while (length > 0) {
        size_t step = hak_min_size(length, sizeof writer->buffer - writer->used);
        memcpy(writer->buffer + writer->used, text, step);
        writer->used += step;
        text += step;
        length -= step;
        if (writer->used == sizeof writer->buffer) writer_flush(writer);
    }
}

void hak_writer_init(struct hak_writer *writer, int fd) {
    writer->sink.put = writer_put;
    writer->fd = fd;
    writer->error = 0;
    writer->opened = false;
    writer->used = 0;
}

bool hak_writer_expand(const char *name, char *out, size_t size) {
    size_t used = 0;
    for (; *name != '\0'; name++) {
        char one[24] = {*name, '\0'};
        if (name[0] == '%' && name[1] == 'p') {
            hak_format_text(one, sizeof one, "%ld", hak_syscall1(SYS_getpid, 0));
            name++;
        } else if (name[0] == '%' && name[1] == '%') {
            name++;
        }
        used += hak_format_text(out + used, size - used, "%s", one);
        if (used >= size) return false;
    }
    return true;
}

/* The number after "fd:", or -1 if it is none. */
static int writer_descriptor(const char *digits) {
    long fd = 0;
    if (*digits == '\0') return -1;
    for (; *digits != '\0'; digits++) {
        if (*digits < '0' || *digits > '9') return -1;
        fd = fd * 10 + (*digits - '0');
        if (fd > INT_MAX) return -1;
    }
    return (int)fd;
}

int hak_writer_open(struct hak_writer *writer, const char *where) {
    if (where[0] == '\0') {
        hak_writer_init(writer, 2);
        return hak_report_has_stderr() ? 0 : -EBADF;
    }
    if (strncmp(where, "fd:", 3) == 0) {
        hak_writer_init(writer, writer_descriptor(where + 3));
        return writer->fd >= 0 && hak_file_is_open(writer->fd) ? 0 : -EBADF;
    }
    char path[WRITER_PATH_BYTES];
    if (!hak_writer_expand(where, path, sizeof path)) return -ENAMETOOLONG;
    hak_writer_init(writer, hak_file_open_append(path));
    writer->opened = true;
    return writer->fd >= 0 ? 0 : writer->fd;
}

void hak_writer_printf(struct hak_writer *writer, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    hak_format(&writer->sink, format, arguments);
    va_end(arguments);
}

int hak_writer_finish(struct hak_writer *writer) {
    writer_flush(writer);
    if (writer->opened) hak_file_close(writer->fd);
    return writer->error;
}
