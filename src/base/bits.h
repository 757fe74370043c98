/* SPDX-License-Identifier: MIT
 *
 * Bits in a word.  Superslabs keep their free units, and regions their free superslabs, as set
 * bits: functions that find and build runs of them.  Blocks that are handed out are set bits that
 * one thread, and its signal handlers, change.
 */
#ifndef HAK_BASE_BITS_H
#define HAK_BASE_BITS_H

#include "base/base.h"

/* A word with `count` bits set from bit `first` on; first + count <= 64. */
HAK_INLINE uint64_t hak_bits_run(unsigned first, unsigned count) {
    return (count >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << count) - 1) << first;
}

/* The lowest position at which `count` >= 1 bits in a row are set in `word`, or -1. */
HAK_INLINE int hak_bits_find_run(uint64_t word, unsigned count) {
    /* Invariant: bit i of `word` says that `have` bits are set from i on. */
    unsigned have = 1;
    while (have < count && word) {
        unsigned step = have < count - have ? have : count - have;
        word &= word >> step;
        have += step;
    }
    return word ? __builtin_ctzll(word) : -1;
}

/* The number of bits set in a row from bit `first` on. */
HAK_INLINE unsigned hak_bits_run_length(uint64_t word, unsigned first) {
    uint64_t rest = ~(word >> first);
    return rest ? (unsigned)__builtin_ctzll(rest) : 64;
}

/* A word with the bit `index` modulo 64 set. */
HAK_INLINE uint64_t hak_bits_one(uintptr_t index) {
#if defined(__x86_64__)
    uint64_t word = 0;
    __asm__("btsq %1, %0" : "+r"(word) : "r"(index) : "cc"); /* a shift takes three steps */
    return word;
#else
    return (uint64_t)1 << (index & 63);
#endif
}

/* Flips bits of a word that only this thread changes, in one step as seen by its signal handlers,
 * which flip other bits of it.  Other threads may read it: relaxed. */
HAK_INLINE void hak_bits_flip(uint64_t *word, uint64_t bits) {
#if defined(__x86_64__)
    __asm__("xorq %1, %0" : "+m"(*word) : "r"(bits) : "cc");
#else
    __atomic_fetch_xor(word, bits, __ATOMIC_RELAXED);
#endif
}

/* The length of the longest run of set bits. */
HAK_INLINE unsigned hak_bits_longest_run(uint32_t word) {
    unsigned length = 0;
    while (word) {
        word &= word << 1; /* each run loses one */
        length++;
    }
    return length;
}

#endif
