/* SPDX-License-Identifier: MIT
 *
 * Model of heap/remote.c and heap/adopt.c: blocks freed by others, parked heaps, adoption of slabs.
 *
 * Threads hold heaps.  They allocate blocks of their heap, free any live block (their own at
 * once, others' by pushing it to the inbox of the owner that its tag named), drain their inbox
 * one block at a time, relieve and raid parked heaps, and in the end park their heap.  Where the
 * engine decides by a size or a clock (when to drain, to relieve, to raid), the model takes both
 * ways.
 *
 * Checked, over all interleavings of single memory accesses:
 *   H1  a drained block goes into the bin of the heap that its slab's tag names;
 *   H2  a tag changes only while the old owner is held; a private list is its holder's;
 *   H4  a heap has one holder: a claim finds none;
 *   no block is in two places, or in none: at the end, when every parked heap has been collected,
 *   each block that is not live is in a bin.
 * Not modelled: chains of more than two blocks, and memory order (all accesses here are in one
 * order).
 *
 * Defines break one step each; the model must then find an error:
 *   BUG_PUSH      the head of the inbox is stored, not compared and swapped
 *   BUG_TAKE      the inbox is read and then cleared, not exchanged
 *   BUG_CLAIM     the parked bit is read and then cleared
 *   BUG_FORWARD   a drained block is kept although its slab has a new owner
 *   BUG_PARK      the heap is parked before its last drain
 */
#define HEAPS   3
#define BLOCKS  3
#define SLABS   2
#define NIL     15
#define NOBODY  15

#ifndef STEPS
#define STEPS 2 /* of the two threads that have a heap from the start */
#endif
#ifndef LATE_STEPS
#define LATE_STEPS 1 /* of the one that comes later */
#endif

#define SLAB_OF(b) ((b) / 2)

/* Shared memory of the engine */
byte inbox[HEAPS];    /* first block, or NIL */
byte next_of[BLOCKS]; /* link of a block on its way */
byte tag[SLABS];      /* owner of the slab */
bool parked[HEAPS];

/* Private to the holder of the heap */
byte pending[HEAPS];

/* What the model knows */
byte holder[HEAPS];
mtype = { LIVE, BUSY, SENT, BIN };
mtype place[BLOCKS];
byte bin_of[BLOCKS];
bool heap_made[HEAPS];
byte threads_left;

inline claim(heap, got) {
#ifdef BUG_CLAIM
    got = parked[heap];
    parked[heap] = false;
#else
    atomic {
        got = parked[heap];
        parked[heap] = false;
    }
#endif
    if
    :: got -> atomic {
            assert(holder[heap] == NOBODY); /* H4 */
            holder[heap] = _pid;
        }
    :: else
    fi
}

inline release(heap) {
    atomic {
        assert(holder[heap] == _pid);
        holder[heap] = NOBODY;
        parked[heap] = true;
    }
}

/* remote_push */
inline push(heap, head, tail) {
    first = inbox[heap];
    do
    :: next_of[tail] = first;
#ifdef BUG_PUSH
        inbox[heap] = head;
        break
#else
        atomic {
            if
            :: inbox[heap] == first ->
                inbox[heap] = head;
                break
            :: else -> first = inbox[heap]
            fi
        }
#endif
    od
}

/* hak_remote_drain with a bound of one block */
inline drain(heap) {
    assert(holder[heap] == _pid); /* H2 */
    if
    :: pending[heap] == NIL ->
#ifdef BUG_TAKE
        pending[heap] = inbox[heap];
        inbox[heap] = NIL;
#else
        atomic {
            pending[heap] = inbox[heap];
            inbox[heap] = NIL;
        }
#endif
    :: else
    fi;
    if
    :: pending[heap] != NIL ->
        drained = pending[heap];
        pending[heap] = next_of[drained];
        owner = tag[SLAB_OF(drained)];
        atomic {
            assert(place[drained] == SENT);
#ifdef BUG_FORWARD
            owner = heap;
#endif
            if
            :: owner == heap ->
                assert(tag[SLAB_OF(drained)] == heap); /* H1 */
                place[drained] = BIN;
                bin_of[drained] = heap
            :: else
            fi
        }
        if
        :: owner != heap -> push(owner, drained, drained)
        :: else
        fi
    :: else
    fi
}

/* hak_adopt_relieve */
inline relieve(heap) {
    claim(heap, got);
    if
    :: got ->
        drain(heap);
        release(heap)
    :: else
    fi
}

/* A free of a live block: the tag is read when the block is freed, the push comes later. */
inline free_block(mine) {
    block = NIL;
    atomic {
        if
        :: place[0] == LIVE -> block = 0
        :: place[1] == LIVE -> block = 1
        :: place[2] == LIVE -> block = 2
        :: else
        fi;
        if
        :: block != NIL -> place[block] = BUSY
        :: else
        fi
    }
    if
    :: block != NIL ->
        to = tag[SLAB_OF(block)];
        if
        :: to == mine -> atomic {
                assert(holder[mine] == _pid && tag[SLAB_OF(block)] == mine);
                place[block] = BIN;
                bin_of[block] = mine
            }
        :: else ->
            more = NIL;
            atomic { /* now and then two blocks of one owner go as a chain */
                place[block] = SENT;
                if
                :: block == 0 && place[1] == LIVE ->
                    place[1] = SENT;
                    next_of[0] = 1;
                    more = 1
                :: true
                fi
            }
            if
            :: more != NIL -> push(to, block, more)
            :: else -> push(to, block, block)
            fi;
            if
            :: relieve(to)
            :: true
            fi
        fi
    :: else
    fi
}

inline allocate(mine) {
    atomic {
        if
        :: place[0] == BIN && bin_of[0] == mine -> place[0] = LIVE
        :: place[1] == BIN && bin_of[1] == mine -> place[1] = LIVE
        :: place[2] == BIN && bin_of[2] == mine -> place[2] = LIVE
        :: else
        fi
    }
}

/* hak_adopt_slab_for: the blocks in the old owner's bin go back to the slab, and with it */
inline raid(mine, from, slab) {
    claim(from, got);
    if
    :: got ->
        drain(from);
        if
        :: tag[slab] == from -> atomic {
                assert(holder[from] == _pid && holder[mine] == _pid); /* H2 */
                tag[slab] = mine;
                for (other : 0 .. BLOCKS - 1) {
                    if
                    :: SLAB_OF(other) == slab && place[other] == BIN ->
                        assert(bin_of[other] == from);
                        bin_of[other] = mine
                    :: else
                    fi
                }
            }
        :: else
        fi;
        release(from)
    :: else
    fi
}

/* hak_adopt_heap, or a new heap */
inline attach(mine) {
    mine = 0;
    got = false;
    do
    :: mine < HEAPS && !got ->
        claim(mine, got);
        if
        :: !got -> mine++
        :: else
        fi
    :: else -> break
    od;
    if
    :: !got -> atomic {
            mine = 0;
            do
            :: heap_made[mine] -> mine++
            :: else -> break
            od;
            assert(mine < HEAPS);
            heap_made[mine] = true;
            holder[mine] = _pid
        }
    :: else
    fi
}

proctype Thread(byte given; byte left) {
    byte mine = given, block, more, first, drained, owner, to, other;
    bool got;
    if
    :: given == NOBODY -> attach(mine)
    :: else
    fi;
    do
    :: left > 0 ->
        left--;
        if
        :: drain(mine)
        :: allocate(mine)
        :: free_block(mine)
        :: mine != 0 -> raid(mine, 0, 0)
        :: mine != 1 -> raid(mine, 1, 1)
        fi
    :: else -> break
    od;
    /* hak_adopt_park */
#ifdef BUG_PARK
    release(mine);
    drain(mine);
#else
    drain(mine);
    release(mine);
#endif
    threads_left--
}

/* When all threads have ended: what hak_collect does, until nothing is on its way. */
proctype Collector() {
    byte heap, first, drained, owner, block;
    bool got;
    threads_left == 0;
    do
    :: atomic {
            heap = 0;
            do
            :: heap < HEAPS && (inbox[heap] == NIL && pending[heap] == NIL) -> heap++
            :: else -> break
            od
        }
        if
        :: heap == HEAPS -> break
        :: else
        fi;
        claim(heap, got);
        assert(got); /* every heap with blocks in its inbox is parked by now */
        drain(heap);
        release(heap)
    od;
    for (block : 0 .. BLOCKS - 1) {
        assert(place[block] == LIVE ||
               (place[block] == BIN && bin_of[block] == tag[SLAB_OF(block)]))
    }
}

init {
    byte i;
    atomic {
        for (i : 0 .. HEAPS - 1) {
            inbox[i] = NIL;
            pending[i] = NIL;
            holder[i] = NOBODY
        }
        heap_made[0] = true;
        heap_made[1] = true;
        for (i : 0 .. BLOCKS - 1) {
            place[i] = LIVE
        }
        tag[1] = 1; /* slab 0 belongs to heap 0, slab 1 to heap 1 */
        threads_left = 3;
        holder[0] = 1; /* the process numbers of the threads: 1, 2, 3 */
        holder[1] = 2;
        run Thread(0, STEPS);
        run Thread(1, STEPS);
        run Thread(NOBODY, LATE_STEPS);
        run Collector()
    }
}
