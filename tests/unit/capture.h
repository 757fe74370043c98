/* SPDX-License-Identifier: MIT
 *
 * Runs a function with standard error going to a temporary file, and gives back what it wrote; or
 * runs it in a child process, and gives back how that ended too.
 */
#ifndef HAK_TESTS_UNIT_CAPTURE_H
#define HAK_TESTS_UNIT_CAPTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CAPTURE_BYTES 8192

static inline int capture_file(void) {
    char name[] = "/tmp/hakmem_unit_XXXXXX";
    int fd = mkstemp(name);
    if (fd < 0) {
        perror("mkstemp");
        exit(1);
    }
    unlink(name);
    return fd;
}

/* Without the line that qemu-user adds when a signal ends the program. */
static inline void capture_take(int fd, char *out) {
    ssize_t count = pread(fd, out, CAPTURE_BYTES - 1, 0);
    out[count < 0 ? 0 : count] = '\0';
    close(fd);
    char *emulators = strstr(out, "qemu: uncaught target signal");
    if (emulators) *emulators = '\0';
}

/* `out` has CAPTURE_BYTES. */
static inline void capture_stderr(void (*run)(void *), void *argument, char *out) {
    int fd = capture_file(), saved = dup(2);
    fflush(stderr);
    dup2(fd, 2);
    run(argument);
    dup2(saved, 2);
    close(saved);
    capture_take(fd, out);
}

/* Returns the wait status. */
static inline int capture_child(void (*run)(void *), void *argument, char *out) {
    int fd = capture_file(), status = -1;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(fd, 2);
        close(fd);
        run(argument);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("fork, waitpid");
        exit(1);
    }
    capture_take(fd, out);
    return status;
}

/* The number of lines. */
static inline int capture_lines(const char *text) {
    int lines = 0;
    for (; *text != '\0'; text++) lines += *text == '\n';
    return lines;
}

#endif
