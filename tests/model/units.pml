/* SPDX-License-Identifier: MIT
 *
 * Model of span/superslab.c and span/region.c: units and superslabs claimed and given back
 * without locks.
 *
 * One region of one or two superslabs of two units.  Threads claim runs of units (in a superslab
 * that is in pieces, or a fresh one), write to them, and give them back or keep them; claim a
 * whole superslab for a huge block; purge free units and free superslabs; unmap the region when
 * it is free as a whole and map it again with another size.
 *
 * Checked, over all interleavings of single memory accesses:
 *   S2, S3  a claim finds units that nobody has, a whole superslab none of whose units anybody has;
 *   S4  a unit whose dirty bit is clear, read after the claim, reads as zeros;
 *   R1  nobody has a unit of a region that is being unmapped;
 *   at the end a superslab without a unit in use has been found empty and is free in the region;
 *   one in pieces with a free unit is hinted at in partial_slots, one with a free dirty unit in
 *   dirty_slots.
 * Not modelled: further regions, and memory order (all accesses here are in one order).
 *
 * REGIONS: whole superslabs are claimed and purged, and the region is unmapped and made anew,
 * instead of units purged.  Both together are more states than a test can visit.
 *
 * Other defines break one step each; the model must then find an error:
 *   BUG_CLAIM     free_units is read and then stored, not compared and swapped
 *   BUG_EMPTY     a superslab seen full of free units is taken by a store
 *   BUG_HIDE      a hint is cleared without looking again
 *   BUG_DIRTY     dirty bits are set after the units are given back
 *   BUG_HINT      what is dirty is hinted at before it is free, not after
 *   BUG_FRESH     the rest of a fresh superslab that is dirty is not hinted at
 *   BUG_RESIZED   the size of a region is not looked at again when its slots are claimed
 */
#ifdef REGIONS
#define SLOTS   2
#else
#define SLOTS   1
#endif
#define FULL    3
#define THREADS 3

/* How many things the first thread does, and each of the other two. */
#ifndef STEPS
#define STEPS 2
#endif
#ifndef OTHER_STEPS
#define OTHER_STEPS 1
#endif

#define ALL(n) ((1 << (n)) - 1)

/* Shared memory of the engine */
byte free_slots, partial_slots, dirty_slots, slots;
bool retired;
byte free_units[SLOTS], dirty_units[SLOTS];

/* What the model knows */
byte owned[SLOTS];   /* units that some thread has */
byte written[SLOTS]; /* units that do not read as zeros */
byte threads_left;

/* Takes units, which nobody must have, or gives them up: no step of the engine, but part of one. */
inline own(s, units) {
    assert(!(owned[s] & units));
    owned[s] = owned[s] | units
}

inline disown(s, units) {
    assert((owned[s] & units) == units);
    owned[s] = owned[s] & ~units
}

/* The lowest `want` units in a row in a mask, or 0. */
inline find_run(mask, want, out) {
    if
    :: want == 1 && (mask & 1) -> out = 1
    :: want == 1 && mask == 2 -> out = 2
    :: want == 2 && mask == FULL -> out = FULL
    :: else -> out = 0
    fi
}

/* superslab_hide */
inline hide(s) {
    partial_slots = partial_slots & ~(1 << s);
#ifndef BUG_HIDE
    if
    :: free_units[s] != 0 -> partial_slots = partial_slots | (1 << s)
    :: else
    fi
#endif
}

/* superslab_try; units: what was claimed, or 0 */
inline try(s, want, units) {
    seen = free_units[s];
    do
    :: d_step { find_run(seen, want, units) }
        if
        :: units == 0 ->
            if
            :: seen == 0 -> hide(s)
            :: else
            fi;
            break
        :: else
        fi;
#ifdef BUG_CLAIM
        d_step {
            left = seen & ~units;
            own(s, units)
        }
        free_units[s] = left;
        break
#else
        d_step {
            if
            :: free_units[s] == seen ->
                left = seen & ~units;
                free_units[s] = left;
                own(s, units);
                taken = true
            :: else ->
                seen = free_units[s];
                taken = false
            fi
        }
        if
        :: taken ->
            if
            :: left == 0 -> hide(s)
            :: else
            fi;
            break
        :: else
        fi
#endif
    od
}

/* region_try for one slot: slot = SLOTS if there is none */
inline claim_slot(slot) {
    d_step {
        if
        :: free_slots & 1 -> slot = 0
        :: free_slots == 2 -> slot = 1
        :: else -> slot = SLOTS
        fi;
        if
        :: slot < SLOTS ->
            free_slots = free_slots & ~(1 << slot);
            own(slot, FULL)
        :: else
        fi
    }
}

/* region_create, in the descriptor of a retired region: slot 0, or SLOTS if the region is in use */
inline create_region(slot) {
    d_step {
        taken = retired;
        retired = false
    }
    if
    :: taken ->
        if
        :: slots = 1
        :: slots = SLOTS
        fi;
        d_step {
            for (slot : 0 .. SLOTS - 1) {
                written[slot] = 0; /* fresh pages */
                dirty_units[slot] = 0
            }
            slot = 0;
            own(0, FULL)
        }
        free_slots = ALL(slots) & ~1
    :: else -> slot = SLOTS
    fi
}

/* Says that there is something to purge, after it has become free: a purge that clears the hint and
 * finds it claimed would forget it. */
inline hint_dirty(slot) {
#ifdef REGIONS
    skip
#else
    dirty_slots = dirty_slots | (1 << slot)
#endif
}

/* hak_region_release */
inline release_slot(slot) {
    hints = dirty_units[slot];
#ifdef BUG_HINT
    if
    :: hints -> hint_dirty(slot)
    :: else
    fi;
#endif
    d_step {
        disown(slot, FULL);
        free_slots = free_slots | (1 << slot)
    }
#ifndef BUG_HINT
    if
    :: hints -> hint_dirty(slot)
    :: else
    fi
#endif
}

/* superslab_give */
inline give(s, units) {
    d_step {
        before = free_units[s];
        disown(s, units);
        free_units[s] = before | units
    }
    taken = false;
    if
    :: (before | units) == FULL ->
#ifdef BUG_EMPTY
        d_step {
            free_units[s] = 0;
            own(s, FULL);
            taken = true
        }
#else
        d_step {
            if
            :: free_units[s] == FULL ->
                free_units[s] = 0;
                own(s, FULL);
                taken = true
            :: else
            fi
        }
#endif
    :: else
    fi;
    if
    :: taken ->
        partial_slots = partial_slots & ~(1 << s);
        release_slot(s)
    :: else ->
        if
        :: !(partial_slots & (1 << s)) -> partial_slots = partial_slots | (1 << s)
        :: else
        fi
    fi
}

/* hak_superslab_claim; units = 0: no memory */
inline claim_units(slot, units, want) {
    units = 0;
    hints = partial_slots;
    slot = 0;
    do
    :: slot < SLOTS && units == 0 ->
        if
        :: hints & (1 << slot) -> try(slot, want, units)
        :: else
        fi;
        if
        :: units == 0 -> slot++
        :: else
        fi
    :: else -> break
    od;
    if
    :: units == 0 ->
        claim_slot(slot);
        if
        :: slot == SLOTS -> create_region(slot)
        :: else
        fi;
        if
        :: slot < SLOTS ->
            units = ALL(want);
            d_step {
                left = FULL & ~units;
                disown(slot, left);
                free_units[slot] = left
            }
            if
            :: left != 0 -> partial_slots = partial_slots | (1 << slot)
            :: else
            fi;
#ifndef BUG_FRESH
            if
            :: left & dirty_units[slot] -> hint_dirty(slot)
            :: else
            fi
#endif
        :: else
        fi
    :: else
    fi
}

inline use_units() {
    if
    :: want = 1
#ifndef REGIONS
    :: want = 2
#endif
    fi;
    claim_units(slot, units, want);
    if
    :: units != 0 ->
        was_dirty = dirty_units[slot];
        d_step {
            if
            :: !(was_dirty & units) -> assert(!(written[slot] & units)) /* S4 */
            :: else
            fi;
            written[slot] = written[slot] | units
        }
        if
        :: true -> /* hak_superslab_release */
#ifdef BUG_DIRTY
            want = units;
            give(slot, units);
            dirty_units[slot] = dirty_units[slot] | want;
#else
            dirty_units[slot] = dirty_units[slot] | units;
#ifdef BUG_HINT
            hint_dirty(slot);
            give(slot, units)
#else
            give(slot, units);
#endif
#endif
#ifndef BUG_HINT
            if
            :: !(dirty_slots & (1 << slot)) -> hint_dirty(slot)
            :: else
            fi
#endif
        :: true /* kept for ever */
        fi
    :: else
    fi
}

inline use_slot() {
    claim_slot(slot);
    if
    :: slot < SLOTS ->
        d_step {
            assert(dirty_units[slot] == FULL || !(written[slot] & ~dirty_units[slot])); /* S4 */
            written[slot] = FULL
        }
        dirty_units[slot] = FULL;
        release_slot(slot)
    :: else
    fi
}

/* hak_superslab_purge, one run */
inline purge_units() {
    seen = free_units[slot];
    units = seen & dirty_units[slot];
    if
    :: units != 0 ->
        d_step {
            if
            :: free_units[slot] == seen ->
                free_units[slot] = seen & ~units;
                own(slot, units);
                taken = true
            :: else -> taken = false
            fi
        }
        if
        :: taken ->
            written[slot] = written[slot] & ~units;
            dirty_units[slot] = dirty_units[slot] & ~units;
            give(slot, units)
        :: else
        fi
    :: else
    fi
}

/* hak_region_purge_slots, one slot */
inline purge_slot() {
    claim_slot(slot);
    if
    :: slot < SLOTS ->
        written[slot] = 0;
        dirty_units[slot] = 0;
        d_step {
            disown(slot, FULL);
            free_slots = free_slots | (1 << slot)
        }
    :: else
    fi
}

/* purge_region of slot 0.  The hint is cleared first, and set again if anything is dirty and free
 * still: what is claimed gets its hint when it is given back. */
inline purge() {
    slot = 0;
    d_step {
        hints = dirty_slots;
        dirty_slots = 0
    }
    if
    :: hints & 1 ->
        if
        :: free_slots & 1 -> purge_slot()
        :: else -> purge_units()
        fi;
        seen = free_units[0];
        if
        :: free_slots & 1 -> seen = FULL
        :: else
        fi;
        if
        :: seen & dirty_units[0] -> hint_dirty(0)
        :: else
        fi
    :: else
    fi
}

/* hak_region_unmap_free */
inline unmap_region() {
    seen = free_slots;
    if
    :: !retired && seen != 0 && seen == ALL(slots) ->
        d_step {
            if
            :: free_slots == seen ->
                free_slots = 0;
                taken = true;
                for (slot : 0 .. SLOTS - 1) {
                    if
                    :: seen & (1 << slot) -> own(slot, FULL)
                    :: else
                    fi
                }
                slot = 0
            :: else -> taken = false
            fi
        }
#ifdef BUG_RESIZED
        left = seen;
#else
        left = ALL(slots); /* cannot change while a slot is claimed: R1 */
#endif
        if
        :: taken && seen == left -> /* unmap */
            d_step {
                assert(seen == ALL(slots)); /* R1 */
                for (slot : 0 .. slots - 1) {
                    disown(slot, FULL)
                }
                slot = 0
            }
            retired = true
        :: taken && seen != left ->
            d_step {
                for (slot : 0 .. SLOTS - 1) {
                    if
                    :: seen & (1 << slot) -> disown(slot, FULL)
                    :: else
                    fi
                }
                slot = 0;
                free_slots = free_slots | seen
            }
        :: else
        fi
    :: else
    fi
}

proctype Thread(byte steps) {
    byte slot, units, want, seen, left, hints, before, was_dirty;
    bool taken;
    do
    :: steps > 0 ->
        steps--;
        if
        :: use_units()
#ifdef REGIONS
        :: use_slot()
        :: purge_slot()
        :: unmap_region()
#else
        :: purge()
#endif
        fi;
        d_step { /* fewer states */
            slot = 0;
            units = 0;
            want = 0;
            seen = 0;
            left = 0;
            hints = 0;
            before = 0;
            was_dirty = 0;
            taken = false
        }
    :: else -> break
    od;
    threads_left--
}

/* When all threads have ended. */
proctype Judge() {
    byte slot;
    threads_left == 0;
    d_step {
        for (slot : 0 .. SLOTS - 1) {
            if
            :: owned[slot] == 0 -> /* found empty */
                assert(free_units[slot] == 0);
                assert(slot >= slots || retired || (free_slots & (1 << slot)));
#ifndef REGIONS
                assert(!dirty_units[slot] || (dirty_slots & (1 << slot)))
#endif
            :: else -> /* in pieces: every unit is used or free, and the hint is there */
                assert(free_units[slot] == (FULL & ~owned[slot]));
                assert(!(free_slots & (1 << slot)) && !retired);
                assert(free_units[slot] == 0 || (partial_slots & (1 << slot)));
#ifndef REGIONS
                assert(!(free_units[slot] & dirty_units[slot]) || (dirty_slots & (1 << slot)))
#endif
            fi
        }
        slot = 0
    }
}

init {
    atomic {
        if
        :: slots = 1
        :: slots = SLOTS
        fi;
        free_slots = ALL(slots);
        threads_left = THREADS;
        run Thread(STEPS);
        run Thread(OTHER_STEPS);
        run Thread(OTHER_STEPS);
        run Judge()
    }
}
