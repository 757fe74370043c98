/* SPDX-License-Identifier: MIT
 *
 * base/bits.h: runs of set bits, against the obvious way to find them.
 */
#include "unit.h"

#include "base/bits.h"

static int slow_find(uint64_t word, unsigned count) {
    for (unsigned first = 0; first + count <= 64; first++) {
        unsigned have = 0;
        while (have < count && word >> (first + have) & 1) have++;
        if (have == count) return (int)first;
    }
    return -1;
}

static unsigned slow_length(uint64_t word, unsigned first) {
    unsigned length = 0;
    while (first + length < 64 && word >> (first + length) & 1) length++;
    return length;
}

static void check_word(uint64_t word, unsigned counts) {
    for (unsigned count = 1; count <= counts; count++) {
        int found = hak_bits_find_run(word, count), expected = slow_find(word, count);
        if (found != expected) {
            fail_msg("run of %u in 0x%016lx: %d, not %d", count, word, found, expected);
        }
    }
    for (unsigned first = 0; first < 64; first++) {
        if (!(word >> first & 1)) continue; /* bits above 63 - first are shifted in as zeros */
        unsigned length = hak_bits_run_length(word, first), expected = slow_length(word, first);
        if (length != expected) {
            fail_msg("length from %u in 0x%016lx: %u, not %u", first, word, length, expected);
        }
    }
}

static void test_run(void **state) {
    (void)state;
    for (unsigned first = 0; first < 64; first++) {
        for (unsigned count = 0; first + count <= 64; count++) {
            uint64_t expected = 0;
            for (unsigned i = 0; i < count; i++) expected |= (uint64_t)1 << (first + i);
            assert_int_equal(hak_bits_run(first, count), expected);
        }
    }
}

static void test_every_16_bit_word(void **state) {
    (void)state;
    for (unsigned word = 0; word <= 0xffff; word++) check_word(word, 17);
}

/* One run of each length at each place, alone and with a shorter one below it. */
static void test_one_run(void **state) {
    (void)state;
    for (unsigned count = 1; count <= 64; count++) {
        for (unsigned first = 0; first + count <= 64; first++) {
            uint64_t word = hak_bits_run(first, count);
            assert_int_equal(hak_bits_find_run(word, count), (int)first);
            if (count < 64) assert_int_equal(hak_bits_find_run(word, count + 1), -1);
            assert_int_equal(hak_bits_run_length(word, first), count);
            if (first >= count && count > 1) {
                word |= hak_bits_run(first - count, count - 1);
                assert_int_equal(hak_bits_find_run(word, count), (int)first);
            }
        }
    }
}

static void test_random_words(void **state) {
    (void)state;
    uint64_t x = 88172645463325252u;
    for (int i = 0; i < 2000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        check_word(x, 64);
        check_word(x | x >> 1, 64);
        check_word(x | x >> 1 | x << 3 | x >> 5, 64);
    }
}

static void test_one_and_flip(void **state) {
    (void)state;
    uint64_t word[3] = {~(uint64_t)0, 0, ~(uint64_t)0};
    for (unsigned bit = 0; bit < 64; bit++) {
        assert_true(hak_bits_one(bit) == (uint64_t)1 << bit);
        assert_true(hak_bits_one(bit + 64 * 12345) == (uint64_t)1 << bit);
        hak_bits_flip(&word[1], hak_bits_one(bit));
        assert_true(word[1] == hak_bits_run(0, bit + 1));
    }
    for (unsigned bit = 0; bit < 64; bit++) {
        hak_bits_flip(&word[1], hak_bits_one(bit));
        assert_true(word[1] == ~hak_bits_run(0, bit + 1));
    }
    assert_true(word[0] == ~(uint64_t)0 && word[2] == ~(uint64_t)0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run),          cmocka_unit_test(test_every_16_bit_word),
        cmocka_unit_test(test_one_run),      cmocka_unit_test(test_random_words),
        cmocka_unit_test(test_one_and_flip),
    };
    return cmocka_run_group_tests_name("base/bits", tests, NULL, NULL);
}
