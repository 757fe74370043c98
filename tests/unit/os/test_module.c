/* SPDX-License-Identifier: MIT
 *
 * os/module.c: which file code is from.
 */
#include "unit.h"

#include "os/module.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>
#include <unistd.h>

static void test_program(void **state) {
    (void)state;
    char name[256], path[4096];
    uintptr_t offset;
    if (!hak_module_find((uintptr_t)test_program, name, sizeof name, &offset))
        skip(); /* old libc */
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    assert_true(length > 0);
    path[length] = '\0';
    assert_string_equal(name, strrchr(path, '/') + 1);
    assert_int_equal(offset, (uintptr_t)test_program - _r_debug.r_map->l_addr);
}

static void test_library(void **state) {
    (void)state;
    char name[256];
    uintptr_t offset = 0;
    Dl_info info;
    void *address = dlsym(RTLD_NEXT, "qsort");
    if (!address || !hak_module_find((uintptr_t)address, name, sizeof name, &offset)) skip();
    assert_true(dladdr(address, &info) != 0);
    const char *slash = strrchr(info.dli_fname, '/');
    assert_string_equal(name, slash ? slash + 1 : info.dli_fname);
    assert_int_equal(offset, (uintptr_t)address - (uintptr_t)info.dli_fbase);
}

static void test_none(void **state) {
    (void)state;
    char name[256];
    uintptr_t offset;
    int local;
    assert_false(hak_module_find(0, name, sizeof name, &offset));
    assert_false(hak_module_find((uintptr_t)&local, name, sizeof name, &offset));
}

static void test_short_name(void **state) {
    (void)state;
    char name[4];
    uintptr_t offset;
    if (!hak_module_find((uintptr_t)test_program, name, sizeof name, &offset)) skip();
    assert_int_equal(strlen(name), 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_program),
        cmocka_unit_test(test_library),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_short_name),
    };
    return cmocka_run_group_tests_name("os/module", tests, NULL, NULL);
}
