/* SPDX-License-Identifier: MIT
 *
 * What the kernel and the parent process said at the start: environment, auxiliary vector, limits.
 * Read without getenv, which a program may replace, and without allocating; valid from the first
 * instruction of the process, before libc has set `environ`.  Keeps errno; callable from any thread
 * that does not run at the same time as setenv.
 *
 * Strings belong to the environment: programs write over it to change their title, so copy what is
 * needed later.
 */
#ifndef HAK_OS_ENV_H
#define HAK_OS_ENV_H

#include "base/base.h"

/* Was the process given rights that its caller does not have (AT_SECURE: set-uid and the like)? */
bool hak_env_secure(void);

/* The environment, "NAME=value" each, ended by NULL; empty (never NULL) if the process is
 * secure. */
const char *const *hak_env_list(void);

/* The value of a variable; NULL if it is not set or the process is secure. */
const char *hak_env_get(const char *name);

/* The same in any list that ends with NULL: the first "NAME=value" counts. */
const char *hak_env_find(const char *const *list, const char *name);

/* Bytes in a page. */
size_t hak_env_page_size(void);

/* The bytes of address space that the process may have (RLIMIT_AS) when this is first asked;
 * SIZE_MAX: no limit. */
size_t hak_env_address_space(void);

/* A number that differs from process to process and can't be guessed from outside; the same one
 * at every call, and in forked children. */
uint64_t hak_env_random(void);

/* The last part of the path that was executed (of the script, if it was one).  Never NULL. */
const char *hak_env_program(void);

#endif
