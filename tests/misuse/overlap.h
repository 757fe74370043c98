/* SPDX-License-Identifier: MIT
 *
 * Is memory handed out twice, or memory that is not the allocator's?
 */
#ifndef HAKMEM_TESTS_MISUSE_OVERLAP_H
#define HAKMEM_TESTS_MISUSE_OVERLAP_H

#include <stddef.h>

/* Memory in which no new block may lie. */
struct overlap_area {
    char *start;
    size_t bytes;
};

/* Allocates `count` blocks, many of them of `favourite_size`, checks that they lie apart from each
 * other and from the given areas and that all keep their contents, and frees them.  Returns the
 * number of bad ones.  Single-threaded. */
unsigned overlap_check(size_t count, size_t favourite_size, const struct overlap_area *areas,
                       size_t area_count);

#endif
