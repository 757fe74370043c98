/* SPDX-License-Identifier: MIT
 *
 * hak_malloc and hak_free.
 */
#include "front/fast_path.h"
#include "hakmem.h"

void *hak_malloc(size_t size) {
    return hak_fast_malloc(size);
}

void hak_free(void *pointer) {
    hak_fast_free(pointer);
}
