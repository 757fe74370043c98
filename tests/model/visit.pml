/* SPDX-License-Identifier: MIT
 *
 * Model of heap/visit.c, and of the owner's side of it: hak_heap_set_busy, hak_heap_await
 * (heap/heap.h), the hot path (heap/bin.h, front/fast_path.h), front/open.h, and what slow paths do
 * to magazines and outboxes (heap/bin.c, heap/remote.c).
 *
 * One owner and one visitor; one magazine, of the hot path or above it; one outbox, one slab.  A
 * thread's stores wait in a buffer, and reach memory in their order, at any time (x86-TSO): at the
 * latest when the thread compares and swaps, or when the visitor's barrier comes to it.
 *
 * The owner's calls: malloc; free of an own block, or of another heap's; flushes, and sends what is
 * in its outbox, for reasons of its own.  One that can't do it otherwise enters its slow path.
 *
 * Checked, over all interleavings of single memory accesses:
 *   a block is in one place: in use, in the slab, in the magazine or in the outbox; there is one of
 *   each in the magazine, from its floor to its top, and in the outbox, whenever the owner begins
 *   a slow path, and at the end;
 *   H8  while the visitor is past its first look the owner is inside no slow path;
 *   an owner that waits is woken.
 * Not modelled: fork, signal handlers, other sizes of the magazine's array, borrowed blocks, what
 * is reached in slow paths and visits alone (inbox, slabs), a system without the barrier, and
 * processors that order less than x86 (visit_close's second barrier).
 *
 * Defines break one step each; the model must then find an error:
 *   BUG_BARRIER  no barrier between `visitor` and the look at `busy`
 *   BUG_FENCE    no barrier between closing and the look at what is closed
 *   BUG_ENTER    the owner does not look at `visitor`
 *   BUG_WAKE     the visitor's end is a plain store
 *   BUG_PUSH     the owner stores a top before the slot that it reaches (H7)
 *   BUG_TOP      a magazine of the hot path is closed, too, if its top is at the closed slot
 *   BUG_HELD     one above the hot path is closed then, too, while the heap is held
 *   BUG_LATE     `held` is read after the top
 *   BUG_ORDER    the closed slot is read before the top
 *   BUG_CLOSE    the block is taken out by a store
 *   BUG_RESTORE  the block is put back by a store
 *   BUG_EMPTY    the slots that the visitor has emptied keep their blocks
 *   BUG_OUTBOX   the outbox is sent although the heap is held
 */
#define BLOCKS 5
#define LIMIT  3 /* blocks that the magazine has room for */
#define BOX    3 /* so many are sent */

#ifndef STEPS
#define STEPS 3 /* the owner's calls */
#endif
#ifndef VISITS
#define VISITS 1
#endif
#ifndef WAITING
#define WAITING 4 /* stores that a buffer has room for */
#endif

#define OWNER   0
#define VISITOR 1

/* Memory, by address */
#define TOP     0
#define FLOOR   1
#define HELD    2
#define BUSY    3
#define VISITED 4
#define TO      5           /* the outbox's owner */
#define COUNT   6           /* of blocks in the outbox */
#define IN_BOX  7           /* two of them: the third is sent at once */
#define SLOT    9           /* 0: no block */
#define MEMORY  (SLOT + LIMIT + 1)

typedef buffer {
    byte count;
    byte address[WAITING];
    byte value[WAITING]
}

byte memory[MEMORY];
buffer waiting[2];

/* What the model knows */
mtype = { USED, SLAB, MAGAZINE, OUTBOX };
mtype place[BLOCKS + 1]; /* [0] is unused */
bool is_fast;            /* the magazine is one of the hot path's */
bool slow;               /* the owner is inside a slow path */
bool visiting;           /* the visitor is past its first look */
bool asleep;             /* the owner is in the futex */
byte ended;

/* ---- Memory ---------------------------------------------------------------------------------- */

/* What a thread sees: its own last store, if that still waits.  For use inside of a step. */
inline look(who, at, to) {
    to = memory[at];
    scan = 0;
    do
    :: scan < waiting[who].count ->
        if
        :: waiting[who].address[scan] == (at) -> to = waiting[who].value[scan]
        :: else
        fi;
        scan++
    :: else -> break
    od;
    scan = 0
}

inline load(who, at, to) {
    d_step { look(who, at, to) }
}

inline put(who, at, what) {
    waiting[who].address[waiting[who].count] = at;
    waiting[who].value[waiting[who].count] = what;
    waiting[who].count++
}

inline store(who, at, what) {
    d_step {
        waiting[who].count < WAITING;
        put(who, at, what)
    }
}

inline land(who) {
    memory[waiting[who].address[0]] = waiting[who].value[0];
    scan = 1;
    do
    :: scan < waiting[who].count ->
        waiting[who].address[scan - 1] = waiting[who].address[scan];
        waiting[who].value[scan - 1] = waiting[who].value[scan];
        scan++
    :: else -> break
    od;
    waiting[who].count--;
    waiting[who].address[waiting[who].count] = 0;
    waiting[who].value[waiting[who].count] = 0;
    scan = 0
}

inline fence(who) {
    do
    :: waiting[who].count -> land(who)
    :: else -> break
    od
}

proctype buffers(byte who) {
    byte scan;
endidle:
    do
    :: d_step { waiting[who].count -> land(who) }
    od
}

/* ---- What is checked ------------------------------------------------------------------------- */

/* A block goes from one place to another one. */
inline move(block, from, to) {
    assert(block && place[block] == from);
    place[block] = to
}

/* Is what the owner has the same as what it sees? */
inline check_all() {
    look(OWNER, FLOOR, i);
    look(OWNER, TOP, top);
    assert(i <= top);
    n = 0; /* a bit for each block */
    do
    :: i < top ->
        i++;
        look(OWNER, SLOT + i, b);
        assert(b && place[b] == MAGAZINE && !(n & 1 << b));
        n = n | 1 << b
    :: else -> break
    od;
    look(OWNER, TO, i);
    if
    :: i ->
        look(OWNER, COUNT, i);
        do
        :: i ->
            i--;
            look(OWNER, IN_BOX + i, b);
            assert(b && place[b] == OUTBOX && !(n & 1 << b));
            n = n | 1 << b
        :: else -> break
        od
    :: else
    fi;
    b = 1;
    do
    :: b <= BLOCKS ->
        assert((n >> b & 1) == (place[b] == MAGAZINE || place[b] == OUTBOX));
        b++
    :: else -> break
    od;
    i = 0;
    n = 0;
    b = 0;
    top = 0
}

/* ---- The owner ------------------------------------------------------------------------------- */

/* hak_heap_set_busy, hak_heap_await */
inline enter() {
    store(OWNER, BUSY, 1);
    do
    ::  atomic {
#ifndef BUG_ENTER
            look(OWNER, VISITED, n);
#endif
            if
            :: n -> n = 0
            :: else ->
                slow = true;
                assert(!visiting); /* H8 */
                check_all();
                break
            fi
        }
        atomic { /* the futex: the word is looked at after all that was stored before */
            fence(OWNER);
            asleep = memory[VISITED]
        }
        !asleep
    od
}

inline leave() {
    atomic {
        waiting[OWNER].count < WAITING;
        put(OWNER, BUSY, 0);
        slow = false
    }
}

/* Inside a slow path no other process sees a difference between many steps and one. */

/* hak_bin_pop, hak_bin_refill */
inline slow_take() {
    enter();
    atomic {
        look(OWNER, TOP, top);
        look(OWNER, SLOT + top, b);
        if
        :: b ->
            store(OWNER, TOP, top - 1);
            move(b, MAGAZINE, USED)
        :: else ->
            store(OWNER, FLOOR, 0);
            top = 0;
            n = 1;
            do
            :: n <= BLOCKS && top < LIMIT ->
                if
                :: place[n] == SLAB ->
                    top++;
                    store(OWNER, SLOT + top, n);
                    move(n, SLAB, MAGAZINE);
                    b = n
                :: else
                fi;
                n++
            :: else -> break
            od;
            if
            :: top ->
                top--;
                move(b, MAGAZINE, USED)
            :: else
            fi;
            store(OWNER, TOP, top)
        fi;
        n = 0;
        b = 0;
        top = 0
    }
    leave()
}

/* hak_bin_flush with a bound of one block */
inline slow_flush() {
    enter();
    atomic {
        look(OWNER, TOP, top);
        look(OWNER, FLOOR, n);
        if
        :: n < top ->
            look(OWNER, SLOT + n + 1, b);
            move(b, MAGAZINE, SLAB);
            store(OWNER, FLOOR, n + 1);
            store(OWNER, SLOT + n + 1, 0)
        :: else
        fi;
        n = 0;
        b = 0;
        top = 0
    }
    leave()
}

/* hak_bin_push: bin_spill or bin_settle first, if there is no room */
inline slow_put() {
    enter();
    atomic {
        look(OWNER, TOP, top);
        look(OWNER, FLOOR, n);
        if
        :: top == LIMIT ->
            if
            :: !n -> /* one block less */
                look(OWNER, SLOT + 1, b);
                move(b, MAGAZINE, SLAB);
                n = 1
            :: else -> store(OWNER, FLOOR, 0)
            fi;
            i = 1; /* all others go down, by n */
            do
            :: i + n <= top ->
                look(OWNER, SLOT + i + n, b);
                store(OWNER, SLOT + i, b);
                i++
            :: else -> break
            od;
            top = top - n
        :: else
        fi;
        store(OWNER, SLOT + top + 1, block);
        store(OWNER, TOP, top + 1);
        move(block, USED, MAGAZINE);
        i = 0;
        n = 0;
        b = 0;
        top = 0
    }
    leave()
}

inline send_box() {
    store(OWNER, TO, 0);
    do
    :: n ->
        n--;
        look(OWNER, IN_BOX + n, b);
        move(b, OUTBOX, SLAB)
    :: else -> break
    od;
    b = 0
}

inline slow_send_all() {
    enter();
    atomic {
        look(OWNER, TO, n);
        if
        :: n ->
            look(OWNER, COUNT, n);
            send_box()
        :: else
        fi
    }
    leave()
}

/* hak_remote_free */
inline slow_gather() {
    enter();
    atomic {
        look(OWNER, VISITED, n);
        if
        :: n ->
            move(block, USED, SLAB); /* sent alone */
            n = 0
        :: else ->
            look(OWNER, TO, i);
            if
            :: i -> look(OWNER, COUNT, n)
            :: else -> store(OWNER, TO, 1)
            fi;
            i = 0;
            if
            :: n + 1 < BOX ->
                store(OWNER, IN_BOX + n, block);
                store(OWNER, COUNT, n + 1);
                move(block, USED, OUTBOX);
                n = 0
            :: else ->
                move(block, USED, SLAB);
                send_box()
            fi
        fi
    }
    leave()
}

/* hak_open_hold, hak_open_let_go: the hot path has none */
inline hold() {
    if
    :: !is_fast -> store(OWNER, HELD, 1)
    :: else
    fi
}

inline let_go() {
    if
    :: !is_fast -> store(OWNER, HELD, 0)
    :: else
    fi
}

/* hak_bin_pop_fast, hak_open_take */
inline take() {
    hold();
    load(OWNER, TOP, top);
    load(OWNER, SLOT + top, block);
    if
    :: block -> atomic {
            store(OWNER, TOP, top - 1);
            move(block, MAGAZINE, USED);
            block = 0;
            top = 0
        }
        let_go()
    :: else ->
        top = 0;
        let_go();
        slow_take()
    fi
}

inline any_in_use() {
    if
    :: place[1] == USED -> block = 1
    :: place[2] == USED -> block = 2
    :: place[3] == USED -> block = 3
    :: place[4] == USED -> block = 4
    :: place[5] == USED -> block = 5
    fi
}

/* hak_fast_push, hak_open_put */
inline give_back() {
    hold();
    load(OWNER, TOP, top);
    if
    :: top < LIMIT ->
#ifdef BUG_PUSH
        store(OWNER, TOP, top + 1);
#endif
        atomic {
            store(OWNER, SLOT + top + 1, block);
            move(block, USED, MAGAZINE);
            block = 0
        }
#ifndef BUG_PUSH
        store(OWNER, TOP, top + 1);
#endif
        top = 0;
        let_go()
    :: else ->
        top = 0;
        let_go();
        slow_put();
        block = 0
    fi
}

/* hak_open_gather */
inline gather() {
    store(OWNER, HELD, 1);
    load(OWNER, TO, n);
    if
    :: n -> load(OWNER, COUNT, n)
    :: else -> n = BOX
    fi;
    if
    :: n + 1 < BOX ->
        store(OWNER, IN_BOX + n, block);
        atomic {
            store(OWNER, COUNT, n + 1);
            move(block, USED, OUTBOX);
            block = 0;
            n = 0
        }
        store(OWNER, HELD, 0)
    :: else ->
        n = 0;
        store(OWNER, HELD, 0);
        slow_gather();
        block = 0
    fi
}

proctype owner() {
    byte left = STEPS, top, block, b, n, i, scan;
    do
    :: left ->
        left--;
        if
        :: take()
        :: atomic { any_in_use() } give_back()
        :: atomic { any_in_use() } gather()
        :: slow_flush()
        :: slow_send_all()
        fi
    :: else -> break
    od;
    ended++;
    d_step {
        ended == 2 && !waiting[OWNER].count && !waiting[VISITOR].count;
        check_all()
    }
}

/* ---- The visitor ----------------------------------------------------------------------------- */

inline barrier() {
    d_step {
        fence(VISITOR);
        fence(OWNER)
    }
}

inline compare_and_swap(at, from, to) {
    d_step {
        fence(VISITOR);
        if
        :: memory[at] == (from) -> memory[at] = to
        :: else -> from = 0
        fi
    }
}

/* visit_close_bin */
inline close_bin() {
    load(VISITOR, TOP, closed);
    load(VISITOR, FLOOR, n);
    d_step {
        if
        :: is_fast && closed -> closed--
        :: else
        fi;
        if
        :: closed <= n -> closed = 0
        :: else
        fi;
        n = 0
    }
    if
    :: closed ->
        load(VISITOR, SLOT + closed, block);
        if
        :: block ->
#ifdef BUG_CLOSE
            store(VISITOR, SLOT + closed, 0)
#else
            compare_and_swap(SLOT + closed, block, 0)
#endif
        :: else
        fi
    :: else
    fi;
    d_step {
        if
        :: !block -> closed = 0
        :: else
        fi
    }
}

/* visit_open_bin */
inline open_bin() {
    if
    :: closed ->
#ifdef BUG_RESTORE
        store(VISITOR, SLOT + closed, block);
#else
        compare_and_swap(SLOT + closed, n, block);
#endif
        closed = 0
    :: else
    fi;
    block = 0
}

inline open_outbox() {
    if
    :: box ->
        store(VISITOR, TO, box);
        box = 0
    :: else
    fi
}

/* visit_is_closed; visit_open_unless_closed */
inline look_if_closed() {
    if
    :: closed ->
#ifdef BUG_ORDER
        load(VISITOR, SLOT + closed, b);
#endif
        load(VISITOR, TOP, n);
#ifdef BUG_LATE
        load(VISITOR, HELD, held);
#endif
#ifndef BUG_ORDER
        load(VISITOR, SLOT + closed, b);
#endif
        d_step {
            if
            :: !b && n > closed -> b = 0
#ifdef BUG_TOP
            :: !b && n == closed && is_fast -> b = 0
#endif
#ifdef BUG_HELD
            :: !b && n == closed && !is_fast -> b = 0
#else
            :: !b && n == closed && !is_fast && !held -> b = 0
#endif
            :: else -> b = 1
            fi;
            n = 0
        }
        if
        :: b ->
            b = 0;
            open_bin()
        :: else
        fi
    :: else
    fi
}

/* visit_send */
inline send() {
    load(VISITOR, BUSY, busy);
    if
    :: !busy && box ->
        load(VISITOR, COUNT, n);
        store(VISITOR, TO, 0);
        do
        :: n ->
            n--;
            load(VISITOR, IN_BOX + n, b);
            atomic {
                move(b, OUTBOX, SLAB);
                b = 0
            }
        :: else -> break
        od;
        box = 0
    :: else
    fi
}

/* visit_empty, one block closed a time */
inline empty_bin() {
    do
    :: !busy && closed ->
        load(VISITOR, FLOOR, n);
        if
        :: n + 1 < closed ->
            load(VISITOR, SLOT + n + 1, b);
            atomic {
                move(b, MAGAZINE, SLAB);
                b = 0
            }
#ifndef BUG_EMPTY
            store(VISITOR, SLOT + n + 1, 0);
#endif
            store(VISITOR, FLOOR, n + 1);
            n = 0;
            load(VISITOR, BUSY, busy)
        :: else ->
            n = 0;
            atomic {
                move(block, MAGAZINE, SLAB);
                block = 0
            }
            store(VISITOR, FLOOR, closed);
            closed = 0
        fi
    :: else -> break
    od
}

proctype visitor() {
    byte left = VISITS, closed, block, box, b, n, scan;
    bool busy, held;
    do
    :: left ->
        left--;
        store(VISITOR, VISITED, 1);
#ifndef BUG_BARRIER
        barrier();
#endif
        atomic {
            look(VISITOR, BUSY, busy);
            if
            :: !busy ->
                visiting = true;
                assert(!slow) /* H8 */
            :: else
            fi
        }
        if
        :: !busy ->
            close_bin();
            load(VISITOR, TO, box);
            store(VISITOR, TO, 0);
#ifndef BUG_FENCE
            barrier();
#endif
            load(VISITOR, HELD, held);
#ifndef BUG_OUTBOX
            if
            :: held -> open_outbox()
            :: else
            fi;
#endif
            look_if_closed();
            held = false;
            send();
            if
            :: !busy -> load(VISITOR, BUSY, busy)
            :: else
            fi;
            empty_bin();
            open_bin();
            open_outbox()
        :: else
        fi;
        /* visit_end */
#ifdef BUG_WAKE
        visiting = false;
        store(VISITOR, VISITED, 0);
#else
        d_step {
            fence(VISITOR);
            visiting = false;
            memory[VISITED] = 0
        }
#endif
        load(VISITOR, BUSY, busy);
        if
        :: busy -> asleep = false
        :: else
        fi;
        busy = false
    :: else -> break
    od;
    ended++
}

/* ---- The start ------------------------------------------------------------------------------- */

init {
    atomic {
        if
        :: true -> is_fast = true
        :: true
        fi;
        memory[SLOT + 1] = 1;
        memory[SLOT + 2] = 2;
        memory[TOP] = 2;
        place[1] = MAGAZINE;
        place[2] = MAGAZINE;
        place[3] = USED;
        place[4] = USED;
        place[5] = USED;
        if
        :: true ->
            memory[SLOT + 3] = 3;
            memory[TOP] = 3;
            place[3] = MAGAZINE
        :: true
        fi;
        if
        :: true ->
            memory[TO] = 1;
            memory[IN_BOX] = 4;
            memory[COUNT] = 1;
            place[4] = OUTBOX
        :: true
        fi;
        run buffers(OWNER);
        run buffers(VISITOR);
        run owner();
        run visitor()
    }
}
