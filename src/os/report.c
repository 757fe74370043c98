/* SPDX-License-Identifier: MIT
 *
 * The line is made whole in a buffer on the stack: one write, so that lines of several threads and
 * processes do not mix.
 */
#include "os/report.h"

#include "os/file.h"
#include "os/format.h"

#include <stdlib.h>

#define REPORT_PREFIX       "hakmem: "
#define REPORT_PREFIX_BYTES (sizeof REPORT_PREFIX - 1)

enum report_stderr { REPORT_STDERR_UNKNOWN, REPORT_STDERR_OPEN, REPORT_STDERR_CLOSED };

/* atomic, relaxed: the first to look decides */
static _Atomic int report_stderr;

void hak_report_start(void) {
    if (atomic_load_explicit(&report_stderr, memory_order_relaxed)) return;
    int unknown = REPORT_STDERR_UNKNOWN;
    int found = hak_file_is_open(2) ? REPORT_STDERR_OPEN : REPORT_STDERR_CLOSED;
    atomic_compare_exchange_strong_explicit(&report_stderr, &unknown, found, memory_order_relaxed,
                                            memory_order_relaxed);
}

bool hak_report_has_stderr(void) {
    if (atomic_load_explicit(&report_stderr, memory_order_relaxed) == REPORT_STDERR_UNKNOWN) {
        hak_report_start();
    }
    return atomic_load_explicit(&report_stderr, memory_order_relaxed) == REPORT_STDERR_OPEN;
}

static void report_line(const char *format, va_list arguments) {
    char line[HAK_REPORT_BYTES] = REPORT_PREFIX;
    const size_t room = sizeof line - REPORT_PREFIX_BYTES; /* with the place of the newline */
    if (!hak_report_has_stderr()) return;

    char *message = line + REPORT_PREFIX_BYTES;
    size_t length = hak_format_text_v(message, room, format, arguments);
    if (length > room - 1) {
        length = room - 1;
        for (size_t i = 1; i <= 3; i++) message[length - i] = '.';
    }
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)message[i] < ' ' || message[i] == 0x7f) message[i] = '?';
    }
    message[length] = '\n';
    hak_file_write(2, line, REPORT_PREFIX_BYTES + length + 1);
}

void hak_report(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    report_line(format, arguments);
    va_end(arguments);
}

bool hak_report_first(_Atomic bool *said) {
    return !atomic_load_explicit(said, memory_order_relaxed) &&
           !atomic_exchange_explicit(said, true, memory_order_relaxed);
}

/* abort(3) of both glibc and musl unblocks the signal, and after an ignored signal or a handler
 * that returned resets it and raises it again: nothing to add. */
_Noreturn void hak_die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    report_line(format, arguments);
    va_end(arguments);
    abort();
}
