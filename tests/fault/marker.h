/* SPDX-License-Identifier: MIT
 *
 * How workload.c tells inject.c where failures begin and end: a system call that does nothing.
 */
#ifndef HAKMEM_TESTS_FAULT_MARKER_H
#define HAKMEM_TESTS_FAULT_MARKER_H

#include <sys/syscall.h>

#define MARKER_CALL SYS_getpgid /* of a process that does not exist */
#define MARKER_ON   0x7FFFF001
#define MARKER_OFF  0x7FFFF002

#endif
