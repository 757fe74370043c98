/* SPDX-License-Identifier: MIT
 *
 * What family.h has besides the table: sizes, patterns, random numbers.
 */
#include "family.h"

#include <string.h>

size_t family_sizes[FAMILY_SIZES_MAX];
size_t family_size_count;

static void sizes_add(size_t size) {
    if (family_size_count == 0 || size > family_sizes[family_size_count - 1])
        family_sizes[family_size_count++] = size;
}

/* A constructor, so that the sizes are there before cmocka starts; it allocates nothing. */
__attribute__((constructor)) static void sizes_fill(void) {
    for (size_t size = 0; size <= 1040; size++) sizes_add(size);
    for (size_t base = 1024; base < FAMILY_SIZE_LARGEST; base *= 2) {
        size_t step = base < ((size_t)2 << 20) ? base / 8 : base;
        for (size_t size = base + step; size <= 2 * base; size += step) {
            sizes_add(size - 1);
            sizes_add(size);
            sizes_add(size + 1);
        }
    }
}

static uint64_t pattern_word(uint64_t seed, size_t index) {
    return (seed + 1) * 0x9E3779B97F4A7C15u + index * 0xC2B2AE3D27D4EB4Fu;
}

void pattern_write(void *block, size_t size, uint64_t seed) {
    unsigned char *bytes = block;
    size_t whole = size / 8;
    for (size_t i = 0; i < whole; i++) {
        uint64_t word = pattern_word(seed, i);
        __builtin_memcpy(bytes + 8 * i, &word, 8); /* no call, which a sanitizer would look at */
    }
    uint64_t last = pattern_word(seed, whole);
    memcpy(bytes + 8 * whole, &last, size % 8);
}

size_t pattern_check(const void *block, size_t size, uint64_t seed) {
    const unsigned char *bytes = block;
    for (size_t i = 0; 8 * i < size; i++) {
        uint64_t want = pattern_word(seed, i);
        size_t length = size - 8 * i < 8 ? size - 8 * i : 8;
        uint64_t found = 0;
        if (length == 8) __builtin_memcpy(&found, bytes + 8 * i, 8);
        if (length == 8 && found == want) continue;
        if (memcmp(bytes + 8 * i, &want, length) == 0) continue;
        size_t offset = 8 * i;
        while (memcmp(bytes + offset, (unsigned char *)&want + offset % 8, 1) == 0) offset++;
        return offset;
    }
    return size;
}

size_t zero_check(const void *block, size_t size) {
    const unsigned char *bytes = block;
    if (size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0)) return size;
    size_t offset = 0;
    while (bytes[offset] == 0) offset++;
    return offset;
}

uint64_t random_next(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1Du;
}
