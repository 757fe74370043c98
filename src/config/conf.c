/* SPDX-License-Identifier: MIT
 *
 * A line reader over hak_file_read, and the meaning of one line.
 */
#include "config/conf.h"

#include "os/file.h"
#include "os/format.h"

#include <errno.h>

struct conf_reader {
    int fd;
    int error; /* 0 or -errno: reading ended early */
    bool at_end;
    size_t begin, end; /* the part of the buffer that is read and not yet returned */
    size_t total;      /* bytes read from the file */
    char buffer[HAK_CONF_LINE_BYTES];
};

/* Moves what is left to the front and reads behind it. */
static void conf_fill(struct conf_reader *reader) {
    reader->end -= reader->begin;
    memmove(reader->buffer, reader->buffer + reader->begin, reader->end);
    reader->begin = 0;
    if (reader->total >= HAK_CONF_FILE_BYTES_MAX) {
        reader->error = -EFBIG;
        reader->at_end = true;
        return;
    }
    const long count = hak_file_read(reader->fd, reader->buffer + reader->end,
                                     sizeof reader->buffer - reader->end);
    if (count <= 0) {
        reader->error = (int)count;
        reader->at_end = true;
        return;
    }
    reader->end += (size_t)count;
    reader->total += (size_t)count;
}

/* The next line without its newline.  Of a line that does not fit the buffer, false `whole` and
 * what fits; the rest comes as further lines of the same number.  False: no more. */
static bool conf_next(struct conf_reader *reader, struct hak_slice *out, bool *whole) {
    for (;;) {
        char *start = reader->buffer + reader->begin;
        const size_t ready = reader->end - reader->begin;
        const char *newline = ready == 0 ? NULL : memchr(start, '\n', ready);
        if (newline != NULL) {
            *out = (struct hak_slice){start, (size_t)(newline - start)};
            reader->begin += out->length + 1;
            *whole = true;
            return true;
        }
        if (ready == sizeof reader->buffer || (reader->at_end && ready > 0)) {
            *out = (struct hak_slice){start, ready};
            reader->begin = reader->end;
            *whole = reader->at_end;
            return true;
        }
        if (reader->at_end) return false;
        conf_fill(reader);
    }
}

/* Without the comment, and without blanks at its ends. */
static struct hak_slice conf_strip(struct hak_slice line) {
    for (size_t i = 0; i < line.length; i++) {
        if (line.start[i] != '#') continue;
        if (i == 0 || hak_slice_is_blank(line.start[i - 1])) line.length = i;
    }
    return hak_slice_trim(line);
}

/* "[name]": does what follows concern `program`? */
static bool conf_section(struct hak_values *values, struct hak_slice line, const char *program,
                         const struct hak_origin *origin) {
    if (line.start[line.length - 1] != ']') {
        hak_values_warn(values, origin, "a section is written [program]; it is left out");
        return false;
    }
    return hak_slice_equals(hak_slice_trim((struct hak_slice){line.start + 1, line.length - 2}),
                            program);
}

static void conf_read_lines(struct hak_values *values, struct conf_reader *reader, const char *path,
                            const char *program) {
    struct hak_origin origin = {path, 1};
    struct hak_slice line;
    bool concerned = true, whole, was_whole = true;
    for (; conf_next(reader, &line, &whole); was_whole = whole) {
        const bool is_tail = !was_whole;
        if (!is_tail && !whole) hak_values_warn(values, &origin, "the line is too long");
        if (!is_tail && whole) {
            line = conf_strip(line);
            if (line.length > 0 && line.start[0] == '[') {
                concerned = conf_section(values, line, program, &origin);
            } else if (concerned) {
                hak_values_assign_pair(values, line, &origin);
            }
        }
        if (whole) origin.line++;
    }
}

/* -ENOENT and the like in words: strerror(3) may allocate, and looks at the locale. */
static const char *conf_why(int error) {
    switch (error) {
    case -ENOENT:
        return "it does not exist";
    case -EACCES:
        return "permission denied";
    case -EISDIR:
        return "it is a directory";
    case -EFBIG:
        return "the rest is left out: it is too long";
    default:
        return NULL;
    }
}

static void conf_warn(struct hak_values *values, const char *path, int error) {
    char message[HAK_VALUES_MESSAGE_BYTES];
    const struct hak_origin origin = {path, 0};
    if (conf_why(error) != NULL) {
        hak_format_text(message, sizeof message, "can't be read: %s", conf_why(error));
    } else {
        hak_format_text(message, sizeof message, "can't be read: error %d", -error);
    }
    hak_values_warn(values, &origin, message);
}

int hak_conf_read(struct hak_values *values, const char *path, const char *program,
                  bool must_exist) {
    struct conf_reader reader;
    reader.fd = hak_file_open_read(path);
    if (reader.fd < 0) {
        if (must_exist || reader.fd != -ENOENT) conf_warn(values, path, reader.fd);
        return reader.fd;
    }
    reader.error = 0;
    reader.at_end = false;
    reader.begin = reader.end = reader.total = 0;
    conf_read_lines(values, &reader, path, program);
    hak_file_close(reader.fd);
    if (reader.error != 0) conf_warn(values, path, reader.error);
    return reader.error;
}
