/* SPDX-License-Identifier: MIT
 *
 * A text as JSON (RFC 8259).
 */
#ifndef HAK_TOOLS_JSON_H
#define HAK_TOOLS_JSON_H

#include <stdio.h>

/* With its quotes.  Bytes that are not UTF-8 stay as they are: a command line is what it is. */
void json_text(FILE *out, const char *text);

#endif
