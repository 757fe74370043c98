/* SPDX-License-Identifier: MIT
 *
 * Prints its arguments, each in brackets.  Built twice: statically linked and not.
 */
#include <stdio.h>

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) printf("[%s]\n", argv[i]);
    return 0;
}
