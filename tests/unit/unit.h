/* SPDX-License-Identifier: MIT
 *
 * cmocka with the headers it needs, and helpers that several unit tests share.
 */
#ifndef HAK_TESTS_UNIT_H
#define HAK_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define UNIT_COUNT(array) (sizeof(array) / sizeof *(array))

/* Does an emulator stand in for the kernel (scripts/qemu-user)? */
static inline bool unit_emulated(void) {
    return getenv("HAKTEST_EMULATED") != NULL;
}

#endif
