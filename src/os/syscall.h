/* SPDX-License-Identifier: MIT
 *
 * Raw system calls: they return -errno, never touch errno (P3), and can't be interposed by a
 * program that defines mmap or write itself.
 */
#ifndef HAK_OS_SYSCALL_H
#define HAK_OS_SYSCALL_H

#include "base/base.h"

#include <sys/syscall.h>

#if defined(__x86_64__) && !defined(__ILP32__)

HAK_INLINE long hak_syscall6(long nr, long a, long b, long c, long d, long e, long f) {
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

#elif defined(__aarch64__)

HAK_INLINE long hak_syscall6(long nr, long a, long b, long c, long d, long e, long f) {
    register long x8 __asm__("x8") = nr;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc #0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
}

#else

#include <errno.h>
#include <unistd.h>

HAK_INLINE long hak_syscall6(long nr, long a, long b, long c, long d, long e, long f) {
    int saved = errno;
    long result = syscall(nr, a, b, c, d, e, f);
    if (result == -1) result = -errno;
    errno = saved;
    return result;
}

#endif

HAK_INLINE long hak_syscall0(long nr) {
    return hak_syscall6(nr, 0, 0, 0, 0, 0, 0);
}

HAK_INLINE long hak_syscall1(long nr, long a) {
    return hak_syscall6(nr, a, 0, 0, 0, 0, 0);
}

HAK_INLINE long hak_syscall2(long nr, long a, long b) {
    return hak_syscall6(nr, a, b, 0, 0, 0, 0);
}

HAK_INLINE long hak_syscall3(long nr, long a, long b, long c) {
    return hak_syscall6(nr, a, b, c, 0, 0, 0);
}

HAK_INLINE long hak_syscall4(long nr, long a, long b, long c, long d) {
    return hak_syscall6(nr, a, b, c, d, 0, 0);
}

HAK_INLINE long hak_syscall5(long nr, long a, long b, long c, long d, long e) {
    return hak_syscall6(nr, a, b, c, d, e, 0);
}

#endif
