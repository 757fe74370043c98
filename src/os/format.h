/* SPDX-License-Identifier: MIT
 *
 * printf without stdio: no allocation, no locale, no errno, no state.
 *
 * Conversions: %s %c %d %u %x %p %%, with l, ll or z before d, u, x.  Between % and them may stand
 * '-' (to the left), '0' (zeros in front), a width, and for %s a precision; either may be '*'.
 * Anything else is written as it stands.  A NULL for %s is written "(null)".
 */
#ifndef HAK_OS_FORMAT_H
#define HAK_OS_FORMAT_H

#include "base/base.h"

#include <stdarg.h>

/* Where formatted text goes, piece by piece.  To be the first member of a larger struct. */
struct hak_sink {
    void (*put)(struct hak_sink *sink, const char *text, size_t length);
};

void hak_format(struct hak_sink *sink, const char *format, va_list arguments);

/* snprintf: writes at most size - 1 bytes and a zero (nothing if size is 0); returns the length
 * that the whole text has. */
size_t hak_format_text(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
size_t hak_format_text_v(char *out, size_t size, const char *format, va_list arguments);

#endif
