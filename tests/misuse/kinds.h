/* SPDX-License-Identifier: MIT
 *
 * The 32 kinds of misuse that hardened_malloc's test suite makes of an allocator, under the same
 * names, written anew.  kinds.c has those of C, kinds_delete.cc those of C++.
 */
#ifndef HAKMEM_TESTS_MISUSE_KINDS_H
#define HAKMEM_TESTS_MISUSE_KINDS_H

#ifdef __cplusplus
extern "C" {
#endif

void kind_delete_type_size_mismatch(void);
void kind_invalid_aligned_sized_delete_small(void);
void kind_invalid_aligned_sized_delete_large(void);

#ifdef __cplusplus
}
#endif

#endif
