/* SPDX-License-Identifier: MIT
 *
 * hakmem COMMAND [ARGUMENT...]
 */
#include "tool.h"

#include "config/nearest.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
    {"run", run_command},         {"compare", compare_command},
#ifdef HAKMEM_HAVE_DWFL
    {"sites", sites_command},     {"learn", learn_command},
#endif
    {"options", options_command}, {"version", version_command},
};

#define COMMAND_COUNT ((int)(sizeof commands / sizeof *commands))

static const char main_doc[] =
    "hakmem, a memory allocator: runs programs on it and explains its options.\v"
    "Commands:\n"
    "  run       run a program on hakmem\n"
    "  compare   run a program on hakmem and on other allocators, and compare\n"
    "  sites     show which places in a program allocate\n"
    "  learn     run a program and keep what hakmem learns of it\n"
    "  options   list the options and profiles\n"
    "  version   print the version\n"
    "\n"
    "`hakmem COMMAND --help' tells more about each.";

static _Noreturn void main_unknown(const char *name) {
    struct hak_nearest search;
    hak_nearest_start(&search, hak_slice_of(name));
    for (int i = 0; i < COMMAND_COUNT; i++) {
        hak_nearest_offer(&search, hak_slice_of(commands[i].name), i);
    }
    if (search.best >= 0) {
        fprintf(stderr, "hakmem: no command \"%s\"; the nearest is \"%s\"\n", name,
                commands[search.best].name);
    } else {
        fprintf(stderr, "hakmem: no command \"%s\"; `hakmem --help' lists them\n", name);
    }
    exit(TOOL_EXIT_USAGE);
}

/* The first argument that is no option is the command; the rest is the command's own. */
static error_t main_parse(int key, char *argument, struct argp_state *state) {
    int *command_at = state->input;
    switch (key) {
    case 'V':
        exit(version_command(1, state->argv));
    case ARGP_KEY_ARG:
        *command_at = state->next - 1;
        state->next = state->argc;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "a command is needed: run, compare, sites, learn, options or version");
        return 0;
    default:
        (void)argument;
        return ARGP_ERR_UNKNOWN;
    }
}

/* Output that was lost is a failure, though printf has said nothing. */
static int main_close_output(int status) {
    const bool lost = ferror(stdout) != 0;
    if (fclose(stdout) == 0 && !lost) return status;
    perror("hakmem: standard output");
    return status == TOOL_EXIT_OK ? TOOL_EXIT_OUTPUT : status;
}

int main(int argc, char **argv) {
    static const struct argp_option options[] = {
        {"version", 'V', NULL, 0, "Print the version", 0},
        {0},
    };
    static const struct argp argp = {
        .options = options,
        .parser = main_parse,
        .args_doc = "COMMAND [ARGUMENT...]",
        .doc = main_doc,
    };
    int command_at = 0;

    if (argc == 3 && strcmp(argv[1], PROBE_COMMAND) == 0) return probe_answer(argv[2]);
    argp_err_exit_status = TOOL_EXIT_USAGE;
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &command_at);

    const char *name = argv[command_at];
    for (int i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(name, commands[i].name) != 0) continue;
        static char full_name[32];
        snprintf(full_name, sizeof full_name, "hakmem %s", name);
        program_invocation_name = argv[command_at] = full_name; /* messages begin with it */
        return main_close_output(commands[i].run(argc - command_at, argv + command_at));
    }
    main_unknown(name);
}
