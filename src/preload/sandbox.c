/* SPDX-License-Identifier: MIT
 *
 * System calls by which a program shuts itself in.  The allocator's own thread ends before them,
 * and no other one starts: the program knows nothing of it.
 *
 *   unshare(2), setns(2)  some namespaces can only be entered by a process of a single thread
 *   seccomp(2), prctl(2)  a filter of system calls may end a process that starts a thread, or one
 *                         whose thread does what that one does
 *
 * libc has no name for seccomp(2), so it is reached by syscall(2); as the others may be.
 */
#include "os/syscall.h"
#include "policy/background.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/prctl.h>

#define EXPORT __attribute__((visibility("default")))

/* unshare(2), EINVAL */
#define SANDBOX_SINGLE (CLONE_NEWUSER | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)

static bool sandbox_shuts(long number, long first) {
    switch (number) {
    case SYS_unshare:
        return first & SANDBOX_SINGLE;
    case SYS_prctl:
        return first == PR_SET_SECCOMP;
    case SYS_setns:
    case SYS_seccomp:
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
