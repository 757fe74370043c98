/* SPDX-License-Identifier: MIT
 *
 * The table of sites as a file.
 *
 *   hakmem sites 1                 the format's version
 *   site ADDRESS NAME=VALUE ...    one a line, those in use
 *   map LINE                       of /proc/self/maps, those of files: where the addresses belong
 *   end                            so that a file that was cut off is known
 *
 * Numbers are decimal, addresses and what is in a map line hexadecimal; lists are separated by
 * commas.  The names are those of struct hak_site and struct hak_site_large.
 */
#ifndef HAK_OBSERVE_SITE_FILE_H
#define HAK_OBSERVE_SITE_FILE_H

#define HAK_SITE_FILE_MAGIC "hakmem sites 1"

/* What the option sites_file asks for, at the end of the process. */
void hak_site_file_at_exit(void);

#endif
