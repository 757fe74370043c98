/* SPDX-License-Identifier: MIT
 *
 * Runs a program on hakmem for its table of sites.
 */
#include "sites.h"

#include "../tool.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Becomes `hakmem run -o sites_file=... -- PROGRAM`. */
static _Noreturn void launch_become(char **program, const char *library, const char *profile,
                                    const char *pattern) {
    char file[PATH_MAX + 32];
    static char run[] = "hakmem run", set[] = "--set", lib[] = "--lib";
    static char with_profile[] = "--profile", rest[] = "--";
    char *head[10], **argv;
    size_t used = 0, count = 0;
    snprintf(file, sizeof file, "sites_file=%s", pattern);
    head[used++] = run;
    head[used++] = set;
    head[used++] = file;
    if (library != NULL) {
        head[used++] = lib;
        head[used++] = (char *)(uintptr_t)library;
    }
    if (profile != NULL) {
        head[used++] = with_profile;
        head[used++] = (char *)(uintptr_t)profile;
    }
    head[used++] = rest;
    while (program[count] != NULL) count++;
    argv = calloc(used + count + 1, sizeof *argv);
    if (argv == NULL) _exit(TOOL_EXIT_RUN);
    memcpy(argv, head, used * sizeof *argv);
    memcpy(argv + used, program, count * sizeof *argv);
    program_invocation_name = argv[0];
    exit(run_command((int)(used + count), argv));
}

/* The status of the program, waiting while the keyboard's signals are for it alone. */
static int launch_wait(pid_t pid) {
    int status = 0;
    void (*interrupt)(int) = signal(SIGINT, SIG_IGN), (*quit)(int) = signal(SIGQUIT, SIG_IGN);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    signal(SIGINT, interrupt);
    signal(SIGQUIT, quit);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static bool launch_in(struct sites_list *list, char **program, const char *library,
                      const char *profile, int *status, const char *folder) {
    char pattern[PATH_MAX], path[PATH_MAX];
    snprintf(pattern, sizeof pattern, "%s/%%p", folder);
    fflush(NULL);
    const pid_t pid = fork();
    if (pid < 0) {
        perror(program_invocation_name);
        return false;
    }
    if (pid == 0) launch_become(program, library, profile, pattern);
    *status = launch_wait(pid);
    snprintf(path, sizeof path, "%s/%d", folder, pid);
    if (*status == TOOL_EXIT_RUN || access(path, F_OK) != 0) {
        fprintf(stderr,
                "%s: %s left no table: it is not served by hakmem, or did not end by exit "
                "(status %d)\n",
                program_invocation_name, program[0], *status);
        return false;
    }
    return sites_from_file(list, path);
}

/* Of the program and of what it has started. */
static void launch_remove(const char *folder) {
    DIR *entries = opendir(folder);
    const struct dirent *entry;
    while (entries != NULL && (entry = readdir(entries)) != NULL)
        unlinkat(dirfd(entries), entry->d_name, 0);
    if (entries != NULL) closedir(entries);
    rmdir(folder);
}

bool sites_from_program(struct sites_list *list, char **program, const char *library,
                        const char *profile, int *status) {
    char folder[] = "/tmp/hakmem-sites-XXXXXX";
    if (mkdtemp(folder) == NULL) {
        fprintf(stderr, "%s: %s: %s\n", program_invocation_name, folder, strerror(errno));
        return false;
    }
    const bool read = launch_in(list, program, library, profile, status, folder);
    launch_remove(folder);
    return read;
}
