/* SPDX-License-Identifier: MIT
 *
 * os/writer.c: buffering, places to write to, the first error.
 */
#include "unit.h"

#include "os/writer.h"

#include "capture.h"

#include <errno.h>

static char out[CAPTURE_BYTES];
static char folder[] = "/tmp/hakmem_writer_XXXXXX";

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) == NULL || chdir(folder) != 0;
}

static int remove_folder(void **state) {
    (void)state;
    return chdir("/") != 0 || rmdir(folder) != 0;
}

static void read_and_unlink(const char *path) {
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    out[fread(out, 1, sizeof out - 1, file)] = '\0';
    fclose(file);
    assert_int_equal(unlink(path), 0);
}

/* Pieces of 7 bytes over several buffers: none is lost or doubled. */
static void test_many_pieces(void **state) {
    (void)state;
    struct hak_writer writer;
    int fd = capture_file();
    hak_writer_init(&writer, fd);
    for (int i = 0; i < 1000; i++) hak_writer_printf(&writer, "%06d\n", i);
    assert_int_equal(hak_writer_finish(&writer), 0);
    capture_take(dup(fd), out);
    assert_int_equal(strlen(out), 7000);
    for (int i = 0; i < 1000; i++) {
        char line[16];
        snprintf(line, sizeof line, "%06d\n", i);
        assert_memory_equal(out + i * 7, line, 7);
    }
    close(fd);
}

static void test_one_piece_larger_than_the_buffer(void **state) {
    (void)state;
    static char text[3 * HAK_WRITER_BYTES + 5];
    struct hak_writer writer;
    int fd = capture_file();
    memset(text, 'x', sizeof text - 1);
    hak_writer_init(&writer, fd);
    hak_writer_printf(&writer, "<%s>", text);
    assert_int_equal(hak_writer_finish(&writer), 0);
    capture_take(fd, out);
    assert_int_equal(strlen(out), sizeof text - 1 + 2);
    assert_int_equal(out[sizeof text], '>');
}

static void test_exactly_one_buffer(void **state) {
    (void)state;
    struct hak_writer writer;
    int fd = capture_file();
    hak_writer_init(&writer, fd);
    hak_writer_printf(&writer, "%*d", HAK_WRITER_BYTES, 7);
    assert_int_equal(hak_writer_finish(&writer), 0);
    capture_take(fd, out);
    assert_int_equal(strlen(out), HAK_WRITER_BYTES);
}

static void test_first_error_is_kept(void **state) {
    (void)state;
    struct hak_writer writer;
    hak_writer_init(&writer, -1);
    for (int i = 0; i < 1000; i++) hak_writer_printf(&writer, "%06d\n", i);
    assert_int_equal(hak_writer_finish(&writer), -EBADF);
    assert_int_equal(hak_writer_open(&writer, "/dev/full"), 0);
    hak_writer_printf(&writer, "text");
    assert_int_equal(hak_writer_finish(&writer), -ENOSPC);
}

static void test_file_is_appended_to(void **state) {
    (void)state;
    struct hak_writer writer;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(hak_writer_open(&writer, "plain"), 0);
        hak_writer_printf(&writer, "%d;", i);
        assert_int_equal(hak_writer_finish(&writer), 0);
    }
    read_and_unlink("plain");
    assert_string_equal(out, "0;1;");
}

static void test_process_id_in_the_name(void **state) {
    (void)state;
    char name[64];
    struct hak_writer writer;
    assert_int_equal(hak_writer_open(&writer, "%p-%%-%q-%"), 0);
    hak_writer_printf(&writer, "here");
    assert_int_equal(hak_writer_finish(&writer), 0);
    snprintf(name, sizeof name, "%d-%%-%%q-%%", (int)getpid());
    read_and_unlink(name);
    assert_string_equal(out, "here");
}

static void test_descriptor(void **state) {
    (void)state;
    char where[16];
    struct hak_writer writer;
    int fd = capture_file();
    snprintf(where, sizeof where, "fd:%d", fd);
    assert_int_equal(hak_writer_open(&writer, where), 0);
    hak_writer_printf(&writer, "there");
    assert_int_equal(hak_writer_finish(&writer), 0);
    capture_take(fd, out); /* which closes it: the writer did not */
    assert_string_equal(out, "there");
}

static void test_bad_places(void **state) {
    (void)state;
    char name[1024];
    struct hak_writer writer;
    const char *const bad[] = {"fd:",   "fd:x",      "fd:-1",
                               "fd:1x", "fd:999999", "fd:99999999999999999999"};
    for (size_t i = 0; i < UNIT_COUNT(bad); i++) {
        assert_int_equal(hak_writer_open(&writer, bad[i]), -EBADF);
    }
    assert_int_equal(hak_writer_open(&writer, "missing/file"), -ENOENT);
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(hak_writer_open(&writer, name), -ENAMETOOLONG);
}

static void write_to_stderr(void *argument) {
    int *results = argument;
    struct hak_writer writer;
    results[0] = hak_writer_open(&writer, "");
    hak_writer_printf(&writer, "to stderr");
    results[1] = hak_writer_finish(&writer);
}

static void test_stderr(void **state) {
    (void)state;
    int results[2];
    capture_stderr(write_to_stderr, results, out);
    assert_int_equal(results[0], 0);
    assert_int_equal(results[1], 0);
    assert_string_equal(out, "to stderr");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_pieces),
        cmocka_unit_test(test_one_piece_larger_than_the_buffer),
        cmocka_unit_test(test_exactly_one_buffer),
        cmocka_unit_test(test_first_error_is_kept),
        cmocka_unit_test(test_file_is_appended_to),
        cmocka_unit_test(test_process_id_in_the_name),
        cmocka_unit_test(test_descriptor),
        cmocka_unit_test(test_bad_places),
        cmocka_unit_test(test_stderr),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
