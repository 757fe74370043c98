// SPDX-License-Identifier: MIT
//
// C++'s operator new and delete in all 20 replaceable forms: alignment, contents, new_handler,
// std::bad_alloc, nothrow.  Run on libstdc++'s own operators (on glibc's malloc) and on hakmem's.
// Without cmocka, whose longjmp must not cross a frame with an exception in flight.

#include <dlfcn.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <new>

namespace {

int failures = 0;

bool served_by_hakmem() {
    const char *served_by = std::getenv("CONTRACT_SERVED_BY");
    return served_by && std::strcmp(served_by, "hakmem") == 0;
}

void check(bool ok, const char *what, std::size_t figure) {
    if (ok) return;
    std::fprintf(stderr, "FAILED: %s (%zu)\n", what, figure);
    failures++;
}

// Through volatile pointers: a compiler may leave out a pair of new and delete that it sees.
void *(*volatile plain)(std::size_t) = ::operator new;
void *(*volatile array)(std::size_t) = ::operator new[];
void *(*volatile nothrow)(std::size_t, const std::nothrow_t &) noexcept = ::operator new;
void *(*volatile array_nothrow)(std::size_t, const std::nothrow_t &) noexcept = ::operator new[];
void *(*volatile aligned)(std::size_t, std::align_val_t) = ::operator new;
void *(*volatile array_aligned)(std::size_t, std::align_val_t) = ::operator new[];
void *(*volatile aligned_nothrow)(std::size_t, std::align_val_t,
                                  const std::nothrow_t &) noexcept = ::operator new;
void *(*volatile array_aligned_nothrow)(std::size_t, std::align_val_t,
                                        const std::nothrow_t &) noexcept = ::operator new[];

const std::size_t sizes[] = {0,    1,    8,     16,    24,     100,     1000,
                             1024, 5000, 40000, 70000, 300000, 1 << 20, 3 << 20};

void *filled(void *block, std::size_t alignment, std::size_t size) {
    check(block != nullptr, "a null pointer from new", size);
    check(reinterpret_cast<std::uintptr_t>(block) % alignment == 0, "alignment", alignment);
    if (block && size) std::memset(block, 0x77, size);
    return block;
}

void test_plain_forms() {
    for (std::size_t size : sizes) {
        ::operator delete(filled(plain(size), 16, size));
        ::operator delete(filled(plain(size), 16, size), size);
        ::operator delete(filled(plain(size), 16, size), std::nothrow);
        ::operator delete(filled(nothrow(size, std::nothrow), 16, size));
        ::operator delete(filled(nothrow(size, std::nothrow), 16, size), std::nothrow);
        ::operator delete[](filled(array(size), 16, size));
        ::operator delete[](filled(array(size), 16, size), size);
        ::operator delete[](filled(array(size), 16, size), std::nothrow);
        ::operator delete[](filled(array_nothrow(size, std::nothrow), 16, size));
        ::operator delete[](filled(array_nothrow(size, std::nothrow), 16, size), std::nothrow);
    }
    ::operator delete(nullptr);
    ::operator delete (nullptr, std::size_t{8});
    ::operator delete[](nullptr);
    ::operator delete[](nullptr, std::size_t{8});
}

void test_aligned_forms() {
    for (std::size_t alignment = 1; alignment <= (std::size_t{4} << 20); alignment *= 2) {
        const std::align_val_t value{alignment};
        for (std::size_t size : sizes) {
            ::operator delete(filled(aligned(size, value), alignment, size), value);
            ::operator delete(filled(aligned(size, value), alignment, size), size, value);
            ::operator delete(filled(aligned(size, value), alignment, size), value, std::nothrow);
            ::operator delete(filled(aligned_nothrow(size, value, std::nothrow), alignment, size),
                              value, std::nothrow);
            ::operator delete[](filled(array_aligned(size, value), alignment, size), value);
            ::operator delete[](filled(array_aligned(size, value), alignment, size), size, value);
            ::operator delete[](filled(array_aligned(size, value), alignment, size), value,
                                std::nothrow);
            ::operator delete[](
                filled(array_aligned_nothrow(size, value, std::nothrow), alignment, size), value);
        }
    }
    ::operator delete (nullptr, std::align_val_t{64});
    ::operator delete[](nullptr, std::size_t{8}, std::align_val_t{64});
}

void test_zero_sizes_are_unique() {
    void *a = plain(0), *b = plain(0), *c = array(0), *d = nothrow(0, std::nothrow);
    check(a != b && a != c && a != d && b != c && b != d && c != d, "unique zero sizes", 0);
    for (void *block : {a, b, c, d}) ::operator delete(block);
}

int handler_calls = 0;

// Asks to be tried again four times, then gives up, as the standard lets a handler do.
void handler_gives_up() {
    if (++handler_calls == 5) std::set_new_handler(nullptr);
}

struct handler_error : std::bad_alloc {};

void handler_throws() {
    handler_calls++;
    throw handler_error();
}

const std::size_t impossible = SIZE_MAX / 2 - 4096;

// Calls one form; says whether std::bad_alloc came out of it.
template <typename Form> bool throws_bad_alloc(Form form) {
    try {
        check(form() == nullptr, "an impossible size was given", impossible);
    } catch (const std::bad_alloc &) {
        return true;
    }
    return false;
}

template <typename Form> void check_failure(const char *name, bool must_throw, Form form) {
    std::set_new_handler(nullptr);
    check(throws_bad_alloc(form) == must_throw, name, 0);

    handler_calls = 0;
    std::set_new_handler(handler_gives_up);
    check(throws_bad_alloc(form) == must_throw, name, 1);
    check(handler_calls == 5, name, static_cast<std::size_t>(handler_calls));

    // What the handler throws comes out of the throwing forms as it is, and not out of the others.
    handler_calls = 0;
    std::set_new_handler(handler_throws);
    bool own_error = false;
    try {
        check(form() == nullptr, name, 2);
    } catch (const handler_error &) {
        own_error = true;
    }
    check(own_error == must_throw && handler_calls == 1, name, 3);
    std::set_new_handler(nullptr);
}

void test_failures() {
    const std::align_val_t a64{64}, a1g{std::size_t{1} << 30};
    check_failure("new", true, [] { return plain(impossible); });
    check_failure("new[]", true, [] { return array(impossible); });
    check_failure("new above PTRDIFF_MAX", true, [] { return plain(SIZE_MAX); });
    check_failure("new nothrow", false, [] { return nothrow(impossible, std::nothrow); });
    check_failure("new[] nothrow", false, [] { return array_nothrow(impossible, std::nothrow); });
    check_failure("new aligned", true, [&] { return aligned(impossible, a64); });
    check_failure("new[] aligned", true, [&] { return array_aligned(impossible, a1g); });
    check_failure("new aligned nothrow", false,
                  [&] { return aligned_nothrow(impossible, a64, std::nothrow); });
    check_failure("new[] aligned nothrow", false,
                  [&] { return array_aligned_nothrow(impossible, a64, std::nothrow); });
    // libstdc++ 12 rounds the size up to a multiple of the alignment, past 2^64, and gives a block
    // of nothing.
    if (served_by_hakmem()) {
        check_failure("new aligned, size near the end", true,
                      [&] { return aligned(SIZE_MAX - 8, a64); });
        check_failure("new[] aligned nothrow, size near the end", false,
                      [&] { return array_aligned_nothrow(SIZE_MAX, a64, std::nothrow); });
    }
}

void test_handler_is_not_called_on_success() {
    handler_calls = 0;
    std::set_new_handler(handler_gives_up);
    for (std::size_t size : sizes) ::operator delete(plain(size));
    check(handler_calls == 0, "new_handler called although there was memory", 0);
    std::set_new_handler(nullptr);
}

// A type with its own alignment takes the aligned forms through the compiler.
struct alignas(256) wide {
    char text[300];
};

void test_expressions() {
    for (int i = 0; i < 1000; i++) {
        wide *one = new wide;
        wide *many = new wide[7];
        std::memset(many, i, 7 * sizeof(wide));
        check(reinterpret_cast<std::uintptr_t>(one) % 256 == 0, "new of an aligned type", 256);
        check(reinterpret_cast<std::uintptr_t>(many) % 256 == 0, "new[] of an aligned type", 256);
        delete[] many;
        delete one;
    }
    bool caught = false;
    volatile std::size_t count = SIZE_MAX / 8;
    try {
        delete[] new double[count];
    } catch (const std::bad_alloc &) { // also std::bad_array_new_length
        caught = true;
    }
    check(caught, "an array that is too long", count);
}

// As in family_libc.c: a preload that did not take would pass every test.
void check_who_serves() {
    if (!std::getenv("CONTRACT_SERVED_BY")) return;
    Dl_info hakmem, place;
    void *hak_version = dlsym(RTLD_DEFAULT, "hak_version");
    bool served = hak_version && dladdr(hak_version, &hakmem);
    for (const char *name : {"_Znwm",
                             "_Znam",
                             "_ZnwmRKSt9nothrow_t",
                             "_ZnamRKSt9nothrow_t",
                             "_ZnwmSt11align_val_t",
                             "_ZnamSt11align_val_t",
                             "_ZnwmSt11align_val_tRKSt9nothrow_t",
                             "_ZnamSt11align_val_tRKSt9nothrow_t",
                             "_ZdlPv",
                             "_ZdaPv",
                             "_ZdlPvm",
                             "_ZdaPvm",
                             "_ZdlPvRKSt9nothrow_t",
                             "_ZdaPvRKSt9nothrow_t",
                             "_ZdlPvSt11align_val_t",
                             "_ZdaPvSt11align_val_t",
                             "_ZdlPvmSt11align_val_t",
                             "_ZdaPvmSt11align_val_t",
                             "_ZdlPvSt11align_val_tRKSt9nothrow_t",
                             "_ZdaPvSt11align_val_tRKSt9nothrow_t"}) {
        bool ours = served && dladdr(dlsym(RTLD_DEFAULT, name), &place) &&
                    place.dli_fbase == hakmem.dli_fbase;
        check(ours == served_by_hakmem(), name, 0);
    }
}

} // namespace

int main() {
    check_who_serves();
    test_plain_forms();
    test_aligned_forms();
    test_zero_sizes_are_unique();
    test_failures();
    test_handler_is_not_called_on_success();
    test_expressions();
    std::printf("%d failures\n", failures);
    return failures != 0;
}
