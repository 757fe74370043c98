/* SPDX-License-Identifier: MIT
 *
 * The __libc_ names that glibc exports (GLIBC_2.2.5): they are the same functions under another
 * name, so blocks of one may go to the other.  A library that replaces malloc without them would
 * leave a program with two heaps.
 */
#define _GNU_SOURCE
#include "family.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static void *libc_name(const char *name) {
    void *function = dlsym(RTLD_DEFAULT, name);
    if (!function) print_error("%s is not there\n", name);
    assert_non_null(function);
    return function;
}

/* Each name must be found in the object that malloc comes from. */
static void test_names_come_from_the_same_object(void **state) {
    (void)state;
    static const char *const names[] = {"__libc_malloc",   "__libc_free",    "__libc_calloc",
                                        "__libc_realloc",  "__libc_valloc",  "__libc_pvalloc",
                                        "__libc_memalign", "__libc_mallinfo"};
    Dl_info malloc_place, place;
    assert_int_not_equal(dladdr(libc_name("malloc"), &malloc_place), 0);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_not_equal(dladdr(libc_name(names[i]), &place), 0);
        if (place.dli_fbase != malloc_place.dli_fbase)
            print_error("%s is in %s, malloc in %s\n", names[i], place.dli_fname,
                        malloc_place.dli_fname);
        assert_ptr_equal(place.dli_fbase, malloc_place.dli_fbase);
    }
}

static void test_blocks_may_cross_over(void **state) {
    (void)state;
    void *(*libc_malloc)(size_t) = (void *(*)(size_t))libc_name("__libc_malloc");
    void *(*libc_calloc)(size_t, size_t) = (void *(*)(size_t, size_t))libc_name("__libc_calloc");
    void *(*libc_realloc)(void *, size_t) = (void *(*)(void *, size_t))libc_name("__libc_realloc");
    void *(*libc_memalign)(size_t,
                           size_t) = (void *(*)(size_t, size_t))libc_name("__libc_memalign");
    void *(*libc_valloc)(size_t) = (void *(*)(size_t))libc_name("__libc_valloc");
    void *(*libc_pvalloc)(size_t) = (void *(*)(size_t))libc_name("__libc_pvalloc");
    void (*libc_free)(void *) = (void (*)(void *))libc_name("__libc_free");

    for (size_t i = 0; i < family_size_count; i += 5) {
        size_t size = family_sizes[i];
        free(libc_malloc(size));
        void *zeroed = libc_calloc(1, size);
        assert_int_equal(zero_check(zeroed, size), size);
        free(zeroed);
        void *aligned = libc_memalign(256, size);
        assert_aligned(aligned, 256);
        assert_true(malloc_usable_size(aligned) >= size);
        free(aligned);
        free(libc_valloc(size));
        free(libc_pvalloc(size));
        libc_free(family->malloc(size));
        void *block = family->malloc(size);
        pattern_write(block, size, i);
        block = libc_realloc(block, size + 1000);
        assert_int_equal(pattern_check(block, size, i), size);
        block = family->realloc(block, size + 1);
        assert_int_equal(pattern_check(block, size, i), size);
        libc_free(block);
    }
    libc_free(NULL);
}

static void test_limits_hold(void **state) {
    (void)state;
    void *(*libc_malloc)(size_t) = (void *(*)(size_t))libc_name("__libc_malloc");
    void *(*libc_calloc)(size_t, size_t) = (void *(*)(size_t, size_t))libc_name("__libc_calloc");
    void *(*libc_pvalloc)(size_t) = (void *(*)(size_t))libc_name("__libc_pvalloc");
    errno = 0;
    assert_null(libc_malloc(SIZE_MAX));
    assert_int_equal(errno, ENOMEM);
    errno = 0;
    assert_null(libc_calloc(SIZE_MAX / 2, 3));
    assert_int_equal(errno, ENOMEM);
    errno = 0;
    assert_null(libc_pvalloc(SIZE_MAX));
    assert_int_equal(errno, ENOMEM);
}

int main(void) {
    family_open();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_come_from_the_same_object),
        cmocka_unit_test(test_blocks_may_cross_over),
        cmocka_unit_test(test_limits_hold),
    };
    return cmocka_run_group_tests_name(family->name, tests, NULL, NULL);
}
