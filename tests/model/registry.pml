/* SPDX-License-Identifier: MIT
 *
 * Model of heap/registry.c: the mask of parked heaps and the count of its set bits.
 *
 * Threads begin with any parked heap or a new one, claim single parked heaps for a while and park
 * them again, and park their own heap when they end.  A set bit says that nobody has the heap;
 * one atomic step that clears it takes the heap, so that a heap which is parked again and again
 * (ABA) can't be taken twice. The count is an estimate that lets a search end early.
 *
 * Checked, over all interleavings of single memory accesses:
 *   H4  a claim finds no holder, and only the holder parks;
 *   the count is never less than the number of set bits (a search that ends early overlooks
 *   nothing that was parked before), never negative, and exact at the end;
 *   there are never more heaps than threads that have run at once, and claims for a while.
 * Not modelled: further words of the mask, fork, and memory order (all accesses here are in one
 * order).
 *
 * Defines break one step each; the model must then find an error:
 *   BUG_CLAIM  the mask is read and then stored without the bit
 *   BUG_PARK   the mask is read and then stored with the bit
 *   BUG_COUNT  the count is raised after the bit is set
 */
#define HEAPS   6
#define THREADS 3
#define NOBODY  0
#define NONE    HEAPS

#ifndef STEPS
#define STEPS 2 /* lives of the first thread: the other two live twice */
#endif

/* Shared memory of the engine */
byte mask;
short count;
byte heaps_made;

/* What the model knows */
byte holder[HEAPS];
byte threads_left = THREADS;

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
        holder[heap] = _pid
    }
}

proctype Thread(byte lives) {
    byte mine, other, seen;
    bool got;
    do
    :: lives > 0 ->
        lives--;
        claim_any(mine, got);
        if
        :: mine == NONE -> make(mine)
        :: else
        fi;
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
        fi;
        park(mine);
        d_step {
            mine = 0;
            other = 0;
            seen = 0;
            got = false
        }
    :: else -> break
    od;
    threads_left--
}

/* When all threads have ended. */
proctype Judge() {
    threads_left == 0;
    assert(count == BITS(mask) && mask == (1 << heaps_made) - 1)
}

init {
    atomic {
        run Thread(STEPS);
        run Thread(2);
        run Thread(2);
        run Judge()
    }
}
