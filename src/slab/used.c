/* SPDX-License-Identifier: MIT
 *
 * Allocated bits of a whole slab.  Header: slab/used.h.
 */
#include "slab/used.h"

size_t hak_used_forget(const struct hak_slab *slab) {
    uint64_t *word = hak_used_find(slab->base).word;
    size_t carved = (size_t)slab->carved * hak_class_table[slab->class].block_bytes;
    size_t words = (carved + 64 * HAK_MIN_ALIGN - 1) / (64 * HAK_MIN_ALIGN), were_set = 0;
    for (size_t i = 0; i < words; i++) {
        uint64_t bits = __atomic_load_n(&word[i], __ATOMIC_RELAXED);
        if (!bits) continue; /* and its page stays as it is */
        were_set += (size_t)__builtin_popcountll(bits);
        __atomic_store_n(&word[i], 0, __ATOMIC_RELAXED);
    }
    return were_set;
}
