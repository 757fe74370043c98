/* SPDX-License-Identifier: MIT
 *
 * System calls that concern the calling thread alone, or may only be made by a process that has
 * one thread, and with which a program shuts itself in.  The allocator's own thread, which the
 * program knows nothing of, ends before them, and no other one starts.
 *
 *   unshare(2), setns(2)        fail in a process of several threads, in part; or leave what is
 *                               shared to the other thread: files, the working directory
 *   seccomp(2), prctl(2)        a filter of system calls may end a process that starts a thread, or
 *                               whose thread does what that one does
 *   capset(2), landlock(7)      the other thread keeps its rights
 *
 * Some of them have no name in libc, and are reached by syscall(2); as the others may be.
 */
#include "os/syscall.h"
#include "policy/background.h"
#include "preload/preload.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/prctl.h>

#ifndef SYS_landlock_restrict_self
#define SYS_landlock_restrict_self 446
#endif

static bool sandbox_shuts(long number, long first) {
    switch (number) {
    case SYS_prctl:
        return first == PR_SET_SECCOMP;
    case SYS_unshare:
    case SYS_setns:
    case SYS_seccomp:
    case SYS_capset:
    case SYS_landlock_restrict_self:
        return true;
    default:
        return false;
    }
}

static long sandbox_call(long number, const long argument[6]) {
    if (hak_unlikely(sandbox_shuts(number, argument[0]))) hak_background_end();
    long result = hak_syscall6(number, argument[0], argument[1], argument[2], argument[3],
                               argument[4], argument[5]);
    if ((unsigned long)result < (unsigned long)-4095L) return result;
    errno = (int)-result;
    return -1;
}

/* As in libc, what is not given is read all the same. */
#define SANDBOX_ARGUMENTS(argument, from, last)                             \
    va_list list;                                                           \
    va_start(list, last);                                                   \
    for (unsigned i = from; i < 6; i++) (argument)[i] = va_arg(list, long); \
    va_end(list)

EXPORT long syscall(long number, ...) {
    long argument[6];
    SANDBOX_ARGUMENTS(argument, 0, number);
    return sandbox_call(number, argument);
}

EXPORT int prctl(int operation, ...) {
    long argument[6] = {operation};
    SANDBOX_ARGUMENTS(argument, 1, operation);
    return (int)sandbox_call(SYS_prctl, argument);
}

EXPORT int unshare(int flags) {
    return (int)sandbox_call(SYS_unshare, (const long[6]){flags});
}

EXPORT int setns(int descriptor, int type) {
    return (int)sandbox_call(SYS_setns, (const long[6]){descriptor, type});
}

EXPORT int capset(void *header, const void *data) {
    return (int)sandbox_call(SYS_capset, (const long[6]){(long)header, (long)data});
}
