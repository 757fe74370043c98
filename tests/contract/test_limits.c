/* SPDX-License-Identifier: MIT
 *
 * What can't be had: sizes above PTRDIFF_MAX, products that overflow, alignments that are none or
 * are larger than any address space.  One row a case; each is answered at once, with the right
 * errno, and leaves the allocator as it was.
 *
 * Where glibc 2.36 differs from the standard, the row says so and asks less of it.
 */
#include "family.h"

#include <errno.h>
#include <string.h>

enum call {
    MALLOC,
    CALLOC,
    REALLOC_NULL,  /* realloc(NULL, a)                          */
    REALLOC_BLOCK, /* realloc(block of 100 bytes, a)            */
    REALLOCARRAY_NULL,
    REALLOCARRAY_BLOCK,
    ALIGNED_ALLOC,
    MEMALIGN,
    POSIX_MEMALIGN,
    VALLOC,
    PVALLOC,
};

enum answer {
    NO_MEMORY, /* NULL, ENOMEM                                   */
    INVALID,   /* NULL, EINVAL                                   */
    REFUSED,   /* NULL, either of them                           */
    BLOCK,     /* a block                                        */
    ANY,       /* a block, or NULL with ENOMEM: only answer      */
};

struct limit {
    enum call call;
    size_t a, b;
    enum answer answer;
    bool glibc_differs;
};

#define MAX    SIZE_MAX
#define HALF   ((size_t)PTRDIFF_MAX)
#define BIT(n) ((size_t)1 << (n))

static const struct limit limits[] = {
    {MALLOC, MAX, 0, NO_MEMORY, false},
    {MALLOC, MAX - 7, 0, NO_MEMORY, false},
    {MALLOC, MAX - 4095, 0, NO_MEMORY, false},
    {MALLOC, HALF + 1, 0, NO_MEMORY, false},
    {MALLOC, HALF, 0, NO_MEMORY, false},
    {MALLOC, HALF - 4096, 0, NO_MEMORY, false},
    {MALLOC, BIT(62), 0, NO_MEMORY, false},
    {MALLOC, BIT(57), 0, NO_MEMORY, false},
    {MALLOC, BIT(40), 0, ANY, false},

    {CALLOC, MAX, 2, NO_MEMORY, false},
    {CALLOC, 2, MAX, NO_MEMORY, false},
    {CALLOC, BIT(32), BIT(32), NO_MEMORY, false},
    {CALLOC, BIT(61) + 2, 8, NO_MEMORY, false}, /* the product is 16 in 64 bits */
    {CALLOC, 8, BIT(61) + 2, NO_MEMORY, false},
    {CALLOC, BIT(63), 2, NO_MEMORY, false}, /* the product is 0 in 64 bits */
    {CALLOC, HALF, 1, NO_MEMORY, false},
    {CALLOC, 1, HALF + 1, NO_MEMORY, false},
    {CALLOC, MAX, 0, BLOCK, false},
    {CALLOC, 0, MAX, BLOCK, false},

    {REALLOC_NULL, MAX, 0, NO_MEMORY, false},
    {REALLOC_NULL, HALF + 1, 0, NO_MEMORY, false},
    {REALLOC_BLOCK, MAX, 0, NO_MEMORY, false},
    {REALLOC_BLOCK, HALF, 0, NO_MEMORY, false},
    {REALLOC_BLOCK, BIT(57), 0, NO_MEMORY, false},
    {REALLOCARRAY_NULL, MAX, 2, NO_MEMORY, false},
    {REALLOCARRAY_NULL, BIT(61) + 2, 8, NO_MEMORY, false},
    {REALLOCARRAY_BLOCK, BIT(32), BIT(32), NO_MEMORY, false},
    {REALLOCARRAY_BLOCK, HALF, 1, NO_MEMORY, false},

    {ALIGNED_ALLOC, 64, MAX, NO_MEMORY, false},
    {ALIGNED_ALLOC, 64, MAX - 63, NO_MEMORY, false},
    {ALIGNED_ALLOC, 4096, HALF - 4095, NO_MEMORY, false},
    {ALIGNED_ALLOC, BIT(31), 1, ANY, false},
    {ALIGNED_ALLOC, BIT(32), 1, ANY, false},
    {ALIGNED_ALLOC, BIT(48), 1, NO_MEMORY, false},
    {ALIGNED_ALLOC, BIT(63), 1, NO_MEMORY, false},
    {ALIGNED_ALLOC, 0, 64, INVALID, true}, /* glibc 2.36 rounds the alignment up */
    {ALIGNED_ALLOC, 48, 96, INVALID, true},
    {ALIGNED_ALLOC, MAX, 64, INVALID, false},

    {MEMALIGN, 64, MAX, NO_MEMORY, false},
    {MEMALIGN, BIT(30), MAX - BIT(30), NO_MEMORY, false},
    {MEMALIGN, BIT(63), BIT(63), NO_MEMORY, false},
    {MEMALIGN, BIT(63) + 1, 64, REFUSED, false}, /* nothing above to round up to */
    {MEMALIGN, 48, 100, BLOCK, false},

    {POSIX_MEMALIGN, 64, MAX, NO_MEMORY, false},
    {POSIX_MEMALIGN, 4096, HALF, NO_MEMORY, false},
    {POSIX_MEMALIGN, BIT(31), 100, ANY, false},
    {POSIX_MEMALIGN, BIT(62), 100, NO_MEMORY, false},
    {POSIX_MEMALIGN, 4, 100, INVALID, false},
    {POSIX_MEMALIGN, 24, 100, INVALID, false},
    {POSIX_MEMALIGN, 0, 100, INVALID, false},

    {VALLOC, MAX, 0, NO_MEMORY, false},
    {PVALLOC, MAX, 0, NO_MEMORY, false}, /* rounded up to pages it would be 0 */
    {PVALLOC, MAX - 4095, 0, NO_MEMORY, false},
};
enum { LIMITS = sizeof(limits) / sizeof(limits[0]) };

static const char *const call_names[] = {
    "malloc",
    "calloc",
    "realloc(NULL)",
    "realloc(block)",
    "reallocarray(NULL)",
    "reallocarray(block)",
    "aligned_alloc",
    "memalign",
    "posix_memalign",
    "valloc",
    "pvalloc",
};

/* Makes the call; posix_memalign's error is brought to errno, where the others have theirs. */
static void *limit_call(const struct limit *limit, void *block) {
    switch (limit->call) {
    case MALLOC:
        return family->malloc(limit->a);
    case CALLOC:
        return family->calloc(limit->a, limit->b);
    case REALLOC_NULL:
        return family->realloc(NULL, limit->a);
    case REALLOC_BLOCK:
        return family->realloc(block, limit->a);
    case REALLOCARRAY_NULL:
        return family->reallocarray(NULL, limit->a, limit->b);
    case REALLOCARRAY_BLOCK:
        return family->reallocarray(block, limit->a, limit->b);
    case ALIGNED_ALLOC:
        return family->aligned_alloc(limit->a, limit->b);
    case MEMALIGN:
        return family->memalign(limit->a, limit->b);
    case VALLOC:
        return family->valloc(limit->a);
    case PVALLOC:
        return family->pvalloc(limit->a);
    case POSIX_MEMALIGN:
        break;
    }
    void *out = NULL;
    int error = family->posix_memalign(&out, limit->a, limit->b);
    if (error != 0) errno = error;
    return out;
}

static bool answer_is_right(const struct limit *limit, const void *result, int error) {
    if (limit->glibc_differs && family->glibc) return true;
    switch (limit->answer) {
    case NO_MEMORY:
        return !result && error == ENOMEM;
    case INVALID:
        return !result && error == EINVAL;
    case REFUSED:
        return !result && (error == EINVAL || error == ENOMEM);
    case BLOCK:
        return result != NULL;
    case ANY:
        return result || error == ENOMEM;
    }
    return false;
}

static void test_limits(void **state) {
    (void)state;
    unsigned right = 0;
    for (size_t i = 0; i < LIMITS; i++) {
        void *block = family->malloc(100);
        assert_non_null(block);
        pattern_write(block, 100, i);
        errno = 0;
        void *result = limit_call(&limits[i], block);
        int error = errno;
        bool ok = answer_is_right(&limits[i], result, error) && pattern_check(block, 100, i) == 100;
        right += ok;
        if (!ok)
            print_error("%s: a = %#zx, b = %#zx: gave %p, errno %s\n", call_names[limits[i].call],
                        limits[i].a, limits[i].b, result, error ? strerror(error) : "0");
        family->free(result);
        family->free(block);
    }
    print_message("%u of %u cases right\n", right, (unsigned)LIMITS);
    assert_int_equal(right, LIMITS);
}

int main(void) {
    family_open();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests_name(family->name, tests, NULL, NULL);
}
