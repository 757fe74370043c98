/* SPDX-License-Identifier: MIT
 *
 * One value: text to number and back, by the option's type.  Pure functions.
 */
#ifndef HAK_CONFIG_PARSE_H
#define HAK_CONFIG_PARSE_H

#include "config/table.h"

/* Reads a value.  BOOL: 1 on true yes, 0 off false no.  INT: decimal.  SIZE: decimal, then K, M or
 * G for 1024, 1024^2, 1024^3.  Both: the word for the least value.  WORD: its index.  TEXT: its
 * length; the text itself is not checked.  Returns 0, -EINVAL (not of that type; a TEXT too long)
 * or -ERANGE. */
int hak_parse_value(const struct hak_option *option, struct hak_slice text, int64_t *out);

/* Writes a value as hak_parse_value would read it (not for TEXT), and an option's range. */
void hak_parse_show(const struct hak_option *option, int64_t value, char *out, size_t size);
void hak_parse_show_range(const struct hak_option *option, char *out, size_t size);

#endif
