/* SPDX-License-Identifier: MIT
 *
 * Header: os/stack.h.
 *
 *     hak_stack_is_programs, free ...       this library
 *     f, g, main                            the program and its libraries
 *     __libc_start_call_main, ..., or
 *     start_thread, clone3                  libc, two functions
 *     _start                                the program; not in a thread
 *
 * Behind a signal's frame, of libc as well, there is no rule for the next one: it is one function
 * of libc.
 */
#include "os/stack.h"

#include "os/module.h"
#include "os/unwind.h"

#define STACK_FRAMES_MAX 256u /* a deeper stack is not followed */
#define STACK_LIBC_BASE  2u   /* functions of libc that a thread or a program starts with */

/* Of the dynamic linker; nobody defines it again. */
extern void *__tls_get_addr(void *index) __attribute__((weak));

struct stack_modules {
    const void *own, *libc, *loader;
};

static bool stack_is_libcs(const struct stack_modules *modules, const void *module) {
    return module == modules->libc || module == modules->loader;
}

static bool stack_find_modules(struct stack_modules *modules) {
    modules->own = hak_module_at((uintptr_t)hak_stack_is_programs);
    modules->libc = hak_module_libc();
    modules->loader = hak_module_at((uintptr_t)__tls_get_addr);
    return modules->own && modules->libc && modules->loader &&
           !stack_is_libcs(modules, modules->own);
}

/* The frames from this one on: those of this library, of the program, of libc at the end. */
struct stack_seen {
    unsigned programs, libcs, behind;
};

/* Counts a frame of a module.  False: the stack is not as it should be. */
static bool stack_count(struct stack_seen *seen, const struct stack_modules *modules,
                        const void *module) {
    if (!module) return false;
    if (stack_is_libcs(modules, module)) {
        return seen->programs && !seen->behind && ++seen->libcs <= STACK_LIBC_BASE;
    }
    if (seen->libcs) return seen->libcs == STACK_LIBC_BASE && ++seen->behind == 1;
    if (module != modules->own) seen->programs++;
    return true;
}

bool hak_stack_is_programs(void) {
    struct stack_modules modules;
    struct stack_seen seen = {0};
    if (!stack_find_modules(&modules)) return false;
    struct hak_frame frame = hak_frame_of(HAK_FRAME_MARK());
    for (unsigned count = 0; count < STACK_FRAMES_MAX; count++) {
        if (!stack_count(&seen, &modules, frame.pc ? hak_module_at(frame.pc - 1) : NULL))
            return false;
        if (!hak_unwind_step(hak_unwind_find(frame.pc), &frame))
            return seen.libcs == STACK_LIBC_BASE;
    }
    return false;
}
