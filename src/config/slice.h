/* SPDX-License-Identifier: MIT
 *
 * A piece of somebody else's text: start and length, no zero at the end.
 */
#ifndef HAK_CONFIG_SLICE_H
#define HAK_CONFIG_SLICE_H

#include "base/base.h"

#include <string.h>

struct hak_slice {
    const char *start;
    size_t length;
};

static inline struct hak_slice hak_slice_of(const char *text) {
    return (struct hak_slice){text, strlen(text)};
}

static inline bool hak_slice_is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

/* Without the blanks at both ends. */
static inline struct hak_slice hak_slice_trim(struct hak_slice slice) {
    while (slice.length > 0 && hak_slice_is_blank(slice.start[0])) {
        slice.start++;
        slice.length--;
    }
    while (slice.length > 0 && hak_slice_is_blank(slice.start[slice.length - 1])) slice.length--;
    return slice;
}

/* Takes what stands before the first `separator` off the slice, and the separator.  Without one,
 * all of it is taken; `found` says which. */
static inline struct hak_slice hak_slice_take(struct hak_slice *slice, char separator,
                                              bool *found) {
    const char *at = slice->length == 0 ? NULL : memchr(slice->start, separator, slice->length);
    struct hak_slice taken = *slice;
    *found = at != NULL;
    if (at != NULL) taken.length = (size_t)(at - slice->start);
    const size_t gone = taken.length + (at != NULL ? 1 : 0);
    slice->start += gone;
    slice->length -= gone;
    return taken;
}

static inline bool hak_slice_equals(struct hak_slice slice, const char *text) {
    return strlen(text) == slice.length && memcmp(slice.start, text, slice.length) == 0;
}

#endif
