/* SPDX-License-Identifier: MIT
 *
 * A library that loads and defines nothing of malloc's family.
 */
int tools_nothing(void);

int tools_nothing(void) {
    return 0;
}
