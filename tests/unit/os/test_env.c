/* SPDX-License-Identifier: MIT
 *
 * os/env.c.  Set-uid programs and resolvers of indirect functions are in tests/life/.
 */
#include "unit.h"

#include "os/env.h"

#include "capture.h"

#include <errno.h>
#include <sys/resource.h>

static void test_get(void **state) {
    (void)state;
    setenv("HAKMEM_UNIT", "some=thing", 1);
    setenv("HAKMEM_UNIT_EMPTY", "", 1);
    setenv("HAKMEM_UNIT_LONGER", "x", 1);
    unsetenv("HAKMEM_UNIT_NONE");
    assert_string_equal(hak_env_get("HAKMEM_UNIT"), "some=thing");
    assert_string_equal(hak_env_get("HAKMEM_UNIT_EMPTY"), "");
    assert_null(hak_env_get("HAKMEM_UNIT_NONE"));
    assert_null(hak_env_get("HAKMEM_UNI"));
}

static void test_find_takes_the_first(void **state) {
    (void)state;
    const char *const list[] = {"A", "AB=1", "A=2", "A=3", NULL};
    assert_string_equal(hak_env_find(list, "A"), "2");
    assert_string_equal(hak_env_find(list, "AB"), "1");
    assert_null(hak_env_find(list, "B"));
    assert_null(hak_env_find(list + 4, "A"));
}

/* As in a resolver of an indirect function, where libc has not set environ yet: the environment is
 * found on the first stack.  (It keeps what the process was started with.) */
static void test_without_environ(void **state) {
    (void)state;
    setenv("HAKMEM_UNIT_LATE", "1", 1);
    char **saved = environ;
    environ = NULL;
    const char *path = hak_env_get("PATH"), *late = hak_env_get("HAKMEM_UNIT_LATE");
    const char *const *list = hak_env_list();
    environ = saved;
    assert_non_null(list);
#ifdef __GLIBC__
    assert_non_null(path);
    assert_string_equal(path, getenv("PATH"));
#else
    (void)path;
#endif
    assert_null(late);
}

static void test_not_secure(void **state) {
    (void)state;
    assert_false(hak_env_secure());
}

static void test_page_size(void **state) {
    (void)state;
    assert_int_equal(hak_env_page_size(), sysconf(_SC_PAGESIZE));
    assert_int_equal(hak_env_page_size(), sysconf(_SC_PAGESIZE));
}

static void test_program(void **state) {
    (void)state;
    assert_string_equal(hak_env_program(), "unit_os_test_env");
}

static void write_random(void *argument) {
    (void)argument;
    dprintf(2, "%llx", (unsigned long long)hak_env_random());
}

/* The same in one process and its children, another one in a new process. */
static void test_random(void **state) {
    (void)state;
    char child[CAPTURE_BYTES], mine[32], fresh[32] = "";
    const uint64_t number = hak_env_random();
    assert_true(number != 0);
    assert_int_equal(hak_env_random(), number);
    snprintf(mine, sizeof mine, "%llx", (unsigned long long)number);
    capture_child(write_random, NULL, child);
    assert_string_equal(child, mine);

    char path[4096], command[4200];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length < 0) return;
    path[length] = '\0';
    snprintf(command, sizeof command, "'%s' random", path);
    FILE *self = popen(command, "r");
    assert_non_null(self);
    const bool ran = fgets(fresh, sizeof fresh, self) != NULL; /* not under an emulator */
    pclose(self);
    if (ran) assert_string_not_equal(fresh, mine);
}

static void test_address_space(void **state) {
    (void)state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_AS, &limit), 0);
    assert_int_equal(hak_env_address_space(), limit.rlim_cur);
    /* as it was when it was first asked */
    struct rlimit lower = {(rlim_t)1 << 40, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_AS, &lower), 0);
    assert_int_equal(hak_env_address_space(), limit.rlim_cur);
    assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
}

static void test_errno_is_kept(void **state) {
    (void)state;
    errno = 77;
    hak_env_secure();
    hak_env_get("PATH");
    hak_env_page_size();
    hak_env_random();
    hak_env_program();
    hak_env_address_space();
    assert_int_equal(errno, 77);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "random") == 0) {
        printf("%llx", (unsigned long long)hak_env_random());
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_environ),
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_find_takes_the_first),
        cmocka_unit_test(test_not_secure),
        cmocka_unit_test(test_page_size),
        cmocka_unit_test(test_program),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_address_space),
        cmocka_unit_test(test_errno_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
