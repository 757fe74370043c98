/* SPDX-License-Identifier: MIT
 *
 * Prints what the allocator made of its environment, for a set-uid copy of this program: linked
 * with libhakmem.a, since a set-uid program takes no preload.  One line: "secure N on_error VALUE".
 */
#include "hakmem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

int main(void) {
    char value[64] = "?";
    char *block = malloc(1000);
    if (!block || hak_usable_size(block) < 1000) return 1;
    memset(block, 1, 1000);
    free(block);
    if (hak_option_get("on_error", value, sizeof(value)) != 0) return 1;
    printf("secure %lu on_error %s\n", getauxval(AT_SECURE), value);
    return 0;
}
