/* SPDX-License-Identifier: MIT
 *
 * os/file.c on real files and pipes.
 */
#include "unit.h"

#include "os/file.h"

#include "capture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

static char folder[] = "/tmp/hakmem_file_XXXXXX";

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) == NULL || chdir(folder) != 0;
}

static int remove_folder(void **state) {
    (void)state;
    unlink("file");
    unlink("fifo");
    return chdir("/") != 0 || rmdir(folder) != 0;
}

static void test_append_then_read(void **state) {
    (void)state;
    char text[16];
    for (int i = 0; i < 2; i++) {
        int fd = hak_file_open_append("file");
        assert_true(fd >= 0);
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        assert_int_equal(hak_file_write(fd, "abc", 3), 0);
        hak_file_close(fd);
        assert_false(hak_file_is_open(fd));
    }
    int fd = hak_file_open_read("file");
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(hak_file_read(fd, text, sizeof text), 6);
    assert_memory_equal(text, "abcabc", 6);
    assert_int_equal(hak_file_read(fd, text, sizeof text), 0);
    hak_file_close(fd);
}

static void test_failures_are_results(void **state) {
    (void)state;
    char text[4];
    errno = 77;
    assert_int_equal(hak_file_open_read("missing"), -ENOENT);
    assert_int_equal(hak_file_open_append("missing/file"), -ENOENT);
    assert_int_equal(hak_file_write(-1, "a", 1), -EBADF);
    assert_int_equal(hak_file_read(-1, text, sizeof text), -EBADF);
    assert_int_equal(errno, 77);
    int directory = hak_file_open_read(".");
    assert_true(directory >= 0);
    assert_int_equal(hak_file_read(directory, text, sizeof text), -EISDIR);
    hak_file_close(directory);
}

/* Opening a pipe that nobody writes to must not wait. */
static void test_fifo_does_not_block(void **state) {
    (void)state;
    assert_int_equal(mkfifo("fifo", 0600), 0);
    int fd = hak_file_open_read("fifo");
    assert_true(fd >= 0);
    hak_file_close(fd);
    assert_int_equal(hak_file_open_append("fifo"), -ENXIO);
}

static volatile sig_atomic_t pipes_broken;

static void count_broken_pipe(int number) {
    (void)number;
    pipes_broken++;
}

static int broken_pipe(void) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    return ends[1];
}

static void test_no_sigpipe(void **state) {
    (void)state;
    sigset_t mask, pending;
    signal(SIGPIPE, count_broken_pipe);
    int fd = broken_pipe();
    assert_int_equal(hak_file_write(fd, "a", 1), -EPIPE);
    assert_int_equal(pipes_broken, 0);
    sigpending(&pending);
    assert_false(sigismember(&pending, SIGPIPE));
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    assert_false(sigismember(&mask, SIGPIPE));
    close(fd);
    signal(SIGPIPE, SIG_DFL);
}

/* One that was pending before is the program's own and stays. */
static void test_pending_sigpipe_stays(void **state) {
    (void)state;
    sigset_t block, old, pending;
    pipes_broken = 0;
    signal(SIGPIPE, count_broken_pipe);
    sigemptyset(&block);
    sigaddset(&block, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &block, &old);
    pthread_kill(pthread_self(), SIGPIPE);
    int fd = broken_pipe();
    assert_int_equal(hak_file_write(fd, "a", 1), -EPIPE);
    sigpending(&pending);
    assert_true(sigismember(&pending, SIGPIPE));
    close(fd);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    assert_int_equal(pipes_broken, 1);
    signal(SIGPIPE, SIG_DFL);
}

#define LONG_TEXT_BYTES (1 << 20)

static void *drain(void *argument) {
    int fd = *(int *)argument;
    char piece[4096];
    size_t total = 0;
    for (;;) {
        ssize_t count = read(fd, piece, sizeof piece);
        if (count <= 0) return (void *)total;
        total += (size_t)count;
    }
}

/* A pipe takes 64 KiB at a time, and a signal without SA_RESTART comes every 100 microseconds. */
static void test_short_writes_and_interrupts(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct sigaction action = {.sa_handler = count_broken_pipe}, old;
    sigaction(SIGALRM, &action, &old);
    sigset_t block, mask;
    sigemptyset(&block);
    sigaddset(&block, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &block, &mask); /* in the reader: the writer is to get it */
    pthread_t reader;
    pthread_create(&reader, NULL, drain, &ends[0]);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    ualarm(100, 100);

    char *text = calloc(LONG_TEXT_BYTES, 1);
    assert_int_equal(hak_file_write(ends[1], text, LONG_TEXT_BYTES), 0);
    ualarm(0, 0);
    close(ends[1]);
    void *total;
    pthread_join(reader, &total);
    assert_int_equal((size_t)total, LONG_TEXT_BYTES);
    sigaction(SIGALRM, &old, NULL);
    close(ends[0]);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append_then_read),
        cmocka_unit_test(test_failures_are_results),
        cmocka_unit_test(test_fifo_does_not_block),
        cmocka_unit_test(test_no_sigpipe),
        cmocka_unit_test(test_pending_sigpipe_stays),
        cmocka_unit_test(test_short_writes_and_interrupts),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
