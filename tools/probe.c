/* SPDX-License-Identifier: MIT
 *
 * The dynamic loader goes on without a library that it can't preload.  So before the program is
 * started, this command starts itself in the same way and looks where its malloc comes from.
 */
#include "tool.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROBE_ANSWER_BYTES 2048
#define PROBE_WAIT_MS      10000

/* `b` without a folder stands for that file anywhere. */
static bool probe_same_file(const char *a, const char *b) {
    struct stat first, second;
    if (strchr(b, '/') == NULL) return strcmp(program_base(a), b) == 0;
    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

int probe_answer(const char *library) {
    static const char *const names[] = {"malloc", "free", "calloc", "realloc", "posix_memalign"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        Dl_info found = {0};
        void *address = dlsym(RTLD_DEFAULT, names[i]);
        if (address == NULL || dladdr(address, &found) == 0 || found.dli_fname == NULL) {
            fprintf(stderr, "%s is not found\n", names[i]);
            return 1;
        }
        if (!probe_same_file(found.dli_fname, library)) {
            fprintf(stderr, "%s comes from %s\n", names[i], found.dli_fname);
            return 1;
        }
    }
    for (size_t bytes = 1; bytes < (size_t)4 << 20; bytes = bytes * 3 + 1) {
        char *block = malloc(bytes);
        if (block == NULL) {
            fprintf(stderr, "malloc of %zu bytes fails\n", bytes);
            return 1;
        }
        memset(block, 1, bytes);
        free(block);
    }
    return 0;
}

/* The environment of the program, but of hakmem's own only what keeps it silent. */
static char **probe_environment(const char *preload) {
    static char verbose[] = "HAKMEM_VERBOSE=0", stats[] = "HAKMEM_STATS=0",
                os_stats[] = "HAKMEM_SS_OS_STATS=0";
    size_t count = 0, used = 0;
    while (environ[count] != NULL) count++;
    char **copy = calloc(count + 5, sizeof *copy);
    char *entry = NULL;
    if (copy == NULL || asprintf(&entry, "LD_PRELOAD=%s", preload) < 0) {
        free(copy);
        return NULL;
    }
    copy[used++] = entry;
    copy[used++] = verbose;
    copy[used++] = stats;
    copy[used++] = os_stats;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(environ[i], "LD_PRELOAD=", 11) == 0) continue;
        if (strncmp(environ[i], "HAKMEM_", 7) != 0) copy[used++] = environ[i];
    }
    return copy;
}

/* Starts it with standard error going into a pipe.  Returns the pipe's other end, or -1. */
static int probe_start(const char *library, const char *preload, pid_t *child) {
    char self[PATH_MAX], command[] = PROBE_COMMAND, path[PATH_MAX];
    int ends[2];
    if (!library_self(self, sizeof self) || pipe2(ends, O_CLOEXEC) != 0) return -1;
    snprintf(path, sizeof path, "%s", library);

    char *arguments[] = {self, command, path, NULL};
    char **environment = probe_environment(preload);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
    const int result = environment == NULL
                           ? ENOMEM
                           : posix_spawn(child, self, &actions, NULL, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (environment != NULL) free(environment[0]);
    free(environment);
    if (result == 0) return ends[0];
    close(ends[0]);
    return -1;
}

/* Reads all that it says.  False: it did not end in time. */
static bool probe_listen(int fd, char *out, size_t size) {
    size_t used = 0;
    char more[256];
    for (;;) {
        struct pollfd wait = {fd, POLLIN, 0};
        const int ready = poll(&wait, 1, PROBE_WAIT_MS);
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) return false;
        const ssize_t count = read(fd, more, sizeof more);
        if (count <= 0) break;
        for (ssize_t i = 0; i < count && used + 1 < size; i++) out[used++] = more[i];
    }
    out[used] = '\0';
    return true;
}

/* The line in which the loader says why it left the library out, or else the last one. */
static const char *probe_line(char *answer, const char *library) {
    char *rest = NULL, *last = NULL;
    for (char *line = strtok_r(answer, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        last = line;
        if (strncmp(line, "ERROR: ld.so", 12) == 0 && strstr(line, library) != NULL) break;
    }
    return last == NULL ? "no reason is known" : last;
}

/* A parent may have left SIGCHLD ignored: then no child can be waited for. */
static int probe_wait(pid_t child) {
    int status = -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

bool probe_run(const char *library, const char *preload, char *why, size_t size) {
    char answer[PROBE_ANSWER_BYTES] = "";
    struct sigaction standard = {.sa_handler = SIG_DFL}, saved;
    pid_t child = -1;
    sigaction(SIGCHLD, &standard, &saved);
    const int fd = probe_start(library, preload, &child);
    if (fd < 0) {
        sigaction(SIGCHLD, &saved, NULL);
        snprintf(why, size, "the check could not be started");
        return false;
    }
    const bool in_time = probe_listen(fd, answer, sizeof answer);
    if (!in_time) kill(child, SIGKILL);
    const int status = probe_wait(child);
    close(fd);
    sigaction(SIGCHLD, &saved, NULL);

    if (!in_time) snprintf(why, size, "a test program with it did not end");
    else if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    else if (WIFSIGNALED(status)) {
        snprintf(why, size, "a test program with it was ended by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    } else {
        snprintf(why, size, "%s", probe_line(answer, library));
    }
    return false;
}
