/* SPDX-License-Identifier: MIT
 *
 * One process: its environment, its start, its end.
 */
#include "compare.h"

#include "../tool.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROCESS_POLL_US 2000 /* between looks at a process where the kernel has no pidfd_open */

#define PROCESS_MAX 4 /* at one time: a server, its load, a tracer */

/* What an interrupt has to end; 0: free. */
static volatile pid_t process_running[PROCESS_MAX];

/* ---- For all files --------------------------------------------------------------------------- */

void compare_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("hakmem compare: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(TOOL_EXIT_USAGE);
}

void *compare_alloc(size_t count, size_t bytes) {
    void *block = calloc(count, bytes);
    if (block == NULL) compare_fail("%s", strerror(ENOMEM));
    return block;
}

char *compare_text(const char *format, ...) {
    char *text;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0) compare_fail("%s", strerror(ENOMEM));
    va_end(arguments);
    return text;
}

double process_clock_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- The environment ------------------------------------------------------------------------- */

/* Is this entry's variable set by one of the settings, or is it ours to set? */
static bool process_is_replaced(const char *entry, char **settings) {
    const size_t length = strcspn(entry, "=") + 1;
    if (strncmp(entry, "LD_PRELOAD=", 11) == 0 || strncmp(entry, "HAKMEM_WITNESS=", 15) == 0) {
        return true;
    }
    for (; *settings != NULL; settings++) {
        if (strncmp(entry, *settings, length) == 0) return true;
    }
    return false;
}

char **process_environment(const struct compare_plan *plan, const struct compare_subject *subject,
                           const char *witness) {
    size_t inherited = 0, settings = 0, used = 0;
    while (environ[inherited] != NULL) inherited++;
    while (subject->settings[settings] != NULL) settings++;
    char **copy = compare_alloc(inherited + settings + 3, sizeof *copy);

    for (size_t i = 0; i < inherited; i++) {
        if (!process_is_replaced(environ[i], subject->settings)) {
            copy[used++] = compare_text("%s", environ[i]);
        }
    }
    for (size_t i = 0; i < settings; i++) copy[used++] = compare_text("%s", subject->settings[i]);
    if (witness != NULL) {
        copy[used++] = compare_text("HAKMEM_WITNESS=%s", witness);
        copy[used++] = compare_text("LD_PRELOAD=%s %s", plan->witness, subject->preload);
    } else if (subject->preload[0] != '\0') {
        copy[used++] = compare_text("LD_PRELOAD=%s", subject->preload);
    }
    return copy;
}

void process_environment_free(char **environment) {
    for (char **entry = environment; *entry != NULL; entry++) free(*entry);
    free(environment);
}

/* ---- What runs ------------------------------------------------------------------------------- */

void process_note(pid_t old, pid_t new) {
    for (size_t i = 0; i < PROCESS_MAX; i++) {
        if (process_running[i] != old) continue;
        process_running[i] = new;
        return;
    }
}

static void process_interrupted(int number) {
    for (size_t i = 0; i < PROCESS_MAX; i++) {
        const pid_t pid = process_running[i];
        if (pid <= 0) continue;
        kill(-pid, SIGKILL); /* its group, if it leads one */
        kill(pid, SIGKILL);
    }
    signal(number, SIG_DFL);
    raise(number);
}

void process_prepare(void) {
    signal(SIGINT, process_interrupted);
    signal(SIGTERM, process_interrupted);
    signal(SIGHUP, process_interrupted);
    signal(SIGCHLD, SIG_DFL); /* left ignored by a parent, no child could be waited for */
}

/* ---- Start and end --------------------------------------------------------------------------- */

void process_become(const struct process *process) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (dup2(process->input, 0) >= 0 && dup2(process->output, 1) >= 0 &&
        dup2(process->error, 2) >= 0) {
        signal(SIGPIPE, SIG_DFL);
        execvpe(process->argv[0], process->argv, process->environment);
    }
    dprintf(2, "hakmem compare: %s: %s\n", process->argv[0], strerror(errno));
    _exit(127);
}

pid_t process_start(const struct process *process) {
    fflush(NULL);
    const pid_t pid = fork(); /* not vfork: our own memory would count as the program's peak */
    if (pid == 0) process_become(process);
    if (pid > 0) {
        setpgid(pid, pid);
        process_note(0, pid);
    }
    return pid;
}

bool process_is_over(pid_t pid) {
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0;
}

/* Waits for the end without reaping it.  False: limit_s are over. */
static bool process_await(pid_t pid, double limit_s) {
    const double end = process_clock_s() + limit_s;
    const int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    for (;;) {
        const double left = end - process_clock_s();
        if (fd >= 0) {
            struct pollfd wait = {fd, POLLIN, 0};
            const int ready = poll(&wait, 1, left <= 0 ? 0 : (int)(left * 1000) + 1);
            if (ready < 0 && errno == EINTR) continue;
            close(fd);
            return ready != 0;
        }
        if (process_is_over(pid)) return true;
        if (left <= 0) return false;
        usleep(PROCESS_POLL_US);
    }
}

bool process_wait(pid_t pid, double limit_s, int *status, struct rusage *usage) {
    const bool in_time = process_await(pid, limit_s);
    if (!in_time) {
        kill(-pid, SIGKILL);
        kill(pid, SIGKILL);
    }
    while (wait4(pid, status, 0, usage) < 0 && errno == EINTR) {
    }
    process_note(pid, 0);
    return in_time;
}
