/* SPDX-License-Identifier: MIT
 *
 * hakmem run [OPTION...] [--] PROGRAM [ARGUMENT...]
 *
 * Sets the environment, checks that the library can be preloaded, and becomes the program: there is
 * no process in between, so that signals, exit status, descriptors and process id are its own.
 */
#include "tool.h"

#ifdef HAKMEM_HAVE_DWFL
#include "sites/sites.h"
#endif

#include "config/values.h"

#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct run_request {
    const char *library; /* NULL: to be found */
    const char *policy;  /* a file, or NULL */
    char **program;      /* its arguments from 0, ended by NULL */
};

enum run_key {
    RUN_KEY_PROFILE = 'p',
    RUN_KEY_STATS = 's',
    RUN_KEY_SET = 'o',
    RUN_KEY_CHECK = 'c',
    RUN_KEY_LIB = 'l',
    RUN_KEY_POLICY = 'P'
};

static const struct argp_option run_options[] = {
    {"profile", RUN_KEY_PROFILE, "PROFILE", 0, "speed, balanced, lean or learn", 0},
    {"stats", RUN_KEY_STATS, NULL, 0, "Write statistics to standard error at exit", 0},
    {"check", RUN_KEY_CHECK, "MODE", 0, "fast or checked", 0},
    {"policy", RUN_KEY_POLICY, "FILE", 0, "Go by what `hakmem learn' has learned of the program",
     0},
    {"set", RUN_KEY_SET, "OPTION=VALUE", 0,
     "Set any option; `hakmem options' lists them. May be given several times", 0},
    {"lib", RUN_KEY_LIB, "PATH", 0,
     "The libhakmem.so to use instead of the one that belongs to this command", 0},
    {0},
};

static const char run_doc[] =
    "Run a program with every allocation served by hakmem.\v"
    "The options hold for the program and its children. The exit status is the program's; 125 if "
    "hakmem can't serve it, 126 if the program can't be executed, 127 if there is none.";

/* Puts an option into the environment; on a bad one ends with a message. */
static void run_set(const char *origin, struct hak_slice name, struct hak_slice value) {
    char message[HAK_VALUES_MESSAGE_BYTES], variable[HAK_OPTION_NAME_BYTES + 8];
    enum hak_option_id id;
    int64_t number;
    if (hak_values_check(name, value, &id, &number, message) != 0) {
        fprintf(stderr, "hakmem run: %s: %s\n", origin, message);
        exit(TOOL_EXIT_RUN);
    }
    hak_table_variable(id, variable);
    if (setenv(variable, value.start, 1) == 0) return; /* a value reaches to its argument's end */
    fprintf(stderr, "hakmem run: %s: %s\n", variable, strerror(errno));
    exit(TOOL_EXIT_RUN);
}

static void run_set_pair(const char *text) {
    bool has_value;
    struct hak_slice value = hak_slice_of(text);
    const struct hak_slice name = hak_slice_take(&value, '=', &has_value);
    if (!has_value) {
        fprintf(stderr, "hakmem run: --set: \"%s\" has no value: OPTION=VALUE is needed\n", text);
        exit(TOOL_EXIT_RUN);
    }
    run_set("--set", name, value);
}

static error_t run_parse(int key, char *argument, struct argp_state *state) {
    struct run_request *request = state->input;
    switch (key) {
    case RUN_KEY_PROFILE:
        run_set("--profile", hak_slice_of("profile"), hak_slice_of(argument));
        return 0;
    case RUN_KEY_STATS:
        run_set("--stats", hak_slice_of("stats"), hak_slice_of("1"));
        return 0;
    case RUN_KEY_CHECK:
        run_set("--check", hak_slice_of("check"), hak_slice_of(argument));
        return 0;
    case RUN_KEY_SET:
        run_set_pair(argument);
        return 0;
    case RUN_KEY_POLICY:
        request->policy = argument;
        return 0;
    case RUN_KEY_LIB:
        request->library = argument;
        return 0;
    default:
        return program_parse(key, state, &request->program);
    }
}

/* The library in front of what is preloaded already; NULL: no memory. */
static char *run_preload(const char *library) {
    const char *old = getenv("LD_PRELOAD");
    const size_t length = strlen(library);
    char *preload = NULL;
    if (old == NULL || *old == '\0') return strdup(library);
    const bool is_first = strncmp(old, library, length) == 0 &&
                          (old[length] == '\0' || old[length] == ':' || old[length] == ' ');
    if (is_first) return strdup(old);
    return asprintf(&preload, "%s:%s", library, old) < 0 ? NULL : preload;
}

/* The file under its absolute name, as the program may go to another folder. */
static bool run_take_policy(const char *policy, const char *program) {
    char path[PATH_MAX];
    if (realpath(policy, path) == NULL) {
        fprintf(stderr, "hakmem run: %s: %s\n", policy, strerror(errno));
        return false;
    }
#ifdef HAKMEM_HAVE_DWFL
    if (!policy_check(path, program)) return false;
#else
    (void)program;
#endif
    run_set("--policy", hak_slice_of("policy_file"), hak_slice_of(path));
    return true;
}

static int run_execute(char **program) {
    execvp(program[0], program);
    const int error = errno;
    fprintf(stderr, "hakmem run: %s: %s\n", program[0], strerror(error));
    return error == ENOENT ? TOOL_EXIT_NOT_FOUND : TOOL_EXIT_NOT_EXEC;
}

int run_command(int argc, char **argv) {
    static const struct argp argp = {
        .options = run_options,
        .parser = run_parse,
        .args_doc = "PROGRAM [ARGUMENT...]",
        .doc = run_doc,
    };
    struct run_request request = {0};
    char library[PATH_MAX], path[PATH_MAX], why[3 * PATH_MAX];

    argp_err_exit_status = TOOL_EXIT_RUN;
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &request);
    if (!library_find(request.library, library)) return TOOL_EXIT_RUN;

    char *preload = run_preload(library);
    if (preload == NULL || setenv("LD_PRELOAD", preload, 1) != 0) {
        fprintf(stderr, "hakmem run: %s\n", strerror(ENOMEM));
        return TOOL_EXIT_RUN;
    }
    if (!probe_run(library, preload, why, sizeof why)) {
        fprintf(stderr, "hakmem run: %s does not serve programs: %s\n", library, why);
        return TOOL_EXIT_RUN;
    }
    free(preload);
    const bool found = program_find(request.program[0], path, sizeof path);
    if (found && program_refuses(path, why, sizeof why)) {
        fprintf(stderr, "hakmem run: warning: %s: hakmem does not serve it\n", why);
    }
    if (request.policy != NULL && !run_take_policy(request.policy, found ? path : NULL)) {
        return TOOL_EXIT_RUN;
    }
    return run_execute(request.program);
}
