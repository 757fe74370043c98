/* SPDX-License-Identifier: MIT
 *
 * The calling thread's heap: made at its first slow path, parked when the thread ends.
 */
#ifndef HAK_HEAP_THREAD_HEAP_H
#define HAK_HEAP_THREAD_HEAP_H

#include "heap/heap.h"

/* Called, if set, by a thread that has left its heap, with the number of threads that have one.  A
 * thread whose end libc does not tell keeps its own.  atomic, relaxed */
extern _Atomic(void (*)(uint32_t heaps)) hak_thread_heap_left;

/* Gives the thread a heap, in state HAK_TLS_NEW or HAK_TLS_EXITED.  False: no memory for one. */
bool hak_thread_heap_attach(struct hak_tls *tls);

/* Parks the thread's heap; the thread is in state HAK_TLS_EXITED then. */
void hak_thread_heap_detach(struct hak_tls *tls);

#endif
