/* SPDX-License-Identifier: MIT
 *
 * The plugin of foreign.c.
 */
#include <stdlib.h>

void *plugin_malloc(size_t size);

void *plugin_malloc(size_t size) {
    return malloc(size);
}
