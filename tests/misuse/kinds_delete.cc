// SPDX-License-Identifier: MIT
//
// The kinds of kinds.h that need operator delete with a size.

#include "kinds.h"

#include <cstddef>
#include <new>

namespace {

struct alignas(64) small {
    char text[24]; // sizeof is 64
};

struct alignas(8192) large {
    char text[9000]; // sizeof is 16384
};

// The compiler is not to see what these are given.
void (*volatile delete_sized)(void *, std::size_t) = ::operator delete;
void (*volatile delete_aligned)(void *, std::size_t, std::align_val_t) = ::operator delete;

} // namespace

void kind_delete_type_size_mismatch() {
    delete_sized(new char, 4 * sizeof(long));
}

void kind_invalid_aligned_sized_delete_small() {
    delete_aligned(new small, sizeof(small) + 64, std::align_val_t{alignof(small)});
}

void kind_invalid_aligned_sized_delete_large() {
    delete_aligned(new large, sizeof(large) - 10, std::align_val_t{alignof(large)});
}
