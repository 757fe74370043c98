/* SPDX-License-Identifier: MIT
 *
 * Header: file.h.
 */
#include "file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool file_problem(struct file *file, int error) {
    fprintf(stderr, "%s: %s: %s\n", program_invocation_name, file->path, strerror(error));
    free(file->temporary);
    return false;
}

bool file_open(struct file *file, const char *path) {
    struct stat status;
    file->path = path;
    file->temporary = NULL;
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) { /* a pipe, a device */
        file->out = fopen(path, "we");
        return file->out != NULL || file_problem(file, errno);
    }
    if (asprintf(&file->temporary, "%s.XXXXXX", path) < 0) {
        file->temporary = NULL;
        return file_problem(file, ENOMEM);
    }
    const int fd = mkstemp(file->temporary);
    if (fd < 0) return file_problem(file, errno);
    const mode_t mask = umask(0);
    umask(mask);
    fchmod(fd, 0666 & ~mask); /* what open(2) would have given it */
    file->out = fdopen(fd, "we");
    return file->out != NULL || file_problem(file, errno);
}

bool file_close(struct file *file) {
    const bool lost = ferror(file->out) != 0 || fflush(file->out) != 0;
    const int error = errno;
    if (fclose(file->out) == 0 && !lost &&
        (file->temporary == NULL || rename(file->temporary, file->path) == 0)) {
        free(file->temporary);
        return true;
    }
    const int last = lost ? error : errno;
    if (file->temporary != NULL) unlink(file->temporary);
    return file_problem(file, last);
}
