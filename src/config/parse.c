/* SPDX-License-Identifier: MIT
 *
 * One small parser a type.  No strtol: it looks at the locale and sets errno.
 */
#include "config/parse.h"

#include "os/format.h"

#include <errno.h>
#include <string.h>

/* The index of the text among the words of "first|second", or -1. */
static int parse_word(const char *words, struct hak_slice text) {
    for (int index = 0;; index++) {
        size_t end = strcspn(words, "|");
        if (end == text.length && memcmp(words, text.start, end) == 0) return index;
        if (words[end] == '\0') return -1;
        words += end + 1;
    }
}

static int parse_bool(struct hak_slice text, int64_t *out) {
    int index = parse_word("0|1|off|on|false|true|no|yes", text);
    if (index < 0) return -EINVAL;
    *out = index & 1;
    return 0;
}

/* Decimal digits, at least one; stops before what is none.  More than an int64_t holds: -ERANGE. */
static int parse_digits(const char **at, const char *end, int64_t *out) {
    int64_t n = 0;
    bool fits = true;
    if (*at == end || **at < '0' || **at > '9') return -EINVAL;
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
        fits = fits && !__builtin_mul_overflow(n, (int64_t)10, &n) &&
               !__builtin_add_overflow(n, (int64_t)(**at - '0'), &n);
    }
    *out = n;
    return fits ? 0 : -ERANGE;
}

static int parse_int(struct hak_slice text, int64_t *out) {
    const char *at = text.start, *end = at + text.length;
    const bool negative = at < end && *at == '-';
    if (negative) at++;
    int result = parse_digits(&at, end, out);
    if (at != end) return -EINVAL;
    if (negative) *out = -*out;
    return result;
}

static int parse_size(struct hak_slice text, int64_t *out) {
    const char *at = text.start, *end = at + text.length;
    int result = parse_digits(&at, end, out);
    int64_t unit = 1;
    if (at < end) {
        const char letter = *at++;
        if (letter == 'K' || letter == 'k') unit = (int64_t)1 << 10;
        else if (letter == 'M' || letter == 'm') unit = (int64_t)1 << 20;
        else if (letter == 'G' || letter == 'g') unit = (int64_t)1 << 30;
        else return -EINVAL;
    }
    if (at != end) return -EINVAL;
    if (result == 0 && __builtin_mul_overflow(*out, unit, out)) return -ERANGE;
    return result;
}

/* Is this the word that stands for the least value? */
static bool parse_is_least(const struct hak_option *option, struct hak_slice text) {
    return (option->type == HAK_OPTION_INT || option->type == HAK_OPTION_SIZE) && option->words &&
           parse_word(option->words, text) == 0;
}

int hak_parse_value(const struct hak_option *option, struct hak_slice text, int64_t *out) {
    int64_t value = 0;
    int result = 0;
    if (parse_is_least(option, text)) {
        *out = option->least;
        return 0;
    }
    switch (option->type) {
    case HAK_OPTION_BOOL:
        result = parse_bool(text, &value);
        break;
    case HAK_OPTION_INT:
        result = parse_int(text, &value);
        break;
    case HAK_OPTION_SIZE:
        result = parse_size(text, &value);
        break;
    case HAK_OPTION_WORD:
        value = parse_word(option->words, text);
        if (value < 0) result = -EINVAL;
        break;
    case HAK_OPTION_TEXT:
        if (text.length >= HAK_OPTION_TEXT_BYTES) return -EINVAL;
        *out = (int64_t)text.length;
        return 0;
    }
    if (result != 0) return result;
    if (value < option->least || value > option->most) return -ERANGE;
    *out = value;
    return 0;
}

static void parse_show_size(int64_t value, char *out, size_t size) {
    static const char units[] = "KMG";
    int unit = -1;
    while (unit < 2 && value != 0 && value % 1024 == 0) {
        value /= 1024;
        unit++;
    }
    hak_format_text(out, size, "%lld%.*s", (long long)value, unit < 0 ? 0 : 1,
                    unit < 0 ? "" : units + unit);
}

static void parse_show_word(const char *words, int64_t index, char *out, size_t size) {
    for (; index > 0; index--) words += strcspn(words, "|") + 1;
    hak_format_text(out, size, "%.*s", (int)strcspn(words, "|"), words);
}

void hak_parse_show(const struct hak_option *option, int64_t value, char *out, size_t size) {
    if (option->type == HAK_OPTION_WORD) parse_show_word(option->words, value, out, size);
    else if (option->words && value == option->least) parse_show_word(option->words, 0, out, size);
    else if (option->type == HAK_OPTION_SIZE) parse_show_size(value, out, size);
    else hak_format_text(out, size, "%lld", (long long)value);
}

void hak_parse_show_range(const struct hak_option *option, char *out, size_t size) {
    char least[24], most[24];
    switch (option->type) {
    case HAK_OPTION_BOOL:
        hak_format_text(out, size, "0 or 1");
        break;
    case HAK_OPTION_WORD:
        hak_format_text(out, size, "%s", option->words);
        break;
    case HAK_OPTION_TEXT:
        hak_format_text(out, size, "at most %d bytes", HAK_OPTION_TEXT_BYTES - 1);
        break;
    default:
        hak_parse_show(option, option->least + (option->words != NULL), least, sizeof least);
        hak_parse_show(option, option->most, most, sizeof most);
        hak_format_text(out, size, "%s%s%s to %s", option->words ? option->words : "",
                        option->words ? ", or " : "", least, most);
    }
}
