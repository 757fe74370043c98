/* SPDX-License-Identifier: MIT
 *
 * Part of the engine in a thread sanitizer build, in front of os/page.h (the linker's --wrap).
 *
 * The engine calls the kernel itself, so the sanitizer does not see that address space which one
 * thread has unmapped is mapped anew by another: the two would seem to race for it.  Here the
 * kernel's order is told to it: all that was done before a range was unmapped comes before all that
 * is done after a range was mapped.
 */
#include "os/page.h"

void __tsan_acquire(void *address);
void __tsan_release(void *address);

#define WRAPPED(result, name, ...)     \
    result __real_##name(__VA_ARGS__); \
    result __wrap_##name(__VA_ARGS__)

static char sanitizer_kernel; /* its address stands for the kernel's lists of mappings */

WRAPPED(void *, hak_page_map, size_t bytes, size_t alignment, enum hak_page_use use) {
    void *start = __real_hak_page_map(bytes, alignment, use);
    __tsan_acquire(&sanitizer_kernel);
    return start;
}

WRAPPED(bool, hak_page_unmap, void *start, size_t bytes, enum hak_page_use use) {
    __tsan_release(&sanitizer_kernel);
    return __real_hak_page_unmap(start, bytes, use);
}

WRAPPED(bool, hak_page_resize, void *start, size_t old_bytes, size_t new_bytes) {
    __tsan_release(&sanitizer_kernel);
    bool done = __real_hak_page_resize(start, old_bytes, new_bytes);
    __tsan_acquire(&sanitizer_kernel);
    return done;
}

WRAPPED(enum hak_page_moved, hak_page_move, void *from, size_t from_bytes, void *to,
        size_t to_bytes, bool keep_from) {
    __tsan_release(&sanitizer_kernel);
    enum hak_page_moved moved = __real_hak_page_move(from, from_bytes, to, to_bytes, keep_from);
    __tsan_acquire(&sanitizer_kernel);
    return moved;
}
