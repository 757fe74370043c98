/* SPDX-License-Identifier: MIT
 *
 * The table of size classes.  A slab has the fewest units (of 64 KiB) that leave less than 2 % of
 * it unused; above 32 KiB it has one block.
 */
#include "slab/class.h"

#define ROW(bytes, units) \
    { (bytes), (bytes) > HAK_CLASS_SHARED_MAX ? 1 : (units)*65536u / (bytes), (units) }

/* clang-format off */
const struct hak_class hak_class_table[HAK_CLASSES + 1] = {
    {0, 0, 0},
    ROW(16, 1), ROW(32, 1), ROW(48, 1), ROW(64, 1), ROW(80, 1), ROW(96, 1), ROW(112, 1),
    ROW(128, 1), ROW(144, 1), ROW(160, 1), ROW(176, 1), ROW(192, 1), ROW(208, 1), ROW(224, 1),
    ROW(240, 1), ROW(256, 1), ROW(288, 1), ROW(320, 1), ROW(352, 1), ROW(384, 1), ROW(416, 1),
    ROW(448, 1), ROW(480, 1), ROW(512, 1), ROW(576, 1), ROW(640, 1), ROW(704, 1), ROW(768, 1),
    ROW(832, 1), ROW(896, 1), ROW(960, 1), ROW(1024, 1), ROW(1152, 1), ROW(1280, 1), ROW(1408, 1),
    ROW(1536, 1), ROW(1664, 1), ROW(1792, 1), ROW(1920, 1), ROW(2048, 1), ROW(2304, 1),
    ROW(2560, 2), ROW(2816, 1), ROW(3072, 1), ROW(3328, 2), ROW(3584, 1), ROW(3840, 1),
    ROW(4096, 1), ROW(4608, 1), ROW(5120, 3), ROW(5632, 2), ROW(6144, 2), ROW(6656, 3),
    ROW(7168, 1), ROW(7680, 2), ROW(8192, 1), ROW(9216, 1), ROW(10240, 3), ROW(11264, 4),
    ROW(12288, 3), ROW(13312, 6), ROW(14336, 2), ROW(15360, 4), ROW(16384, 1), ROW(18432, 2),
    ROW(20480, 5), ROW(22528, 7), ROW(24576, 3), ROW(26624, 7), ROW(28672, 4), ROW(30720, 8),
    ROW(32768, 1), ROW(40960, 1), ROW(49152, 1), ROW(57344, 1), ROW(65536, 1), ROW(81920, 2),
    ROW(98304, 2), ROW(114688, 2), ROW(131072, 2), ROW(163840, 3), ROW(196608, 3), ROW(229376, 4),
    ROW(262144, 4), ROW(327680, 5), ROW(393216, 6), ROW(458752, 7), ROW(524288, 8),
    ROW(655360, 10), ROW(786432, 12), ROW(917504, 14), ROW(1048576, 16),
};

/* hak_class_of(16 * i) << 1 as a constant. */
#define LAST(i) (16ull * (i) - 1)
#define STEP(i) HAK_CLASS_STEP(LAST(i), 63u - (unsigned)__builtin_clzll(LAST(i)))
#define WORD(i) (uint8_t)(((i) > 8 ? STEP(i) : (i) ? (i) : 1) << 1)
#define WORDS_4(i) WORD(i), WORD((i) + 1), WORD((i) + 2), WORD((i) + 3)
#define WORDS_16(i) WORDS_4(i), WORDS_4((i) + 4), WORDS_4((i) + 8), WORDS_4((i) + 12)
#define WORDS_64(i) WORDS_16(i), WORDS_16((i) + 16), WORDS_16((i) + 32), WORDS_16((i) + 48)

const uint8_t hak_class_words[HAK_SMALL_MAX / 16 + 1] = {
    WORDS_64(0), WORDS_64(64), WORDS_64(128), WORDS_64(192), WORDS_64(256), WORDS_64(320),
    WORDS_64(384), WORDS_64(448), WORD(512),
};
/* clang-format on */

unsigned hak_class_of_aligned(size_t size, size_t alignment) {
    if (alignment > HAK_UNIT_BYTES) return 0;
    size = hak_align_up(size ? size : 1, alignment);
    return size > HAK_LARGE_MAX || size < alignment ? 0 : hak_class_of(size);
}
