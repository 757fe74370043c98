/* SPDX-License-Identifier: MIT
 *
 * One run of the program on one subject: measured, or watched.  A program runs to its end; a server
 * is started, loaded and stopped.
 */
#include "compare.h"

#include "../tool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUN_READY_S       30    /* until a server answers */
#define RUN_READY_POLL_US 20000 /* between questions */
#define RUN_POLL_US       1000  /* between looks at shared memory */
#define RUN_IDLE_US       1000000
#define RUN_TAIL_BYTES    200

struct run {
    struct process process;
    FILE *output, *error;
    pid_t pid;                      /* to be waited for: the program, or its tracer */
    pid_t program;                  /* the program itself */
    const struct look *look;        /* NULL: there is no tracer */
    double figure[COMPARE_METRICS]; /* NAN: not measured */
};

/* ---- Messages -------------------------------------------------------------------------------- */

/* The last line that was written to a file. */
static void run_tail(FILE *file, char *out, size_t size) {
    char text[RUN_TAIL_BYTES + 1];
    fseek(file, 0, SEEK_END);
    const long end = ftell(file);
    fseek(file, end > RUN_TAIL_BYTES ? end - RUN_TAIL_BYTES : 0, SEEK_SET);
    size_t length = fread(text, 1, RUN_TAIL_BYTES, file);
    while (length > 0 && text[length - 1] == '\n') length--;
    text[length] = '\0';
    const char *line = strrchr(text, '\n');
    snprintf(out, size, "%s", line == NULL ? text : line + 1);
}

static void run_describe(int status, char *out, size_t size) {
    if (WIFSIGNALED(status)) {
        const int number = WTERMSIG(status);
        snprintf(out, size, "ended by signal %d (%s)", number, strsignal(number));
    } else {
        snprintf(out, size, "ended with status %d", WEXITSTATUS(status));
    }
}

/* Always false, for the caller to return. */
static bool run_problem(struct compare_subject *subject, const char *what, FILE *error) {
    char tail[RUN_TAIL_BYTES + 1] = "";
    if (error != NULL) run_tail(error, tail, sizeof tail);
    snprintf(subject->problem, sizeof subject->problem, "%s%s%s", what, tail[0] ? ": " : "", tail);
    return false;
}

/* ---- Files ----------------------------------------------------------------------------------- */

static FILE *run_file(void) {
    FILE *file = tmpfile();
    if (file == NULL) compare_fail("no temporary file: %s", strerror(errno));
    fcntl(fileno(file), F_SETFD, FD_CLOEXEC);
    return file;
}

static bool run_same(FILE *a, FILE *b) {
    static char first[1 << 16], second[1 << 16];
    for (off_t at = 0;; at += sizeof first) {
        const ssize_t length = pread(fileno(a), first, sizeof first, at);
        if (length != pread(fileno(b), second, sizeof second, at)) return false;
        if (length <= 0) return length == 0;
        if (memcmp(first, second, (size_t)length) != 0) return false;
    }
}

static void run_open(struct run *run, const struct compare_plan *plan,
                     const struct compare_subject *subject, const char *witness) {
    const char *input = plan->input == NULL ? "/dev/null" : plan->input;
    memset(run, 0, sizeof *run);
    for (int metric = 0; metric < COMPARE_METRICS; metric++) run->figure[metric] = COMPARE_NONE;
    run->output = run_file();
    run->error = run_file();
    run->process = (struct process){
        .argv = plan->program,
        .environment = process_environment(plan, subject, witness),
        .input = open(input, O_RDONLY | O_CLOEXEC),
        .output = fileno(run->output),
        .error = fileno(run->error),
    };
    if (run->process.input < 0) compare_fail("%s: %s", input, strerror(errno));
}

static void run_close(struct run *run, FILE *kept) {
    process_environment_free(run->process.environment);
    close(run->process.input);
    if (run->output != kept) fclose(run->output);
    fclose(run->error);
}

/* ---- Servers --------------------------------------------------------------------------------- */

/* Runs a shell command of the user's; its status. */
static int run_shell(const char *command, double limit_s, FILE *output) {
    char shell[] = "/bin/sh", flag[] = "-c", *text = compare_text("%s", command);
    char *argv[] = {shell, flag, text, NULL};
    const int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const struct process process = {argv, environ, input, fileno(output), fileno(output)};
    struct rusage usage;
    int status = -1;
    const pid_t pid = process_start(&process);
    if (pid > 0 && !process_wait(pid, limit_s, &status, &usage)) status = SIGKILL;
    close(input);
    free(text);
    return status;
}

static bool run_is_over(const struct run *run) {
    return (run->look != NULL && run->look->ended) || process_is_over(run->pid);
}

static bool run_ended_early(struct compare_subject *subject, struct run *run) {
    return run_problem(subject, "the server ended before it was asked to", run->error);
}

static bool run_await_ready(const struct compare_plan *plan, struct compare_subject *subject,
                            struct run *run) {
    const double limit_s = plan->limit_s < RUN_READY_S ? plan->limit_s : RUN_READY_S;
    const double end = process_clock_s() + limit_s;
    for (;;) {
        FILE *output = run_file();
        const bool ready = run_shell(plan->ready, limit_s, output) == 0;
        fclose(output);
        if (run_is_over(run)) return run_ended_early(subject, run);
        if (ready) return true;
        if (process_clock_s() > end) {
            return run_problem(subject, "the command of --until-ready does not succeed",
                               run->error);
        }
        usleep(RUN_READY_POLL_US);
    }
}

/* Waits for a server, loads it, and asks it to end. */
static bool run_serve(const struct compare_plan *plan, struct compare_subject *subject,
                      struct run *run) {
    bool good = run_await_ready(plan, subject, run);
    if (good) {
        FILE *output = run_file();
        const double start_s = process_clock_s();
        const int status = run_shell(plan->load, plan->limit_s, output);
        run->figure[COMPARE_WALL] = process_clock_s() - start_s;
        run->figure[COMPARE_RESIDENT] = tree_resident_kib(run->program);
        usleep(RUN_IDLE_US);
        run->figure[COMPARE_IDLE] = tree_resident_kib(run->program);
        if (run_is_over(run)) good = run_ended_early(subject, run);
        else if (status != 0) good = run_problem(subject, "the command of --load fails", output);
        fclose(output);
    }
    kill(run->program, SIGTERM);
    return good;
}

/* ---- The end of a run ------------------------------------------------------------------------ */

static bool run_is_asked_end(const struct compare_plan *plan, int status) {
    return plan->load != NULL && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM;
}

/* Has it ended as the first time, on the baseline?  A signal is a bad end everywhere. */
static bool run_check_status(struct compare_plan *plan, struct compare_subject *subject, int status,
                             FILE *error) {
    char what[128], text[COMPARE_PROBLEM_BYTES / 2];
    if (run_is_asked_end(plan, status)) status = 0;
    if (plan->reference == NULL && !WIFSIGNALED(status)) plan->reference_status = status;
    if (status == plan->reference_status && !WIFSIGNALED(status)) return true;
    run_describe(status, what, sizeof what);
    if (WIFSIGNALED(status)) {
        snprintf(text, sizeof text, "the program %s", what);
    } else {
        snprintf(text, sizeof text, "the program %s, and at first on glibc with %d", what,
                 WEXITSTATUS(plan->reference_status));
    }
    return run_problem(subject, text, error);
}

/* The first output of all is the reference. */
static void run_check_output(struct compare_plan *plan, struct compare_subject *subject,
                             struct run *run) {
    if (plan->reference == NULL) plan->reference = run->output;
    else if (plan->load == NULL && !run_same(plan->reference, run->output)) subject->other_output++;
}

static void run_keep(struct compare_plan *plan, struct compare_subject *subject,
                     const struct run *run) {
    for (int metric = 0; metric < COMPARE_METRICS; metric++) {
        if (isnan(run->figure[metric])) continue;
        if (subject->sample[metric] == NULL) {
            subject->sample[metric] = compare_alloc(plan->runs, sizeof(double));
        }
        subject->sample[metric][subject->runs] = run->figure[metric];
    }
    subject->runs++;
}

bool run_measured(struct compare_plan *plan, struct compare_subject *subject) {
    struct run run;
    struct rusage usage;
    int status = 0;
    run_open(&run, plan, subject, NULL);
    const double start_s = process_clock_s();
    run.pid = run.program = process_start(&run.process);
    if (run.pid < 0) compare_fail("fork: %s", strerror(errno));
    bool good = plan->load == NULL || run_serve(plan, subject, &run);
    if (!process_wait(run.pid, plan->limit_s, &status, &usage)) {
        good = run_problem(subject, "the program did not end in time", run.error);
    }
    if (plan->load == NULL) run.figure[COMPARE_WALL] = process_clock_s() - start_s;
    run.figure[COMPARE_CPU] = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                              (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    run.figure[COMPARE_PEAK] = (double)usage.ru_maxrss;
    run.figure[COMPARE_FAULTS] = (double)(usage.ru_minflt + usage.ru_majflt);

    good = good && run_check_status(plan, subject, status, run.error);
    if (good) {
        run_check_output(plan, subject, &run);
        run_keep(plan, subject, &run);
    }
    run_close(&run, plan->reference);
    return good;
}

/* ---- Watched runs ---------------------------------------------------------------------------- */

/* What the witness wrote: in each process malloc must come from one library, the wanted one. */
static bool run_prove(struct compare_subject *subject, FILE *witness) {
    char line[PATH_MAX + 64], what[COMPARE_PROBLEM_BYTES / 2];
    const char *wanted = program_base(subject->preload);
    free(subject->served);
    subject->served = compare_text("%s", "");
    while (fgets(line, sizeof line, witness) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *library = strchr(line, '\t');
        if (library == NULL) continue;
        *library++ = '\0';
        if (wanted[0] != '\0' && strcmp(program_base(library), wanted) != 0) {
            snprintf(what, sizeof what, "malloc of %.60s is served by %.150s", line, library);
            return run_problem(subject, what, NULL);
        }
        char *more = compare_text("%s%s\t%s\n", subject->served, line, library);
        free(subject->served);
        subject->served = more;
    }
    if (subject->served[0] != '\0') return true;
    return run_problem(subject, "no process says who serves its malloc", NULL);
}

static void run_keep_look(struct compare_subject *subject, const struct look *look) {
    double calls = 0;
    for (int call = 0; call < LOOK_CALLS; call++) calls += (double)look->calls[call];
    subject->sample[COMPARE_FINAL] = compare_alloc(1, sizeof(double));
    subject->sample[COMPARE_CALLS] = compare_alloc(1, sizeof(double));
    *subject->sample[COMPARE_FINAL] = look->final_kib;
    *subject->sample[COMPARE_CALLS] = calls;
}

/* One look. */
static bool run_look(struct compare_plan *plan, struct compare_subject *subject, struct look *look,
                     bool trace, const char *path) {
    struct run run;
    struct rusage usage;
    int status = 0;
    run_open(&run, plan, subject, path);
    run.pid = look_start(&run.process, look, trace);
    if (run.pid < 0) compare_fail("fork: %s", strerror(errno));
    run.look = look;
    while (look->pid == 0 && !run_is_over(&run)) usleep(RUN_POLL_US);
    run.program = look->pid;

    bool good = plan->load == NULL || run_serve(plan, subject, &run);
    const bool in_time = process_wait(run.pid, plan->limit_s, &status, &usage);
    if (!look->ended) {
        if (run.program > 0) kill(-run.program, SIGKILL);
        good = run_problem(
            subject, in_time ? "its tracer ended" : "the program did not end in time", run.error);
    }
    good = good && run_check_status(plan, subject, look->status, run.error);
    if (good) run_check_output(plan, subject, &run);
    run_close(&run, plan->reference);
    return good;
}

bool run_watched(struct compare_plan *plan, struct compare_subject *subject) {
    char path[] = "/tmp/hakmem-witness.XXXXXX";
    const int fd = mkstemp(path);
    if (fd < 0) compare_fail("%s: %s", path, strerror(errno));
    FILE *witness = fdopen(fd, "re");
    struct look *look = mmap(NULL, sizeof *look, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                             -1, 0);
    if (witness == NULL || look == MAP_FAILED) compare_fail("%s", strerror(errno));

    /* A program that a tracer disturbs runs once more without. */
    bool good = run_look(plan, subject, look, true, path);
    if (!good && look->traced && ftruncate(fd, 0) == 0) {
        subject->problem[0] = '\0';
        good = run_look(plan, subject, look, false, path);
    }
    good = good && run_prove(subject, witness);
    if (good && look->traced) run_keep_look(subject, look);
    munmap(look, sizeof *look);
    fclose(witness);
    unlink(path);
    return good;
}
