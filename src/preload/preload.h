/* SPDX-License-Identifier: MIT
 *
 * How the names of libc and of the C++ runtime are exported, and declarations of those that libc's
 * headers of this system may not have.
 */
#ifndef HAK_PRELOAD_PRELOAD_H
#define HAK_PRELOAD_PRELOAD_H

#include <malloc.h>
#include <stddef.h>
#include <stdio.h>

/* All other names stay inside the library. */
#define EXPORT __attribute__((visibility("default")))

void free_sized(void *block, size_t size);
void free_aligned_sized(void *block, size_t alignment, size_t size);
void cfree(void *block);
int malloc_trim(size_t pad);
void malloc_stats(void);
int malloc_info(int options, FILE *stream);
int mallopt(int param, int value);
void *valloc(size_t size);
void *pvalloc(size_t size);
void *reallocarray(void *block, size_t count, size_t size);

void *__libc_malloc(size_t size);
void __libc_free(void *block);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void *__libc_valloc(size_t size);
void *__libc_pvalloc(size_t size);
int __libc_mallopt(int param, int value);
int __posix_memalign(void **out, size_t alignment, size_t size);
#ifdef __GLIBC__
struct mallinfo __libc_mallinfo(void);
#endif

#endif
