/* SPDX-License-Identifier: MIT
 *
 * Reading and writing descriptors by bare system calls, for reports, statistics and configuration
 * files.  Nothing here allocates, touches errno, buffers, or keeps state; callable from any thread
 * and from a signal handler.
 *
 * All results that are negative are -errno.
 */
#ifndef HAK_OS_FILE_H
#define HAK_OS_FILE_H

#include "base/base.h"

/* Opens a file to read, or to append to (made with mode 0666 less the umask if it is missing).
 * The descriptor is closed by exec, never becomes the controlling terminal, and opening does not
 * wait for the other end of a pipe.  Returns it, or -errno. */
int hak_file_open_read(const char *path);
int hak_file_open_append(const char *path);

/* Makes a file to write to, of which there is none yet.  Returns its descriptor, or -errno. */
int hak_file_create(const char *path);

/* Gives a file another's name, whose own it replaces; removes a file.  Return 0 or -errno. */
int hak_file_rename(const char *from, const char *to);
int hak_file_remove(const char *path);

void hak_file_close(int fd);

/* Reads at most `size` bytes.  Returns how many, 0 at the end, or -errno (never -EINTR). */
long hak_file_read(int fd, char *out, size_t size);

/* Writes all of the text: short writes and EINTR are continued.  A pipe without a reader gives
 * -EPIPE and no SIGPIPE: the program did not ask for this output and must not die of it.
 * Returns 0 or -errno. */
int hak_file_write(int fd, const char *text, size_t length);

/* Is fd an open descriptor? */
bool hak_file_is_open(int fd);

#endif
