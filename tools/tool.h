/* SPDX-License-Identifier: MIT
 *
 * What the files of the hakmem command share.  It is an ordinary program: one thread, libc's
 * malloc, stdio.
 *
 *   main.c     finds the command          run.c      hakmem run
 *   options.c  hakmem options             version.c  hakmem version
 *   library.c  where libhakmem.so is      program.c  can the program be served?
 *   probe.c    does the preload take?         compare/   hakmem compare
 *   file.c     a file, whole or not at all    sites/     hakmem sites
 *   json.c     a text as JSON
 */
#ifndef HAK_TOOLS_TOOL_H
#define HAK_TOOLS_TOOL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct argp_state;

/* Exit statuses; those of `run` are the ones of env(1) and timeout(1). */
enum tool_exit {
    TOOL_EXIT_OK = 0,
    TOOL_EXIT_OUTPUT = 1,     /* standard output can't be written */
    TOOL_EXIT_USAGE = 2,      /* of all commands but run */
    TOOL_EXIT_DIFFERS = 3,    /* compare: the program does not do on hakmem what it does on glibc */
    TOOL_EXIT_RUN = 125,      /* run itself failed; the program was not started */
    TOOL_EXIT_NOT_EXEC = 126, /* the program can't be executed */
    TOOL_EXIT_NOT_FOUND = 127, /* there is no such program */
};

/* The commands.  argv[0] is "hakmem COMMAND"; they return the exit status. */
int run_command(int argc, char **argv);
int options_command(int argc, char **argv);
int version_command(int argc, char **argv);
int compare_command(int argc, char **argv); /* compare/command.c */
int sites_command(int argc, char **argv);   /* sites/command.c */
int learn_command(int argc, char **argv);   /* sites/learn.c */

/* The path of this command. */
bool library_self(char *out, size_t size);
/* The path of libhakmem.so: `given` (from --lib, or NULL), $HAKMEM_LIB, the one beside the command,
 * the installed one.  False: a message was written to standard error. */
bool library_find(const char *given, char out[PATH_MAX]);
/* The path of a library that this command itself needs, from beside it or the installed folder. */
bool library_find_part(const char *name, char out[PATH_MAX]);
/* The absolute form of a library's path.  False: it is not there, or can't be in LD_PRELOAD. */
bool library_resolve(const char *path, char out[PATH_MAX], char *why, size_t size);

/* What a path names, without its folders. */
const char *program_base(const char *path);

/* Of argp: "PROGRAM [ARGUMENT...]" behind a command's own options.  A parser passes on the keys
 * that it does not know. */
int program_parse(int key, struct argp_state *state, char ***program);

/* The file that execvp(3) would run.  False: none is found. */
bool program_find(const char *name, char *out, size_t size);

/* Says in `why` why a library can't be preloaded into the program at `path`, or into what
 * interprets it.  False: nothing is known against it. */
bool program_refuses(const char *path, char *why, size_t size);

/* Runs this command itself with `preload` in LD_PRELOAD and asks it where its malloc is.  False:
 * not in `library`, a path, or a soname that the loader looks for; `why` says more. */
bool probe_run(const char *library, const char *preload, char *why, size_t size);

/* The other side: the hidden command `hakmem --probe LIBRARY`. */
#define PROBE_COMMAND "--probe"
int probe_answer(const char *library);

#endif
