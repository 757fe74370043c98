/* SPDX-License-Identifier: MIT
 *
 * hakmem options [--markdown|--json]: the table of options, the profiles and the other variables.
 * docs/reference/options.md is what --markdown prints.
 */
#include "tool.h"

#include "config/parse.h"
#include "config/profile.h"

#include <argp.h>
#include <inttypes.h>
#include <stdio.h>

enum options_form { OPTIONS_TEXT, OPTIONS_MARKDOWN, OPTIONS_JSON };

#define OPTIONS_VALUE_BYTES 64

static const char *options_type(const struct hak_option *option) {
    switch (option->type) {
    case HAK_OPTION_BOOL:
        return "bool";
    case HAK_OPTION_INT:
        return "int";
    case HAK_OPTION_SIZE:
        return "size";
    case HAK_OPTION_WORD:
        return "word";
    case HAK_OPTION_TEXT:
        return "text";
    }
    return "";
}

static void options_initial(const struct hak_option *option, char *out) {
    if (option->type == HAK_OPTION_TEXT) out[0] = '\0';
    else hak_parse_show(option, option->initial, out, OPTIONS_VALUE_BYTES);
}

static void options_profile_name(int profile, char *out) {
    hak_parse_show(&hak_option_table[HAK_OPTION_PROFILE], profile, out, OPTIONS_VALUE_BYTES);
}

static void options_profile_value(const struct hak_profile_row *row, int profile, char *out) {
    hak_parse_show(&hak_option_table[row->id], row->value[profile], out, OPTIONS_VALUE_BYTES);
}

/* ---- Text ---- */

static void options_print_text(void) {
    char initial[OPTIONS_VALUE_BYTES], range[OPTIONS_VALUE_BYTES], name[OPTIONS_VALUE_BYTES];
    for (int id = 0; id < HAK_OPTION_COUNT; id++) {
        const struct hak_option *option = &hak_option_table[id];
        options_initial(option, initial);
        hak_parse_show_range(option, range, sizeof range);
        printf("%s=%s\n    %s\n    %s: %s; %s\n", option->name, initial, option->help,
               options_type(option), range,
               option->when == HAK_OPTION_RUN ? "may be changed at run time" : "fixed at start");
    }
    printf("\nprofiles\n");
    for (int profile = 0; profile < HAK_PROFILE_COUNT; profile++) {
        options_profile_name(profile, name);
        printf("    %s: %s\n       ", name, hak_profile_help[profile]);
        for (int row = 0; row < HAK_PROFILE_ROW_COUNT; row++) {
            options_profile_value(&hak_profile_table[row], profile, initial);
            printf(" %s=%s", hak_option_table[hak_profile_table[row].id].name, initial);
        }
        printf("\n");
    }
    printf("\nother variables\n");
    for (int i = 0; i < HAK_VARIABLE_COUNT; i++) {
        printf("    %s: %s\n", hak_variable_table[i].name, hak_variable_table[i].help);
    }
}

/* ---- Markdown ---- */

static const char options_intro[] =
    "<!-- Made by `hakmem options --markdown`; not to be edited. -->\n"
    "\n"
    "# Options\n"
    "\n"
    "An option is set in one of these places. A later one wins:\n"
    "\n"
    "1. the profile (below), for the options that profiles set;\n"
    "2. `/etc/hakmem.conf`: its global part, then its section for the program;\n"
    "3. the file named by `HAKMEM_CONFIG`, in the same way;\n"
    "4. `HAKMEM_OPTIONS=name=value,name=value`;\n"
    "5. `HAKMEM_NAME=value`, the option's name in capitals: `hakmem run --set NAME=VALUE`.\n"
    "\n"
    "An empty variable counts as not set. In a process with raised rights (set-uid, set-gid,\n"
    "capabilities) only `/etc/hakmem.conf` counts. An unknown name or a bad value is left\n"
    "out, with one warning that says where it stands.\n"
    "\n"
    "A program reads and changes options with `hak_option_get` and `hak_option_set`.\n"
    "\n"
    "## Table\n"
    "\n"
    "| option | type | default | values | at run time | meaning |\n"
    "|---|---|---|---|---|---|\n";

static const char options_types[] =
    "\n"
    "Types: **bool** is `1`, `on`, `yes`, `true` or `0`, `off`, `no`, `false`; **int** is\n"
    "decimal; **size** is in bytes, or with `K`, `M`, `G` for 1024, 1024², 1024³; **word** is\n"
    "one of the values; **text** is taken as it stands.\n"
    "\n"
    "`stats_file`: a file is appended to, made if it is missing, and opened when the\n"
    "statistics are written, so a relative path starts at the folder of that moment. `%p`\n"
    "becomes the process id, which gives each process a file of its own; `%%` becomes `%`.\n"
    "\n"
    "## Profiles\n"
    "\n"
    "A profile sets these options, unless they are set themselves. Setting `profile` at run\n"
    "time sets all of them, whatever they were.\n"
    "\n"
    "| profile |";

static const char options_files[] =
    "\n"
    "## Configuration files\n"
    "\n"
    "```\n"
    "# a comment\n"
    "check = checked             # for every program\n"
    "\n"
    "[redis-server]              # for programs of this name\n"
    "profile = speed\n"
    "stats_file = /var/log/hakmem.%p\n"
    "```\n"
    "\n"
    "The name of a program is the last part of the path that was executed; of a script, the\n"
    "script's. A `#` begins a comment at the start of a line and after a blank. Lines may\n"
    "have 1023 bytes, files 256 KiB.\n"
    "\n"
    "## Other variables\n"
    "\n"
    "| variable | meaning |\n"
    "|---|---|\n";

/* The bar between words would end a table's cell. */
static void options_print_range(const struct hak_option *option) {
    char range[OPTIONS_VALUE_BYTES];
    hak_parse_show_range(option, range, sizeof range);
    for (const char *at = range; *at != '\0'; at++) {
        if (*at == '|') printf(", ");
        else putchar(*at);
    }
}

static void options_print_profiles(void) {
    char text[OPTIONS_VALUE_BYTES];
    for (int row = 0; row < HAK_PROFILE_ROW_COUNT; row++) {
        printf(" %s |", hak_option_table[hak_profile_table[row].id].name);
    }
    printf(" meaning |\n|---|");
    for (int row = 0; row < HAK_PROFILE_ROW_COUNT; row++) printf("---|");
    printf("---|\n");
    for (int profile = 0; profile < HAK_PROFILE_COUNT; profile++) {
        options_profile_name(profile, text);
        printf("| `%s` |", text);
        for (int row = 0; row < HAK_PROFILE_ROW_COUNT; row++) {
            options_profile_value(&hak_profile_table[row], profile, text);
            printf(" %s |", text);
        }
        printf(" %s |\n", hak_profile_help[profile]);
    }
}

static void options_print_markdown(void) {
    char initial[OPTIONS_VALUE_BYTES];
    fputs(options_intro, stdout);
    for (int id = 0; id < HAK_OPTION_COUNT; id++) {
        const struct hak_option *option = &hak_option_table[id];
        options_initial(option, initial);
        printf("| `%s` | %s | %s | ", option->name, options_type(option),
               initial[0] == '\0' ? "empty" : initial);
        options_print_range(option);
        printf(" | %s | %s |\n", option->when == HAK_OPTION_RUN ? "yes" : "no", option->help);
    }
    fputs(options_types, stdout);
    options_print_profiles();
    fputs(options_files, stdout);
    for (int i = 0; i < HAK_VARIABLE_COUNT; i++) {
        printf("| `%s` | %s |\n", hak_variable_table[i].name, hak_variable_table[i].help);
    }
}

/* ---- JSON ---- */

static void options_print_quoted(const char *text) {
    putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') putchar('\\');
        putchar(*text);
    }
    putchar('"');
}

/* A value in JSON's own types: true, a number of bytes, "word". */
static void options_print_json_value(const struct hak_option *option, int64_t value) {
    char text[OPTIONS_VALUE_BYTES];
    switch (option->type) {
    case HAK_OPTION_BOOL:
        printf("%s", value != 0 ? "true" : "false");
        break;
    case HAK_OPTION_WORD:
        hak_parse_show(option, value, text, sizeof text);
        options_print_quoted(text);
        break;
    case HAK_OPTION_TEXT:
        printf("\"\"");
        break;
    default:
        printf("%" PRId64, value);
    }
}

static void options_print_json_option(const struct hak_option *option) {
    printf("    {\"name\": \"%s\", \"type\": \"%s\", \"default\": ", option->name,
           options_type(option));
    options_print_json_value(option, option->initial);
    if (option->type == HAK_OPTION_INT || option->type == HAK_OPTION_SIZE) {
        printf(", \"least\": %" PRId64 ", \"most\": %" PRId64, option->least, option->most);
    }
    if (option->type == HAK_OPTION_WORD) {
        printf(", \"words\": [");
        for (int64_t word = option->least; word <= option->most; word++) {
            if (word > option->least) printf(", ");
            options_print_json_value(option, word);
        }
        printf("]");
    }
    printf(", \"run_time\": %s, \"help\": ", option->when == HAK_OPTION_RUN ? "true" : "false");
    options_print_quoted(option->help);
    printf("}");
}

static void options_print_json_profile(int profile) {
    char name[OPTIONS_VALUE_BYTES];
    options_profile_name(profile, name);
    printf("    {\"name\": \"%s\", \"help\": ", name);
    options_print_quoted(hak_profile_help[profile]);
    printf(", \"values\": {");
    for (int row = 0; row < HAK_PROFILE_ROW_COUNT; row++) {
        const struct hak_option *option = &hak_option_table[hak_profile_table[row].id];
        printf("%s\"%s\": ", row == 0 ? "" : ", ", option->name);
        options_print_json_value(option, hak_profile_table[row].value[profile]);
    }
    printf("}}");
}

static void options_print_json(void) {
    printf("{\n  \"options\": [\n");
    for (int id = 0; id < HAK_OPTION_COUNT; id++) {
        options_print_json_option(&hak_option_table[id]);
        printf("%s\n", id + 1 < HAK_OPTION_COUNT ? "," : "");
    }
    printf("  ],\n  \"profiles\": [\n");
    for (int profile = 0; profile < HAK_PROFILE_COUNT; profile++) {
        options_print_json_profile(profile);
        printf("%s\n", profile + 1 < HAK_PROFILE_COUNT ? "," : "");
    }
    printf("  ],\n  \"variables\": [\n");
    for (int i = 0; i < HAK_VARIABLE_COUNT; i++) {
        printf("    {\"name\": \"%s\", \"help\": ", hak_variable_table[i].name);
        options_print_quoted(hak_variable_table[i].help);
        printf("}%s\n", i + 1 < HAK_VARIABLE_COUNT ? "," : "");
    }
    printf("  ]\n}\n");
}

static error_t options_parse(int key, char *argument, struct argp_state *state) {
    enum options_form *form = state->input;
    (void)argument;
    if (key == 'm') *form = OPTIONS_MARKDOWN;
    else if (key == 'j') *form = OPTIONS_JSON;
    else return ARGP_ERR_UNKNOWN;
    return 0;
}

int options_command(int argc, char **argv) {
    static const struct argp_option options[] = {
        {"markdown", 'm', NULL, 0, "Print the reference as Markdown", 0},
        {"json", 'j', NULL, 0, "Print all of it as JSON", 0},
        {0},
    };
    static const struct argp argp = {
        .options = options,
        .parser = options_parse,
        .doc = "List the options, the profiles and what they set.",
    };
    enum options_form form = OPTIONS_TEXT;
    argp_parse(&argp, argc, argv, 0, NULL, &form);
    if (form == OPTIONS_MARKDOWN) options_print_markdown();
    else if (form == OPTIONS_JSON) options_print_json();
    else options_print_text();
    return TOOL_EXIT_OK;
}
