/* SPDX-License-Identifier: MIT
 *
 * front/site_file.c: the table of sites as a file.
 */
#include "engine.h"

#include "front/site_file.h"
#include "observe/site.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static char text[1 << 20];

static void read_text(const char *path) {
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t count = read(fd, text, sizeof text - 1);
    assert_true(count > 0);
    text[count] = '\0';
    close(fd);
}

static void write_and_read(void) {
    char path[] = "/tmp/hakmem_sites_XXXXXX";
    close(mkstemp(path));
    assert_int_equal(hak_sites_write(path), 0);
    read_text(path);
    unlink(path);
}

static void test_lines(void **state) {
    (void)state;
    void *large = hak_malloc(100 * KIB);
    hak_malloc(3 * MIB);
    hak_malloc(16);
    fake_clock_advance(20);
    hak_free(large);
    write_and_read();
    assert_ptr_equal(strstr(text, "hakmem sites 1\nsite "), text);
    unsigned sites = 0;
    for (const char *at = text; (at = strstr(at, "\nsite ")); at++) sites++;
    assert_int_equal(sites, 3);
    char line[200];
    size_t bytes = hak_good_size(100 * KIB);
    snprintf(line, sizeof line,
             " blocks=0 bytes=0 taken_bytes=%zu freed=1 freed_bytes=%zu elsewhere=0 resized=0 "
             "taken=0,1 life=0,0,0,1\n",
             bytes, bytes);
    assert_non_null(strstr(text, line));
    assert_non_null(strstr(text, " taken_bytes=3145728 freed=0 freed_bytes=0 elsewhere=0 "
                                 "resized=0 taken=0,0,0,0,0,0,1\n"));
    assert_non_null(strstr(text, "\nmap "));
    assert_non_null(strstr(text, "r-xp"));
    assert_string_equal(text + strlen(text) - 5, "\nend\n");
}

static void test_empty(void **state) {
    (void)state;
    write_and_read();
    assert_ptr_equal(strstr(text, "hakmem sites 1\nmap "), text);
}

static void test_errors(void **state) {
    (void)state;
    errno = 0;
    assert_int_equal(hak_sites_write("/no/such/folder/file"), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(hak_sites_write(""), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(hak_sites_write(NULL), -1);
    assert_int_equal(errno, EINVAL);
}

static void at_exit(void *argument) {
    setenv("HAKMEM_SITES_FILE", argument, 1);
    hak_malloc(100 * KIB);
    hak_site_file_at_exit();
}

static void test_at_exit(void **state) {
    (void)state;
    char out[CAPTURE_BYTES], path[] = "/tmp/hakmem_sites_XXXXXX";
    close(mkstemp(path));
    assert_int_equal(capture_child(at_exit, path, out), 0);
    assert_string_equal(out, "");
    read_text(path);
    assert_non_null(strstr(text, "taken=0,1"));
    unlink(path);
    assert_int_equal(capture_child(at_exit, (char[]){"/no/such/folder/file"}, out), 0);
    assert_non_null(strstr(out, "the table of call sites can't be written to "
                                "/no/such/folder/file: error 2"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ISOLATED(test_lines),
        ISOLATED(test_empty),
        ISOLATED(test_errors),
        ISOLATED(test_at_exit),
    };
    return cmocka_run_group_tests_name("front/site_file", tests, NULL, NULL);
}
