/* SPDX-License-Identifier: MIT
 *
 * Model of heap/registry.c and of the fork in heap/adopt.c: the mask of parked heaps, the count of
 * its set bits, and how a forked child parks the heaps of the threads that it does not have.
 *
 * Threads begin with any parked heap or a new one, claim single parked heaps for a while and park
 * them again, and park their own heap when they end.  A set bit says that nobody has the heap;
 * one atomic step that clears it takes the heap, so that a heap which is parked again and again
 * (ABA) can't be taken twice. The count is an estimate that lets a search end early.
 *
 * FORK: a process of two threads, one of which forks at any moment; the other, wherever it is then,
 * is not in the child.  There a new thread attaches and claims heaps before, while and after the
 * one that forked parks the lost heaps.
 *
 * Checked, over all interleavings of single memory accesses:
 *   H4  a claim finds no holder, and only the holder parks;
 *   the count is never less than the number of set bits (a search that ends early overlooks
 *   nothing that was parked before), never negative, and exact at the end;
 *   there are never more heaps than threads that have run at once, and claims for a while;
 *   FORK: no heap that a thread of the child has is parked by another, no lost one is forgotten; a
 *   count that was cut off by the fork is too high, never too low.
 * Not modelled: further words of the mask, a fork in a signal handler, torn heaps, and memory order
 * (all accesses here are in one order).
 *
 * Defines break one step each; the model must then find an error:
 *   BUG_CLAIM  the mask is read and then stored without the bit
 *   BUG_PARK   the mask is read and then stored with the bit
 *   BUG_COUNT  the count is raised after the bit is set
 * and with FORK
 *   BUG_PROCESS  a claim stores for which process it is after the bit is cleared
 *   BUG_ORPHAN   whose a heap is is read before whether it is parked
 *   BUG_SORT     any thread of the child looks for lost heaps, not only the one that forked
 */
#define HEAPS   6
#define THREADS 3
#define NOBODY  0
#define LOST    99 /* whoever had it is not in the child */
#define NONE    HEAPS

#ifndef STEPS
#define STEPS 2 /* lives of the first thread: the other two live twice */
#endif

/* Shared memory of the engine */
byte mask;
short count;
byte heaps_made;
bit process[HEAPS];  /* FORK: heap->process */
bit generation;      /* FORK: hak_fork_generation of this process */
bool pending;        /* FORK: hak_fork_pending */

/* What the model knows */
byte holder[HEAPS];
byte threads_left = THREADS;
byte parent_only;    /* FORK: the thread that the child does not have */

#define BIT(m, n) (((m) >> (n)) & 1)
#define BITS(m)   (BIT(m, 0) + BIT(m, 1) + BIT(m, 2) + BIT(m, 3) + BIT(m, 4) + BIT(m, 5))
#define COUNT_IS_RIGHT assert(count >= BITS(mask))

/* hak_registry_park */
inline park(heap) {
#ifdef BUG_COUNT
    d_step {
        assert(holder[heap] == _pid);
        holder[heap] = NOBODY;
        mask = mask | (1 << heap)
    }
    d_step {
        count++;
        COUNT_IS_RIGHT
    }
#else
    count++;
#ifdef BUG_PARK
    seen = mask;
#endif
    d_step {
        assert(holder[heap] == _pid);
        holder[heap] = NOBODY;
#ifdef BUG_PARK
        mask = seen | (1 << heap);
#else
        mask = mask | (1 << heap);
#endif
        COUNT_IS_RIGHT
    }
#endif
}

/* registry_clear */
inline clear(heap, got) {
#if defined(FORK) && !defined(BUG_PROCESS)
    process[heap] = generation;
#endif
#ifdef BUG_CLAIM
    seen = mask;
    got = (seen >> heap) & 1;
    mask = seen & ~(1 << heap);
    d_step {
        if
        :: got ->
            assert(holder[heap] == NOBODY); /* H4 */
            holder[heap] = _pid
        :: else
        fi
    }
#else
    d_step {
        got = (mask >> heap) & 1;
        mask = mask & ~(1 << heap);
        if
        :: got ->
            assert(holder[heap] == NOBODY); /* H4 */
            holder[heap] = _pid
        :: else
        fi
    }
#endif
#if defined(FORK) && defined(BUG_PROCESS)
    if
    :: got -> process[heap] = generation
    :: else
    fi;
#endif
    if
    :: got -> d_step {
            assert(count > 0);
            count--;
            COUNT_IS_RIGHT
        }
    :: else
    fi
}

/* hak_registry_claim_any; heap = NONE: there is none */
inline claim_any(heap, got) {
    got = false;
    heap = NONE;
    if
    :: count == 0 -> skip
    :: else ->
        do
        :: seen = mask;
            if
            :: seen == 0 -> break
            :: else ->
                d_step {
                    heap = 0;
                    do
                    :: !((seen >> heap) & 1) -> heap++
                    :: else -> break
                    od;
                    seen = 0
                }
                clear(heap, got);
                if
                :: got -> break
                :: else -> heap = NONE
                fi
            fi
        od
    fi
}

/* hak_heap_make and hak_registry_add */
inline make(heap) {
    d_step {
        assert(heaps_made < HEAPS);
        heap = heaps_made;
        heaps_made++;
        process[heap] = generation;
        holder[heap] = _pid
    }
}

/* hak_thread_heap_attach */
inline attach(mine) {
    claim_any(mine, got);
    if
    :: mine == NONE -> make(mine)
    :: else
    fi
}

inline visit_others() {
    if
    :: /* hak_adopt_slab_for */
        claim_any(other, got);
        if
        :: other != NONE -> park(other)
        :: else
        fi
    :: /* hak_adopt_relieve */
        other = 0;
        if
        :: (mask >> other) & 1 ->
            clear(other, got);
            if
            :: got -> park(other)
            :: else
            fi
        :: else
        fi
    :: true
    fi
}

inline forget() { /* fewer states */
    d_step {
        mine = 0;
        other = 0;
        seen = 0;
        got = false
    }
}

proctype Thread(byte lives) {
    byte mine, other, seen;
    bool got;
    do
    :: lives > 0 ->
        lives--;
        attach(mine);
        visit_others();
        park(mine);
        forget()
    :: else -> break
    od;
    threads_left--
}

#ifdef FORK
/* adopt_is_orphan */
inline is_orphan(heap, out) {
#ifdef BUG_ORPHAN
    out = process[heap] != generation;
    out = out && !((mask >> heap) & 1)
#else
    out = !((mask >> heap) & 1);
    if
    :: out -> out = process[heap] != generation
    :: else
    fi
#endif
}

/* hak_adopt_after_fork; mine: the thread's own heap, or NONE; first: hak_thread_is_first.  What it
 * does to an orphan (adopt_judge, then hak_registry_park) needs that nobody has it. */
inline after_fork(mine, first) {
    got = pending && (mine == NONE -> first : process[mine] != generation);
    if
    :: got ->
        d_step { /* hak_fork_begin */
            got = pending;
            pending = false
        }
    :: else
    fi;
    if
    :: got ->
        if
        :: mine != NONE -> process[mine] = generation
        :: else
        fi;
        seen = heaps_made;
        other = 0;
        do
        :: other == seen -> break
        :: else ->
            is_orphan(other, got);
            if
            :: got -> assert(holder[other] == LOST)
            :: else
            fi;
            other++
        od;
        other = 0;
        do
        :: other == seen -> break
        :: else ->
            is_orphan(other, got);
            if
            :: got ->
                count++;
                d_step {
                    assert(holder[other] == LOST);
                    holder[other] = NOBODY;
                    mask = mask | (1 << other);
                    COUNT_IS_RIGHT
                }
            :: else
            fi;
            other++
        od
    :: else
    fi;
    atomic {
        other = 0;
        seen = 0;
        got = false
    }
}

/* The thread that forks, with a heap of its own or before it has one. */
proctype Forker() {
    byte mine = NONE, other, seen;
    bool got;
    if
    :: attach(mine)
    :: true
    fi;
    d_step {
        generation = 1;
        pending = true;
        for (seen : 0 .. HEAPS - 1) {
            if
            :: holder[seen] == parent_only -> holder[seen] = LOST
            :: else
            fi
        }
        seen = 0
    }
    after_fork(mine, true);
    if
    :: mine == NONE -> attach(mine)
    :: else
    fi;
    visit_others();
    park(mine);
    forget();
    threads_left--
}

/* Ends where it is when the process is forked: not in the child. */
proctype ParentThread() {
    byte mine, other, seen;
    bool got;
    {
        attach(mine);
        visit_others();
        park(mine);
        attach(mine);
        generation == 1
    } unless { generation == 1 };
    forget();
    threads_left--
}

/* Comes after the fork. */
proctype ChildThread() {
    byte mine = NONE, other, seen;
    bool got;
    generation == 1;
#ifdef BUG_SORT
    after_fork(mine, true);
#else
    after_fork(mine, false);
#endif
    attach(mine);
    visit_others();
    park(mine);
    forget();
    threads_left--
}
#endif

/* When all threads have ended. */
proctype Judge() {
    threads_left == 0;
#ifdef FORK
    assert(count <= BITS(mask) + 1);
#else
    assert(count == BITS(mask));
#endif
    assert(mask == (1 << heaps_made) - 1)
}

init {
    atomic {
#ifdef FORK
        if
        :: true
        :: heaps_made = 1; /* one that is parked already */
            mask = 1;
            count = 1
        fi;
        run Forker();
        parent_only = run ParentThread();
        run ChildThread();
#else
        run Thread(STEPS);
        run Thread(2);
        run Thread(2);
#endif
        run Judge()
    }
}
