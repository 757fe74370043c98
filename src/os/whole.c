/* SPDX-License-Identifier: MIT
 *
 * A temporary name, then rename(2).  Header: os/whole.h.
 */
#include "os/whole.h"

#include "os/file.h"
#include "os/syscall.h"

#include <errno.h>

int hak_whole_open(struct hak_whole *file, const char *where) {
    if (!hak_writer_expand(where, file->path, sizeof file->path)) return -ENAMETOOLONG;
    /* The number of the thread, not of the process: two threads may write one file. */
    hak_format_text(file->temporary, sizeof file->temporary, "%s.%ld.tmp", file->path,
                    hak_syscall1(SYS_gettid, 0));
    int fd = hak_file_create(file->temporary);
    if (fd == -EEXIST) { /* of a thread that was killed here */
        hak_file_remove(file->temporary);
        fd = hak_file_create(file->temporary);
    }
    if (fd < 0) return fd;
    hak_writer_init(&file->writer, fd);
    return 0;
}

int hak_whole_close(struct hak_whole *file, int error) {
    int written = hak_writer_finish(&file->writer);
    hak_file_close(file->writer.fd);
    if (!error) error = written;
    if (!error) error = hak_file_rename(file->temporary, file->path);
    if (error) hak_file_remove(file->temporary);
    return error;
}
