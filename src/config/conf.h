/* SPDX-License-Identifier: MIT
 *
 * Configuration files:
 *
 *     # a comment, to the end of the line
 *     stats = 1                for every program
 *
 *     [redis-server]           for the program of this name
 *     profile = speed
 *
 * A '#' begins a comment at the start of a line or after a blank.  A file is read in pieces through
 * a buffer on the stack, so that nothing of it is needed later.
 */
#ifndef HAK_CONFIG_CONF_H
#define HAK_CONFIG_CONF_H

#include "config/values.h"
#include "os/lines.h"

/* One more than the longest line. */
#define HAK_CONF_LINE_BYTES HAK_LINES_BYTES

/* A file is read up to here: the first malloc must not wait for an endless one. */
#define HAK_CONF_FILE_BYTES_MAX (256u << 10)

/* Assigns what the file says for `program`; a file that can't be opened or read is warned about,
 * but one that does not exist only if it `must_exist`.  Returns 0 or -errno. */
int hak_conf_read(struct hak_values *values, const char *path, const char *program,
                  bool must_exist);

#endif
