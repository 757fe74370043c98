/* SPDX-License-Identifier: MIT
 *
 * hakmem sites [OPTION...] PROGRAM [ARGUMENT...] | PID | FILE
 */
#include "sites.h"

#include "../file.h"
#include "../tool.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct command_request {
    char **what; /* a program with its arguments, a process id, or a file */
    const char *library;
    const char *output; /* NULL: standard output */
    enum sites_order order;
    size_t most;
    bool json;
};

enum command_key {
    COMMAND_KEY_JSON = 'j',
    COMMAND_KEY_LIB = 'l',
    COMMAND_KEY_MOST = 'n',
    COMMAND_KEY_OUTPUT = 'o',
    COMMAND_KEY_SORT = 's'
};

static const struct argp_option command_options[] = {
    {"sort", COMMAND_KEY_SORT, "KEY", 0, "bytes (the default), held or blocks", 0},
    {"number", COMMAND_KEY_MOST, "N", 0, "Show so many sites (default: 30; with --json all)", 0},
    {"json", COMMAND_KEY_JSON, NULL, 0, "JSON instead of a table", 0},
    {"output", COMMAND_KEY_OUTPUT, "FILE", 0, "Write to a file", 0},
    {"lib", COMMAND_KEY_LIB, "PATH", 0,
     "The libhakmem.so to use instead of the one that belongs to this command", 0},
    {0},
};

static const char command_doc[] =
    "Show which places in a program allocate, how much, and for how long.\v"
    "Runs PROGRAM on hakmem and reports when it ends; or reads the process PID, which goes on; or "
    "a FILE that a process with the option sites_file has left.\n\n"
    "number and bytes: what the site has asked for; up to 32 KiB an estimate, made when memory is "
    "fetched. held: bytes not freed. life: how long half of the blocks lived at most. gap: the "
    "same for the time until the site asked for that size again.\n\n"
    "The exit status is that of PROGRAM, or 2 if there is nothing to show.";

static size_t command_number(struct argp_state *state, const char *argument) {
    char *end;
    errno = 0;
    const unsigned long number = strtoul(argument, &end, 10);
    if (errno != 0 || *end != '\0' || *argument < '0' || *argument > '9')
        argp_error(state, "--number: \"%s\" is not a number", argument);
    return number;
}

static enum sites_order command_order(struct argp_state *state, const char *argument) {
    if (strcmp(argument, "bytes") == 0) return SITES_BY_BYTES;
    if (strcmp(argument, "held") == 0) return SITES_BY_HELD;
    if (strcmp(argument, "blocks") == 0) return SITES_BY_BLOCKS;
    argp_error(state, "--sort: \"%s\" is none of bytes, held, blocks", argument);
    return SITES_BY_BYTES;
}

static error_t command_parse(int key, char *argument, struct argp_state *state) {
    struct command_request *request = state->input;
    switch (key) {
    case COMMAND_KEY_JSON:
        request->json = true;
        return 0;
    case COMMAND_KEY_LIB:
        request->library = argument;
        return 0;
    case COMMAND_KEY_MOST:
        request->most = command_number(state, argument);
        return 0;
    case COMMAND_KEY_OUTPUT:
        request->output = argument;
        return 0;
    case COMMAND_KEY_SORT:
        request->order = command_order(state, argument);
        return 0;
    default:
        return program_parse(key, state, &request->what);
    }
}

/* A process id, if it is one word of digits. */
static pid_t command_pid(char **what) {
    char *end;
    errno = 0;
    const long pid = strtol(what[0], &end, 10);
    if (what[1] != NULL || what[0][0] < '0' || what[0][0] > '9' || *end != '\0') return 0;
    return errno == 0 && pid > 0 && pid <= INT_MAX ? (pid_t)pid : 0;
}

static bool command_read(const struct command_request *request, struct sites_list *list,
                         int *status) {
    const pid_t pid = command_pid(request->what);
    if (pid != 0) return sites_from_process(list, pid);
    if (request->what[1] == NULL && sites_is_file(request->what[0]))
        return sites_from_file(list, request->what[0]);
    return sites_from_program(list, request->what, request->library, NULL, status);
}

static bool command_print(const struct command_request *request, struct sites_list *list) {
    const size_t most = request->most != 0 ? request->most : request->json ? SIZE_MAX : 30;
    struct file file = {.out = stdout};
    if (request->output != NULL && !file_open(&file, request->output)) return false;
    sites_sort(list, request->order);
    if (request->json) sites_print_json(file.out, list, most);
    else sites_print_text(file.out, list, most);
    return request->output == NULL || file_close(&file); /* main looks at standard output */
}

int sites_command(int argc, char **argv) {
    static const struct argp argp = {
        .options = command_options,
        .parser = command_parse,
        .args_doc = "PROGRAM [ARGUMENT...] | PID | FILE",
        .doc = command_doc,
    };
    struct command_request request = {0};
    struct sites_list list = {0};
    int status = TOOL_EXIT_OK;

    argp_err_exit_status = TOOL_EXIT_USAGE;
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &request);
    if (!command_read(&request, &list, &status)) {
        sites_free(&list);
        return status != TOOL_EXIT_OK ? status : TOOL_EXIT_USAGE;
    }
    sites_name(&list);
    const bool printed = command_print(&request, &list);
    sites_free(&list);
    return printed ? status : TOOL_EXIT_OUTPUT;
}
