/* SPDX-License-Identifier: MIT
 *
 * A file that is written whole or not at all: what is written goes to another file beside it, which
 * takes its name when all of it is there.  Owned by one thread; allocates nothing, keeps errno.
 */
#ifndef HAK_OS_WHOLE_H
#define HAK_OS_WHOLE_H

#include "os/writer.h"

#define HAK_WHOLE_PATH_BYTES 512

struct hak_whole {
    struct hak_writer writer; /* to print to, between open and close */
    char path[HAK_WHOLE_PATH_BYTES];
    char temporary[HAK_WHOLE_PATH_BYTES + 32];
};

/* Begins a file; in its name %p stands for the process id and %% for %.  Returns 0, or -errno: then
 * hak_whole_close must not follow. */
int hak_whole_open(struct hak_whole *file, const char *where);

/* Ends it.  After an error, of the writer's or the caller's own (not 0), there is no file, or still
 * the old one.  Returns the error. */
int hak_whole_close(struct hak_whole *file, int error);

#endif
