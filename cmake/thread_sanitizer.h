/* SPDX-License-Identifier: MIT
 *
 * Included first in every C file of a thread sanitizer build.
 *
 * The sanitizer's run-time drops what it knows of a thread in the last round of pthread key
 * destructors, at a moment that depends on which key is older; an instrumented atomic step after
 * that ends the process.  So we and our tests count on one round less.
 */
#ifndef HAK_CMAKE_THREAD_SANITIZER_H
#define HAK_CMAKE_THREAD_SANITIZER_H

#include <limits.h>

#undef PTHREAD_DESTRUCTOR_ITERATIONS
#define PTHREAD_DESTRUCTOR_ITERATIONS 3

#endif
