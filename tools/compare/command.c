/* SPDX-License-Identifier: MIT
 *
 * hakmem compare [OPTION...] [--] PROGRAM [ARGUMENT...]: the options, and what happens in order.
 */
#include "compare.h"

#include "../tool.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMAND_RUNS     10
#define COMMAND_RUNS_MAX 100000
#define COMMAND_LIMIT_S  600.0
#define COMMAND_WITNESS  "hakmem-witness.so"

const struct compare_metric_row compare_metric[COMPARE_METRICS] = {
    [COMPARE_WALL] = {"wall_s", "wall s", 1, 3},
    [COMPARE_CPU] = {"cpu_s", "CPU s", 1, 3},
    [COMPARE_PEAK] = {"peak_kib", "peak MiB", 1024, 1},
    [COMPARE_FAULTS] = {"page_faults", "faults", 1, 0},
    [COMPARE_RESIDENT] = {"resident_kib", "load MiB", 1024, 1},
    [COMPARE_IDLE] = {"idle_kib", "idle MiB", 1024, 1},
    [COMPARE_FINAL] = {"final_kib", "end MiB", 1024, 1},
    [COMPARE_CALLS] = {"memory_calls", "calls", 1, 0},
};

struct command_request {
    struct compare_plan plan;
    const char *with[64];
    size_t with_count;
    const char *library;
};

enum command_key {
    COMMAND_KEY_WITH = 'w',
    COMMAND_KEY_RUNS = 'n',
    COMMAND_KEY_LIB = 'l',
    COMMAND_KEY_INPUT = 'i',
    COMMAND_KEY_LIMIT = 't',
    COMMAND_KEY_READY = 256,
    COMMAND_KEY_LOAD,
    COMMAND_KEY_JSON,
    COMMAND_KEY_PAGE
};

static const struct argp_option command_options[] = {
    {"with", COMMAND_KEY_WITH, "NAME[=LIBRARY]", 0,
     "An allocator to compare with, instead of all that are installed; may be given several times. "
     "LIBRARY is a path, or a known name, with VARIABLE=VALUE words before it",
     0},
    {"runs", COMMAND_KEY_RUNS, "N", 0, "Measured runs of each (default: 10)", 0},
    {"input", COMMAND_KEY_INPUT, "FILE", 0, "Standard input of each run (default: empty)", 0},
    {"timeout", COMMAND_KEY_LIMIT, "SECONDS", 0, "Limit of one run (default: 600)", 0},
    {"until-ready", COMMAND_KEY_READY, "COMMAND", 0,
     "The program is a server: shell command that succeeds once it answers", 0},
    {"load", COMMAND_KEY_LOAD, "COMMAND", 0, "Shell command that puts load on the server", 0},
    {"json", COMMAND_KEY_JSON, "FILE", 0, "Write everything that was measured", 0},
    {"html", COMMAND_KEY_PAGE, "FILE", 0, "Write a page with plots", 0},
    {"lib", COMMAND_KEY_LIB, "PATH", 0, "The libhakmem.so to compare", 0},
    {0},
};

static const char command_doc[] =
    "Run a program on hakmem, on glibc's malloc and on other allocators, and compare.\v"
    "Known names: glibc, hakmem, own (what the program has by itself), mimalloc, jemalloc, "
    "tcmalloc, tbbmalloc, snmalloc, rpmalloc. For example --with fast='HAKMEM_CHECK=fast hakmem'.\n"
    "\n"
    "Each allocator first proves, in one untimed run, that it serves malloc in the program. The "
    "exit status is 0; 2 if nothing could be compared; 3 if the program fails on hakmem, or its "
    "output differs from that on glibc.";

/* ---- Options --------------------------------------------------------------------------------- */

static double command_number(const char *option, const char *text, double least, double most) {
    char *end;
    errno = 0;
    const double value = strtod(text, &end);
    if (errno == 0 && end != text && *end == '\0' && value >= least && value <= most) return value;
    compare_fail("%s: \"%s\" is no number from %g to %g", option, text, least, most);
}

static error_t command_parse(int key, char *argument, struct argp_state *state) {
    struct command_request *request = state->input;
    struct compare_plan *plan = &request->plan;
    switch (key) {
    case COMMAND_KEY_WITH:
        if (request->with_count == sizeof request->with / sizeof *request->with) {
            compare_fail("--with: at most %zu allocators", request->with_count);
        }
        request->with[request->with_count++] = argument;
        return 0;
    case COMMAND_KEY_RUNS:
        plan->runs = (size_t)command_number("--runs", argument, 1, COMMAND_RUNS_MAX);
        return 0;
    case COMMAND_KEY_LIMIT:
        plan->limit_s = command_number("--timeout", argument, 0.001, 1e6);
        return 0;
    case COMMAND_KEY_LIB:
        request->library = argument;
        return 0;
    case COMMAND_KEY_INPUT:
        plan->input = argument;
        return 0;
    case COMMAND_KEY_READY:
        plan->ready = argument;
        return 0;
    case COMMAND_KEY_LOAD:
        plan->load = argument;
        return 0;
    case COMMAND_KEY_JSON:
        plan->json = argument;
        return 0;
    case COMMAND_KEY_PAGE:
        plan->page = argument;
        return 0;
    default:
        return program_parse(key, state, &plan->program);
    }
}

/* ---- What is there --------------------------------------------------------------------------- */

static void command_check_program(const struct compare_plan *plan) {
    char path[PATH_MAX], why[3 * PATH_MAX];
    if (!program_find(plan->program[0], path, sizeof path)) {
        compare_fail("%s: there is no such program", plan->program[0]);
    }
    if (program_refuses(path, why, sizeof why)) {
        compare_fail("%s: no allocator can be put under it", why);
    }
    if (plan->input != NULL && access(plan->input, R_OK) != 0) {
        compare_fail("--input: %s: %s", plan->input, strerror(errno));
    }
    if ((plan->ready == NULL) != (plan->load == NULL)) {
        compare_fail("--until-ready and --load belong together");
    }
}

static void command_add(struct compare_plan *plan, const char *text) {
    char why[3 * PATH_MAX];
    if (!subject_add(plan, text, why, sizeof why)) compare_fail("%s: %s", text, why);
}

static void command_add_all(struct command_request *request) {
    struct compare_plan *plan = &request->plan;
    command_add(plan, "glibc");
    command_add(plan, "hakmem");
    for (size_t i = 0; i < request->with_count; i++) {
        if (subject_find(plan, request->with[i]) == NULL) command_add(plan, request->with[i]);
    }
    if (request->with_count == 0) subject_add_known(plan);
    plan->baseline = 0;
    plan->ours = 1;
}

/* ---- Runs ------------------------------------------------------------------------------------ */

static void command_progress(const struct compare_plan *plan, const char *what, size_t done,
                             size_t all, double started_s) {
    if (!isatty(2)) return;
    const double left_s = done == 0 ? 0
                                    : (process_clock_s() - started_s) / (double)done *
                                          (double)(all - done);
    fprintf(stderr, "\r\033[K");
    if (done == all) return;
    fprintf(stderr, "%s: %zu of %zu runs", what, done, all);
    if (done >= plan->subjects) fprintf(stderr, ", %.0f s left", left_s);
    fflush(stderr);
}

static bool command_is_libc(const char *served) {
    for (const char *line = served; *line != '\0'; line = strchr(line, '\n') + 1) {
        const char *end = strchr(line, '\n');
        const size_t length = sizeof "/libc.so.6" - 1;
        if ((size_t)(end - line) < length || memcmp(end - length, "/libc.so.6", length) != 0) {
            return false;
        }
    }
    return true;
}

/* A program that brings an allocator of its own is compared on that as well. */
static void command_add_own(struct compare_plan *plan) {
    if (subject_find(plan, "own") != NULL) return;
    command_add(plan, "own");
    struct compare_subject *own = &plan->subject[plan->subjects - 1];
    if (run_watched(plan, own) && !command_is_libc(own->served)) return;
    plan->subjects--;
}

static void command_watch_all(struct compare_plan *plan) {
    const double started_s = process_clock_s();
    for (size_t i = 0; i < plan->subjects; i++) {
        struct compare_subject *subject = &plan->subject[i];
        command_progress(plan, "proving", i, plan->subjects, started_s);
        if (run_watched(plan, subject) || i != plan->baseline) continue;
        command_progress(plan, "proving", i, i, started_s);
        compare_fail("%s on glibc: %s", plan->program[0], subject->problem);
    }
    command_progress(plan, "proving", 1, 1, started_s);
    command_add_own(plan);
}

static void command_measure_all(struct compare_plan *plan) {
    const size_t all = plan->runs * plan->subjects;
    const double started_s = process_clock_s();
    for (size_t round = 0; round < plan->runs; round++) {
        for (size_t i = 0; i < plan->subjects; i++) {
            struct compare_subject *subject = &plan->subject[(round + i) % plan->subjects];
            command_progress(plan, "measuring", round * plan->subjects + i, all, started_s);
            if (subject->problem[0] == '\0') run_measured(plan, subject);
        }
    }
    command_progress(plan, "measuring", all, all, started_s);
    if (plan->subject[plan->baseline].problem[0] != '\0') {
        compare_fail("%s on glibc: %s", plan->program[0], plan->subject[plan->baseline].problem);
    }
}

int compare_command(int argc, char **argv) {
    static const struct argp argp = {
        .options = command_options,
        .parser = command_parse,
        .args_doc = "PROGRAM [ARGUMENT...]",
        .doc = command_doc,
    };
    struct command_request request = {.plan = {.runs = COMMAND_RUNS, .limit_s = COMMAND_LIMIT_S}};
    struct compare_plan *plan = &request.plan;
    char library[PATH_MAX], witness[PATH_MAX];

    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &request);
    command_check_program(plan);
    if (!library_find(request.library, library) || !library_find_part(COMMAND_WITNESS, witness)) {
        return TOOL_EXIT_USAGE;
    }
    plan->library = library;
    plan->witness = witness;
    process_prepare();
    command_add_all(&request);
    command_watch_all(plan);
    table_print_served(plan);
    fflush(stdout);
    command_measure_all(plan);

    char *verdict = table_verdict(plan);
    table_print(plan);
    printf("\n%s", verdict);
    const struct compare_subject *ours = &plan->subject[plan->ours];
    const struct compare_subject *baseline = &plan->subject[plan->baseline];
    const bool written = json_write(plan, verdict) && page_write(plan, verdict);
    free(verdict);
    if (!written) return TOOL_EXIT_OUTPUT;
    const bool differs = ours->other_output > 0 && baseline->other_output == 0;
    return ours->problem[0] != '\0' || differs ? TOOL_EXIT_DIFFERS : TOOL_EXIT_OK;
}
