/* SPDX-License-Identifier: MIT
 *
 * What a pointer is, decided from tags, descriptors, allocated bits and seals; and what is said
 * about a bad one. Any 64-bit value may be asked about.
 *
 * Concurrency: callable from any thread.  Of another heap's slab the constant fields are read, and
 * how much of it is carved.
 */
#ifndef HAK_CHECK_VERIFY_H
#define HAK_CHECK_VERIFY_H

#include "base/base.h"

enum hak_verdict {
    HAK_POINTER_VALID,    /* the start of a block that may be in use */
    HAK_POINTER_FOREIGN,  /* not memory of this allocator */
    HAK_POINTER_STACK,    /* on the calling thread's stack */
    HAK_POINTER_INTERIOR, /* inside a block */
    HAK_POINTER_UNUSED,   /* memory of this allocator that is in no block, or never was in use */
    HAK_POINTER_FREE      /* a block that is free (checked mode) */
};

struct hak_finding {
    enum hak_verdict verdict;
    size_t block_bytes; /* VALID, INTERIOR, FREE */
    size_t offset;      /* INTERIOR: bytes from the start of the block */
};

/* Judges a pointer.  FREE is only found in checked mode. */
struct hak_finding hak_verify(const void *pointer);

/* Writes the line for a bad pointer, and ends the process unless the
 * option on_error says `report`. */
void hak_verify_fail(const char *function, const void *pointer,
                     const struct hak_finding *finding) HAK_COLD;

/* The same for a size that the caller promised and that can't be true. */
void hak_verify_fail_size(const char *function, const void *pointer, size_t promised,
                          size_t block_bytes) HAK_COLD;

#endif
