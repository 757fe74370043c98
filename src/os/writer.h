/* SPDX-License-Identifier: MIT
 *
 * A small buffered writer to a descriptor, for statistics.  Its buffer is inside the struct: put it
 * on the stack.  Owned by one thread; allocates nothing, keeps errno.
 *
 * The first failing write is kept and the rest of the text dropped: look at the result of
 * hak_writer_finish only.
 */
#ifndef HAK_OS_WRITER_H
#define HAK_OS_WRITER_H

#include "os/format.h"

#define HAK_WRITER_BYTES 1024

struct hak_writer {
    struct hak_sink sink;
    int fd;
    int error;   /* 0 or -errno of the first write that failed */
    bool opened; /* by hak_writer_open: to be closed */
    size_t used;
    char buffer[HAK_WRITER_BYTES];
};

/* Writes to an open descriptor, which stays open. */
void hak_writer_init(struct hak_writer *writer, int fd);

/* Writes to where the user asked for: "" is standard error, "fd:N" a descriptor, anything else a
 * file to append to, in whose name %p stands for the process id and %% for %.
 * Returns 0 or -errno; call hak_writer_finish after success only. */
int hak_writer_open(struct hak_writer *writer, const char *where);

/* Puts the process id for each %p of a file's name, and % for each %%.  False: it does not fit. */
bool hak_writer_expand(const char *name, char *out, size_t size);

void hak_writer_printf(struct hak_writer *writer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Writes what is left, closes what hak_writer_open opened.  Returns 0 or -errno. */
int hak_writer_finish(struct hak_writer *writer);

#endif
