/* SPDX-License-Identifier: MIT
 *
 * One pass over the format: plain runs are put as they are, each conversion is parsed into a
 * struct format_spec and put with its padding.
 */
#include "os/format.h"

#include <limits.h>

#define FORMAT_DIGITS_MAX 20 /* of 2^64 - 1 in decimal */

struct format_spec {
    bool left;
    bool zeros;
    size_t width;
    size_t precision; /* SIZE_MAX: none */
    unsigned longs;   /* 0 int, 1 long or size_t, 2 long long */
    char conversion;
};

static void format_pad(struct hak_sink *sink, char pad, size_t count) {
    static const char spaces[] = "                ", zeros[] = "0000000000000000";
    while (count > 0) {
        size_t step = hak_min_size(count, sizeof spaces - 1);
        sink->put(sink, pad == '0' ? zeros : spaces, step);
        count -= step;
    }
}

static void format_put_padded(struct hak_sink *sink, const struct format_spec *spec,
                              const char *text, size_t length) {
    size_t pad = spec->width > length ? spec->width - length : 0;
    if (!spec->left) format_pad(sink, ' ', pad);
    sink->put(sink, text, length);
    if (spec->left) format_pad(sink, ' ', pad);
}

static void format_put_string(struct hak_sink *sink, const struct format_spec *spec,
                              const char *text) {
    if (text == NULL) text = "(null)";
    size_t length = 0;
    while (length < spec->precision && text[length] != '\0') length++;
    format_put_padded(sink, spec, text, length);
}

/* `prefix` ("-", "0x" or "") comes before padding zeros and after padding spaces. */
static void format_put_number(struct hak_sink *sink, const struct format_spec *spec,
                              unsigned long long value, unsigned base, const char *prefix) {
    char digits[FORMAT_DIGITS_MAX + 2], *start = digits + sizeof digits;
    size_t prefix_length = prefix[0] == '\0' ? 0 : prefix[1] == '\0' ? 1 : 2;
    size_t count = 0;
    do {
        *--start = "0123456789abcdef"[value % base];
        value /= base;
        count++;
    } while (value != 0);

    if (spec->zeros && !spec->left) {
        sink->put(sink, prefix, prefix_length);
        if (spec->width > count + prefix_length) {
            format_pad(sink, '0', spec->width - count - prefix_length);
        }
        sink->put(sink, start, count);
        return;
    }
    for (size_t i = prefix_length; i > 0; i--) *--start = prefix[i - 1];
    format_put_padded(sink, spec, start, count + prefix_length);
}

static void format_put_signed(struct hak_sink *sink, const struct format_spec *spec,
                              long long value) {
    if (value < 0) {
        format_put_number(sink, spec, 0 - (unsigned long long)value, 10, "-");
    } else {
        format_put_number(sink, spec, (unsigned long long)value, 10, "");
    }
}

static const char *format_read_count(const char *at, size_t *count) {
    size_t n = 0;
    while (*at >= '0' && *at <= '9') {
        if (n < INT_MAX / 16) n = n * 10 + (size_t)(*at - '0');
        at++;
    }
    *count = n;
    return at;
}

/* In a struct, because a va_list may be an array, which can't be passed by its address. */
struct format_arguments {
    va_list list;
};

/* Reads what stands after '%'; returns the place after the conversion's letter. */
static const char *format_read_spec(const char *at, struct format_spec *spec,
                                    struct format_arguments *arguments) {
    *spec = (struct format_spec){.precision = SIZE_MAX};
    for (;; at++) {
        if (*at == '-') spec->left = true;
        else if (*at == '0') spec->zeros = true;
        else break;
    }
    if (*at == '*') {
        int width = va_arg(arguments->list, int);
        spec->left = spec->left || width < 0;
        spec->width = width < 0 ? 0 - (size_t)width : (size_t)width;
        at++;
    } else {
        at = format_read_count(at, &spec->width);
    }
    if (*at == '.' && at[1] == '*') {
        int precision = va_arg(arguments->list, int);
        spec->precision = precision < 0 ? SIZE_MAX : (size_t)precision;
        at += 2;
    } else if (*at == '.') {
        at = format_read_count(at + 1, &spec->precision);
    }
    for (; *at == 'l' || *at == 'z'; at++) spec->longs++;
    spec->conversion = *at;
    return *at == '\0' ? at : at + 1;
}

static unsigned long long format_unsigned(const struct format_spec *spec,
                                          struct format_arguments *arguments) {
    if (spec->longs == 0) return va_arg(arguments->list, unsigned int);
    if (spec->longs == 1) return va_arg(arguments->list, unsigned long);
    return va_arg(arguments->list, unsigned long long);
}

static long long format_signed(const struct format_spec *spec, struct format_arguments *arguments) {
    if (spec->longs == 0) return va_arg(arguments->list, int);
    if (spec->longs == 1) return va_arg(arguments->list, long);
    return va_arg(arguments->list, long long);
}

/* False: not a conversion that is known here. */
static bool format_convert(struct hak_sink *sink, const struct format_spec *spec,
                           struct format_arguments *arguments) {
    char letter;
    switch (spec->conversion) {
    case 's':
        format_put_string(sink, spec, va_arg(arguments->list, const char *));
        return true;
    case 'c':
        letter = (char)va_arg(arguments->list, int);
        format_put_padded(sink, spec, &letter, 1);
        return true;
    case 'd':
        format_put_signed(sink, spec, format_signed(spec, arguments));
        return true;
    case 'u':
        format_put_number(sink, spec, format_unsigned(spec, arguments), 10, "");
        return true;
    case 'x':
        format_put_number(sink, spec, format_unsigned(spec, arguments), 16, "");
        return true;
    case 'p':
        format_put_number(sink, spec, (uintptr_t)va_arg(arguments->list, void *), 16, "0x");
        return true;
    case '%':
        sink->put(sink, "%", 1);
        return true;
    default:
        return false;
    }
}

void hak_format(struct hak_sink *sink, const char *format, va_list list) {
    struct format_arguments arguments;
    va_copy(arguments.list, list);
    for (const char *at = format; *at != '\0';) {
        const char *start = at;
        if (*at != '%') {
            while (*at != '\0' && *at != '%') at++;
            sink->put(sink, start, (size_t)(at - start));
            continue;
        }
        struct format_spec spec;
        at = format_read_spec(at + 1, &spec, &arguments);
        if (!format_convert(sink, &spec, &arguments)) {
            sink->put(sink, start, (size_t)(at - start));
        }
    }
    va_end(arguments.list);
}

struct format_bounded {
    struct hak_sink sink;
    char *out;
    size_t size;
    size_t length;
};

static void format_put_bounded(struct hak_sink *sink, const char *text, size_t length) {
    struct format_bounded *bounded = (struct format_bounded *)sink;
    for (size_t i = 0; i < length; i++, bounded->length++) {
        if (bounded->length + 1 < bounded->size) bounded->out[bounded->length] = text[i];
    }
}

size_t hak_format_text_v(char *out, size_t size, const char *format, va_list arguments) {
    struct format_bounded bounded = {{format_put_bounded}, out, size, 0};
    hak_format(&bounded.sink, format, arguments);
    if (size > 0) out[hak_min_size(bounded.length, size - 1)] = '\0';
    return bounded.length;
}

size_t hak_format_text(char *out, size_t size, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t length = hak_format_text_v(out, size, format, arguments);
    va_end(arguments);
    return length;
}
