/* SPDX-License-Identifier: MIT
 *
 * hakmem version
 */
#include "tool.h"

#include <argp.h>
#include <hakmem.h>
#include <stdio.h>

int version_command(int argc, char **argv) {
    static const struct argp argp = {.doc = "Print the version of this command."};
    argp_parse(&argp, argc, argv, 0, NULL, NULL);
    printf("hakmem %d.%d.%d\n", HAKMEM_VERSION_MAJOR, HAKMEM_VERSION_MINOR, HAKMEM_VERSION_PATCH);
    return TOOL_EXIT_OK;
}
