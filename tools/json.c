/* SPDX-License-Identifier: MIT
 *
 * Header: json.h.
 */
#include "json.h"

void json_text(FILE *out, const char *text) {
    fputc('"', out);
    for (; *text != '\0'; text++) {
        const unsigned char letter = (unsigned char)*text;
        if (letter == '"' || letter == '\\') fprintf(out, "\\%c", letter);
        else if (letter < 0x20) fprintf(out, "\\u%04x", letter);
        else fputc(letter, out);
    }
    fputc('"', out);
}
