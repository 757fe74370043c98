/* SPDX-License-Identifier: MIT
 *
 * openat(2), read(2), write(2), close(2), renameat2(2), unlinkat(2), fcntl(2), and the guard
 * against SIGPIPE.
 */
#include "os/file.h"

#include "os/syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

/* The kernel's signal set is 64 bits, whatever libc's is. */
#define FILE_SIGNALS_BYTES 8
#define FILE_SIGPIPE       ((uint64_t)1 << (SIGPIPE - 1))

int hak_file_open_read(const char *path) {
    return (int)hak_syscall4(SYS_openat, AT_FDCWD, (long)path,
                             O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
}

int hak_file_open_append(const char *path) {
    return (int)hak_syscall4(SYS_openat, AT_FDCWD, (long)path,
                             O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                             0666);
}

int hak_file_create(const char *path) {
    return (int)hak_syscall4(SYS_openat, AT_FDCWD, (long)path,
                             O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0666);
}

int hak_file_rename(const char *from, const char *to) {
    return (int)hak_syscall5(SYS_renameat2, AT_FDCWD, (long)from, AT_FDCWD, (long)to, 0);
}

int hak_file_remove(const char *path) {
    return (int)hak_syscall3(SYS_unlinkat, AT_FDCWD, (long)path, 0);
}

void hak_file_close(int fd) {
    hak_syscall1(SYS_close, fd);
}

long hak_file_read(int fd, char *out, size_t size) {
    long count;
    do {
        count = hak_syscall3(SYS_read, fd, (long)out, (long)size);
    } while (count == -EINTR);
    return count;
}

static int file_write_all(int fd, const char *text, size_t length) {
    while (length > 0) {
        long count = hak_syscall3(SYS_write, fd, (long)text, (long)length);
        if (count == -EINTR) continue;
        if (count < 0) return (int)count;
        if (count == 0) return -EIO; /* a device that takes nothing would hold us for ever */
        text += count;
        length -= (size_t)count;
    }
    return 0;
}

/* SIGPIPE goes to the thread that writes, before write returns.  So: block it in this thread,
 * write, take it back out of the queue if it is ours, unblock.  One that was pending stays. */
int hak_file_write(int fd, const char *text, size_t length) {
    uint64_t block = FILE_SIGPIPE, old = 0, pending = 0;
    long masked = hak_syscall4(SYS_rt_sigprocmask, SIG_BLOCK, (long)&block, (long)&old,
                               FILE_SIGNALS_BYTES);
    hak_syscall2(SYS_rt_sigpending, (long)&pending, FILE_SIGNALS_BYTES);

    int result = file_write_all(fd, text, length);

    if (result == -EPIPE && (pending & FILE_SIGPIPE) == 0) {
        const int64_t no_wait[2] = {0, 0};
        hak_syscall4(SYS_rt_sigtimedwait, (long)&block, 0, (long)no_wait, FILE_SIGNALS_BYTES);
    }
    if (masked == 0) {
        hak_syscall4(SYS_rt_sigprocmask, SIG_SETMASK, (long)&old, 0, FILE_SIGNALS_BYTES);
    }
    return result;
}

bool hak_file_is_open(int fd) {
    return hak_syscall3(SYS_fcntl, fd, F_GETFD, 0) != -EBADF;
}
