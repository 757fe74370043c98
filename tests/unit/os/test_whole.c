/* SPDX-License-Identifier: MIT
 *
 * os/whole.c: a file is there whole, or as it was.
 */
#include "unit.h"

#include "os/whole.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/hakmem_whole_XXXXXX";

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) == NULL || chdir(folder) != 0;
}

static int remove_folder(void **state) {
    (void)state;
    unlink("file");
    return chdir("/") != 0 || rmdir(folder) != 0; /* which fails if something was left there */
}

static void check_content(const char *path, const char *expected) {
    char text[64] = "";
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(text, expected);
}

static int write_file(const char *where, const char *text, int error) {
    struct hak_whole file;
    int result = hak_whole_open(&file, where);
    if (result < 0) return result;
    hak_writer_printf(&file.writer, "%s", text);
    return hak_whole_close(&file, error);
}

static void test_new_and_replaced(void **state) {
    (void)state;
    assert_int_equal(write_file("file", "one", 0), 0);
    check_content("file", "one");
    assert_int_equal(write_file("file", "two", 0), 0);
    check_content("file", "two");
}

static void test_error_leaves_the_old_one(void **state) {
    (void)state;
    assert_int_equal(write_file("file", "old", 0), 0);
    assert_int_equal(write_file("file", "new", -EIO), -EIO);
    check_content("file", "old");
    assert_int_equal(write_file("other", "new", -EIO), -EIO);
    assert_int_equal(access("other", F_OK), -1);
}

/* Not seen by anybody before its end. */
static void test_not_there_before_the_end(void **state) {
    (void)state;
    struct hak_whole file;
    unlink("file");
    assert_int_equal(hak_whole_open(&file, "file"), 0);
    for (int i = 0; i < 1000; i++) hak_writer_printf(&file.writer, "%d\n", i);
    assert_int_equal(access("file", F_OK), -1);
    assert_int_equal(hak_whole_close(&file, 0), 0);
    assert_int_equal(access("file", F_OK), 0);
}

static void test_names(void **state) {
    (void)state;
    char path[64], longest[600];
    assert_int_equal(write_file("of-%p", "x", 0), 0);
    snprintf(path, sizeof path, "of-%d", getpid());
    check_content(path, "x");
    unlink(path);
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(write_file(longest, "x", 0), -ENAMETOOLONG);
    assert_int_equal(write_file("no/folder", "x", 0), -ENOENT);
    assert_int_equal(mkdir("folder", 0700), 0);
    assert_int_equal(write_file("folder", "x", 0), -EISDIR);
    assert_int_equal(rmdir("folder"), 0);
}

/* What a thread that was killed has left is replaced; a link there is not followed. */
static void test_leftover(void **state) {
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "file.%d.tmp", gettid());
    assert_int_equal(symlink("/no/such/folder/file", path), 0);
    assert_int_equal(write_file("file", "three", 0), 0);
    check_content("file", "three");
    assert_int_equal(access(path, F_OK), -1);
}

static void test_full_disk(void **state) {
    (void)state;
    struct rlimit old, small;
    assert_int_equal(write_file("file", "old", 0), 0);
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = 0;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    int result = write_file("file", "new", 0);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(result, -EFBIG);
    check_content("file", "old");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_and_replaced),
        cmocka_unit_test(test_error_leaves_the_old_one),
        cmocka_unit_test(test_not_there_before_the_end),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_leftover),
        cmocka_unit_test(test_full_disk),
    };
    return cmocka_run_group_tests_name("os/whole", tests, make_folder, remove_folder);
}
