/* SPDX-License-Identifier: MIT
 *
 * The meaning of a line.  Header: config/conf.h.
 */
#include "config/conf.h"

#include "os/format.h"
#include "os/lines.h"

#include <errno.h>

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

static void conf_read_lines(struct hak_values *values, struct hak_lines *lines, const char *path,
                            const char *program) {
    struct hak_origin origin = {path, 1};
    struct hak_slice line;
    bool concerned = true, whole, was_whole = true;
    for (; hak_lines_next(lines, &line.start, &line.length, &whole); was_whole = whole) {
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
    struct hak_lines lines;
    int result = hak_lines_open(&lines, path, HAK_CONF_FILE_BYTES_MAX);
    if (result < 0) {
        if (must_exist || result != -ENOENT) conf_warn(values, path, result);
        return result;
    }
    conf_read_lines(values, &lines, path, program);
    result = hak_lines_close(&lines);
    if (result != 0) conf_warn(values, path, result);
    return result;
}
