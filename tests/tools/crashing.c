/* SPDX-License-Identifier: MIT
 *
 * A preload that ends every program before it starts.
 */
#include <stdlib.h>

__attribute__((constructor)) static void crash(void) {
    abort();
}
