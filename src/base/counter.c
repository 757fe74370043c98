/* SPDX-License-Identifier: MIT
 *
 * The one instance of the counter table.
 */
#include "base/counter.h"

struct hak_counters hak_counters;
