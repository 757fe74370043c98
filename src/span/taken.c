/* SPDX-License-Identifier: MIT
 *
 * Header: span/taken.h.
 */
#include "span/taken.h"

#include "config/option.h"
#include "span/purge.h"

static _Atomic size_t taken_bytes; /* atomic, relaxed */

bool hak_taken_add(size_t bytes) {
    size_t limit = (size_t)hak_option_int(HAK_OPTION_LIMIT_HARD_MB) << 20;
    size_t before = atomic_fetch_add_explicit(&taken_bytes, bytes, memory_order_relaxed);
    if (limit && bytes && (before > limit || bytes > limit - before)) {
        hak_taken_drop(bytes);
        return false;
    }
    hak_purge_note_grown(bytes);
    return true;
}

void hak_taken_drop(size_t bytes) {
    atomic_fetch_sub_explicit(&taken_bytes, bytes, memory_order_relaxed);
}

size_t hak_taken_bytes(void) {
    return atomic_load_explicit(&taken_bytes, memory_order_relaxed);
}
