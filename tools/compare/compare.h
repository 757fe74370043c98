/* SPDX-License-Identifier: MIT
 *
 * hakmem compare: a program of the user's on several allocators.  What its files share.
 *
 *   command.c   options, the order of things      subject.c   which allocators, where they are
 *   process.c   one process, its environment      look.c      an untimed run that is watched
 *   run.c       one run, a server's too           tree.c      memory of a process and its children
 *   figures.c   medians, ratios, intervals        witness.c   the library that proves who serves
 *   table.c     the text and the verdict          json.c, page.c   files for others
 *   file.c      a file whole or not at all
 *
 * Each allocator (subject) first runs the program once under a look: a preloaded witness says whose
 * malloc the program calls, a tracer counts system calls for memory and reads the memory at the
 * end.  Then come the measured runs, with nothing in between, interleaved: in each round every
 * subject has its turn, and each round begins with another one.
 */
#ifndef HAK_TOOLS_COMPARE_H
#define HAK_TOOLS_COMPARE_H

#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/types.h>

#define COMPARE_NAME_BYTES    32
#define COMPARE_PROBLEM_BYTES 512

#define COMPARE_NONE ((double)NAN) /* no figure */

/* ---- What is measured: smaller is better, always --------------------------------------------- */

enum compare_metric {
    COMPARE_WALL,     /* s; of a server: how long the load took */
    COMPARE_CPU,      /* s, user and system, of the program and the children it waited for */
    COMPARE_PEAK,     /* KiB, resident, of the largest of these processes */
    COMPARE_FAULTS,   /* page faults */
    COMPARE_RESIDENT, /* KiB of a server and its children after the load (proportional set size) */
    COMPARE_IDLE,     /* KiB, the same one second later */
    COMPARE_FINAL,    /* KiB, resident when the program ended; from the look */
    COMPARE_CALLS,    /* mmap, munmap, mremap, madvise, brk, mprotect; from the look */
    COMPARE_METRICS
};

struct compare_metric_row {
    const char *key;   /* in JSON; ends in the unit */
    const char *title; /* for people */
    double divide;     /* from the stored unit to the shown one */
    int digits;        /* behind the point, shown */
};

extern const struct compare_metric_row compare_metric[COMPARE_METRICS];

/* ---- Subjects -------------------------------------------------------------------------------- */

struct compare_subject {
    char name[COMPARE_NAME_BYTES];
    char preload[PATH_MAX];              /* empty: what the program has anyway */
    char **settings;                     /* NAME=VALUE, ended by NULL */
    char *served;                        /* the witness's lines: "program library", one a process */
    double *sample[COMPARE_METRICS];     /* a figure a run, NULL: never measured */
    size_t runs;                         /* that went well */
    size_t other_output;                 /* runs whose output was not the reference's */
    char problem[COMPARE_PROBLEM_BYTES]; /* why it is left out; empty: it is not */
};

struct compare_plan {
    char **program;    /* its arguments from 0, ended by NULL */
    const char *input; /* a file, standard input of each run */
    const char *ready; /* of a server: shell commands, or both NULL */
    const char *load;
    const char *json, *page; /* files to write, or NULL */
    const char *library;     /* libhakmem.so, from --lib */
    const char *witness;
    size_t runs;
    double limit_s; /* for one run */
    struct compare_subject *subject;
    size_t subjects;
    size_t baseline, ours; /* which subjects: glibc and hakmem */
    FILE *reference;       /* the output of the first run on the baseline */
    int reference_status;
};

/* Adds a subject from "NAME" or "NAME=[VARIABLE=VALUE...] [LIBRARY]"; false: the library is not
 * there, or can't be preloaded, `why` says more. */
bool subject_add(struct compare_plan *plan, const char *text, char *why, size_t size);
/* Those that are installed of the ones that it knows. */
void subject_add_known(struct compare_plan *plan);
struct compare_subject *subject_find(struct compare_plan *plan, const char *name);

/* ---- Processes ------------------------------------------------------------------------------- */

struct process {
    char **argv;
    char **environment;
    int input, output, error; /* descriptors */
};

/* The caller's environment with the subject's library and settings; `witness` NULL or the file that
 * the witness writes to. */
char **process_environment(const struct compare_plan *plan, const struct compare_subject *subject,
                           const char *witness);
void process_environment_free(char **environment);
/* In a child: becomes the program, in a process group of its own, or ends with 127.  It is killed
 * when its parent ends. */
_Noreturn void process_become(const struct process *process);
pid_t process_start(const struct process *process); /* -1: errno */
bool process_is_over(pid_t pid); /* or is no child; it still has to be waited for */
/* Waits until it has ended or limit_s are over.  False: they are. */
bool process_wait(pid_t pid, double limit_s, int *status, struct rusage *usage);
double process_clock_s(void);
/* Keeps account of what runs: a pid that was started takes the place of 0, 0 that of one that has
 * ended. */
void process_note(pid_t old, pid_t new);
/* Once, at the beginning: from then on an interrupt ends all of it. */
void process_prepare(void);

/* ---- One run --------------------------------------------------------------------------------- */

enum look_call {
    LOOK_MMAP,
    LOOK_MUNMAP,
    LOOK_MREMAP,
    LOOK_MADVISE,
    LOOK_BRK,
    LOOK_MPROTECT,
    LOOK_CALLS
};

/* Filled by the tracer, in shared memory. */
struct look {
    volatile pid_t pid; /* the program; 0: not yet */
    bool traced;        /* counts and final_kib are known */
    bool ended;
    int status;
    double peak_kib, final_kib; /* of the process with the greatest peak */
    uint64_t calls[LOOK_CALLS];
};

/* Starts the program with a tracer as its parent; the tracer's pid, or -1.  Without `trace` it only
 * passes the status on. */
pid_t look_start(const struct process *process, struct look *look, bool trace);

/* Runs once; what was measured goes to the subject's samples.  False: subject->problem says why. */
bool run_measured(struct compare_plan *plan, struct compare_subject *subject);
/* Looks, and proves who serves malloc. */
bool run_watched(struct compare_plan *plan, struct compare_subject *subject);

/* The proportional set size of a process and of all that descend from it, KiB. */
double tree_resident_kib(pid_t root);
/* Reads a file of /proc/PID/, as much as fits; false: it is not there, or empty. */
bool tree_read(pid_t pid, const char *file, char *out, size_t size);
/* The number behind a name, "VmRSS:", at the beginning of a line but the first; -1: none. */
double tree_number(const char *text, const char *name);

/* ---- Figures and their forms ----------------------------------------------------------------- */

struct figures_ratio {
    double ratio;
    double low, high; /* 95 % of ratios of rounds drawn again lie between; none with 1 round */
};

double figures_median(const double *values, size_t count);
double figures_spread(const double *values, size_t count); /* half of the range, by the median */
/* Of the medians of two subjects that ran in the same rounds. */
struct figures_ratio figures_ratio(const double *ours, const double *theirs, size_t count);

/* How many figures of this metric a subject has. */
size_t compare_samples(const struct compare_subject *subject, enum compare_metric metric);
/* Has it run to the end, and is there a figure? */
bool compare_measured(const struct compare_subject *subject, enum compare_metric metric);
double compare_median(const struct compare_subject *subject, enum compare_metric metric);
struct figures_ratio compare_ratio(const struct compare_subject *ours,
                                   const struct compare_subject *theirs,
                                   enum compare_metric metric);

void table_print_served(const struct compare_plan *plan);
void table_print(const struct compare_plan *plan);
/* Some sentences; the caller frees them. */
char *table_verdict(const struct compare_plan *plan);

/* Write a file whole or not at all.  False: a message was written. */
bool json_write(const struct compare_plan *plan, const char *verdict);
bool page_write(const struct compare_plan *plan, const char *verdict);

/* ---- For all of them ------------------------------------------------------------------------- */

_Noreturn void compare_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void *compare_alloc(size_t count, size_t bytes);
/* asprintf that does not fail. */
char *compare_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
