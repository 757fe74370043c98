/* SPDX-License-Identifier: MIT
 *
 * Words that every file may use: branch hints, alignment arithmetic, and the sizes that the whole
 * design rests on.  No state, no functions that are not inline.
 */
#ifndef HAK_BASE_BASE_H
#define HAK_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define hak_likely(x)   __builtin_expect(!!(x), 1)
#define hak_unlikely(x) __builtin_expect(!!(x), 0)
#define HAK_INLINE      static inline __attribute__((always_inline))
#define HAK_COLD        __attribute__((cold, noinline))
/* Said where a variable is declared: it is found without a look at the global offset table. */
#define HAK_HIDDEN __attribute__((visibility("hidden")))
/* Runs in every process, at its start or its end: lies with the code that is used most, although
 * the rest of its file does not (src/CMakeLists.txt). */
#define HAK_STARTUP    __attribute__((section(".text.startup")))
#define HAK_CACHE_LINE 64

/* For what is large and of which little, or in most programs nothing, is ever touched: the linker
 * puts it behind all other data, so that what is touched of that shares a page.  Not for what is
 * static. */
#define HAK_TABLE __attribute__((common))

/* A stress build forces the rare paths: magazines of one block, purge at once (-DHAK_STRESS=1). */
#ifndef HAK_STRESS
#define HAK_STRESS 0
#endif

#define HAK_UNIT_SHIFT      16
#define HAK_UNIT_BYTES      ((size_t)1 << HAK_UNIT_SHIFT)
#define HAK_SUPERSLAB_SHIFT 21
#define HAK_SUPERSLAB_BYTES ((size_t)1 << HAK_SUPERSLAB_SHIFT)
#define HAK_SUPERSLAB_UNITS 32u
#define HAK_ADDRESS_BITS    48 /* user space on x86-64 and aarch64, four-level tables */

/* The smallest page that any supported kernel uses: fresh memory is carved in these steps. */
#define HAK_PAGE_BYTES_MIN ((size_t)4096)

#define HAK_MIN_ALIGN ((size_t)16)
#define HAK_CLEAR_MAX ((size_t)1024)    /* up to here calloc clears, whatever was there */
#define HAK_SMALL_MAX ((size_t)8 << 10) /* up to here malloc and free need not enter the heap */
#define HAK_LARGE_MAX ((size_t)1 << 20) /* the last class; above are huge blocks */
#define HAK_BATCH_MAX 64u               /* H6: blocks moved by one operation */

HAK_INLINE size_t hak_align_up(size_t n, size_t alignment) {
    return (n + alignment - 1) & ~(alignment - 1);
}

HAK_INLINE bool hak_is_power_of_two(size_t n) {
    return n != 0 && (n & (n - 1)) == 0;
}

HAK_INLINE size_t hak_min_size(size_t a, size_t b) {
    return a < b ? a : b;
}

HAK_INLINE size_t hak_max_size(size_t a, size_t b) {
    return a > b ? a : b;
}

/* Index of the highest set bit; n != 0. */
HAK_INLINE unsigned hak_log2(size_t n) {
    return 63u - (unsigned)__builtin_clzll((unsigned long long)n);
}

/* The key spread over so many bits, 1 to 32: multiplication by 2^64 / phi (Knuth, The Art of
 * Computer Programming, 6.4). */
HAK_INLINE uint32_t hak_hash(uint64_t key, unsigned bits) {
    return (uint32_t)(key * 0x9E3779B97F4A7C15u >> (64 - bits));
}

/* Where the caller of this function goes on: the site of an allocation, in a function that the
 * program calls, and in what is inlined into it.  To be used where it is needed, and not before: a
 * call that needs none should not load it. */
#define hak_call_site() __builtin_return_address(0)

/* Keeps the compiler from moving a store across: a forked child, or a signal handler, sees the
 * owner's stores in this order (the processors this runs on keep it for a thread's own, and fork
 * copies what is visible). */
#define hak_order_stores() __atomic_signal_fence(__ATOMIC_SEQ_CST)

/* A block on its way to its owner.  In checked mode its second word seals the first: it is the
 * link, or NULL, XOR the block's address XOR the process's secret mark, so that a copy of it
 * elsewhere is no seal.  In fast mode the mark is 0, and the second word not written. */
struct hak_block {
    struct hak_block *next;
    uintptr_t seal;
};

/* The seal of a block with a link. */
HAK_INLINE uintptr_t hak_block_seal_of(const struct hak_block *block, const struct hak_block *next,
                                       uintptr_t mark) {
    return mark ^ (uintptr_t)block ^ (uintptr_t)next;
}

HAK_INLINE void hak_block_seal(struct hak_block *block, struct hak_block *next, uintptr_t mark) {
    block->next = next;
    block->seal = hak_block_seal_of(block, next, mark);
}

HAK_INLINE void hak_block_link(struct hak_block *block, struct hak_block *next, uintptr_t mark) {
    if (mark) hak_block_seal(block, next, mark);
    else block->next = next;
}

/* relaxed: of a block that is in use, which another thread may be writing to */
HAK_INLINE bool hak_block_is_sealed(const struct hak_block *block, uintptr_t mark) {
    const struct hak_block *next = __atomic_load_n(&block->next, __ATOMIC_RELAXED);
    return __atomic_load_n(&block->seal, __ATOMIC_RELAXED) == hak_block_seal_of(block, next, mark);
}

#endif
