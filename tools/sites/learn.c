/* SPDX-License-Identifier: MIT
 *
 * hakmem learn [OPTION...] PROGRAM [ARGUMENT...]
 */
#include "sites.h"

#include "../tool.h"

#include <argp.h>
#include <stdlib.h>

struct learn_request {
    char **program;
    const char *library;
    const char *output; /* NULL: after the program */
};

static const struct argp_option learn_options[] = {
    {"output", 'o', "FILE", 0, "Where it is written (default: PROGRAM.hakpolicy, in this folder)",
     0},
    {"lib", 'l', "PATH", 0,
     "The libhakmem.so to use instead of the one that belongs to this command", 0},
    {0},
};

static const char learn_doc[] =
    "Run a program with hakmem learning for how long what each place in it frees is worth keeping, "
    "and write that to a file.\v"
    "`hakmem run --policy FILE' goes by it in later runs. The exit status is that of PROGRAM, or 2 "
    "if nothing could be written.";

static error_t learn_parse(int key, char *argument, struct argp_state *state) {
    struct learn_request *request = state->input;
    switch (key) {
    case 'o':
        request->output = argument;
        return 0;
    case 'l':
        request->library = argument;
        return 0;
    default:
        return program_parse(key, state, &request->program);
    }
}

static bool learn_write(const struct learn_request *request, struct sites_list *list) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s.hakpolicy", program_base(request->program[0]));
    if (request->output != NULL) snprintf(path, sizeof path, "%s", request->output);
    sites_name(list);
    const long count = policy_write(list, path);
    if (count < 0) return false;
    double gain = 0;
    for (size_t i = 0; i < list->count; i++)
        gain += ((double)list->site[i].fixed - (double)list->site[i].paid) / 1e6;
    fprintf(stderr, "%s: %ld site%s written to %s; beside the fixed policy %.1f ms gained\n",
            program_invocation_name, count, count == 1 ? "" : "s", path, gain);
    return true;
}

int learn_command(int argc, char **argv) {
    static const struct argp argp = {
        .options = learn_options,
        .parser = learn_parse,
        .args_doc = "PROGRAM [ARGUMENT...]",
        .doc = learn_doc,
    };
    struct learn_request request = {0};
    struct sites_list list = {0};
    int status = TOOL_EXIT_OK;

    argp_err_exit_status = TOOL_EXIT_USAGE;
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &request);
    const bool written = sites_from_program(&list, request.program, request.library, "learn",
                                            &status) &&
                         learn_write(&request, &list);
    sites_free(&list);
    return written || status != TOOL_EXIT_OK ? status : TOOL_EXIT_USAGE;
}
