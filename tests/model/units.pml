/* SPDX-License-Identifier: MIT
 *
 * Model of span/superslab.c and span/region.c: units and superslabs claimed and given back
 * without locks.
 *
 * One region of one or two superslabs of two or three units.  Threads claim runs of units (in a
 * superslab that is in pieces, or a fresh one), write to them, and give them back or keep them;
 * claim a whole superslab for a huge block; purge free units and free superslabs; unmap the region
 * when it is free as a whole and map it again with another size, or for one huge block.
 *
 * Checked, over all interleavings of single memory accesses:
 *   S2, S3  a claim finds units that nobody has, a whole superslab none of whose units anybody has;
 *   S4  a unit whose dirty bit is clear, read after the claim, reads as zeros;
 *   R1  nobody has a unit of a region that is being unmapped, and nobody takes a superslab of one
 *       that is dedicated to a huge block;
 *   at the end a superslab without a unit in use has been found empty and is free in the region;
 *   one in pieces is hinted at in roomy_slots for every run length that it has, and in dirty_slots
 *   if it has a free dirty unit; a last search finds units if there are any.
 * Not modelled: further regions, and memory order (all accesses here are in one order).
 *
 * REGIONS: two superslabs of two units; whole ones are claimed and purged, and the region is
 * unmapped and made anew, instead of units purged.  Both together are more states than a test can
 * visit.
 *
 * Other defines break one step each; the model must then find an error:
 *   BUG_CLAIM     free_units is read and then stored, not compared and swapped
 *   BUG_EMPTY     a superslab seen full of free units is taken by a store
 *   BUG_HIDE      a hint is cleared without looking again
 *   BUG_SHOW      units given back set the hint of their own number only, not of the longest run
 *   BUG_TRIES     a search that has looked in vain as often as it may is not taken up again
 *   BUG_DIRTY     dirty bits are set after the units are given back
 *   BUG_HINT      what is dirty is hinted at before it is free, not after
 *   BUG_FRESH     the rest of a fresh superslab that is dirty is not hinted at
 *   BUG_RESIZED   the size of a region is not looked at again when all its slots are claimed
 *   BUG_DEDICATED nor is it when some of them are
 */
#ifdef REGIONS
#define SLOTS   2
#define UNITS   2
#else
#define SLOTS   1
#define UNITS   3
#endif
#define FULL    ALL(UNITS)
#define THREADS 3
#define TRIES   1 /* SUPERSLAB_TRIES */

/* How many things the first thread does, and each of the other two. */
#ifndef STEPS
#define STEPS 2
#endif
#ifndef OTHER_STEPS
#define OTHER_STEPS 1
#endif

#define ALL(n) ((1 << (n)) - 1)

/* Shared memory of the engine */
byte free_slots, dirty_slots, roomy_slots[UNITS], slots; /* slots = 0: dedicated */
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
    out = ALL(want);
    do
    :: out > FULL ->
        out = 0;
        break
    :: out <= FULL && (mask & out) == out -> break
    :: else -> out = out << 1
    od
}

/* superslab_hide */
inline hide(s, count) {
    roomy_slots[count - 1] = roomy_slots[count - 1] & ~(1 << s);
#ifndef BUG_HIDE
    d_step {
        find_run(free_units[s], count, left);
        if
        :: left != 0 -> left = 1
        :: else
        fi
    }
    if
    :: left ->
        roomy_slots[count - 1] = roomy_slots[count - 1] | (1 << s);
        left = 0
    :: else
    fi
#endif
}

/* superslab_show for one run length */
inline show_one(s, count) {
    if
    :: !(roomy_slots[count - 1] & (1 << s)) ->
        roomy_slots[count - 1] = roomy_slots[count - 1] | (1 << s)
    :: else
    fi
}

/* superslab_show; runs: a variable for it */
inline show_all(s, free, runs) {
    d_step { /* the longest run */
        runs = UNITS;
        do
        :: runs == 0 -> break
        :: else ->
            find_run(free, runs, left);
            if
            :: left != 0 -> break
            :: else -> runs--
            fi
        od;
        left = 0
    }
    do
    :: runs == 0 -> break
    :: else ->
        show_one(s, runs);
        runs--
    od
}

/* superslab_try; units: what was claimed, or 0 */
inline try(s, want, units) {
    seen = free_units[s];
    do
    :: d_step { find_run(seen, want, units) }
        if
        :: units == 0 ->
            hide(s, want);
            break
        :: else
        fi;
#ifdef BUG_CLAIM
        d_step {
            left = seen & ~units;
            own(s, units)
        }
        free_units[s] = left;
        left = 0;
        break
#else
        d_step {
            if
            :: free_units[s] == seen ->
                free_units[s] = seen & ~units;
                own(s, units);
                taken = true
            :: else ->
                seen = free_units[s];
                taken = false
            fi
        }
        if
        :: taken ->
            taken = false;
            break
        :: else
        fi
#endif
    od;
    seen = 0
}

/* region_try for one slot: slot = SLOTS if there is none */
inline claim_slot(slot) {
#ifdef REGIONS
    slot = SLOTS;
    if
    :: slots != 0 ->
#endif
    d_step { /* the step that succeeds: what was read before is what is there */
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
#ifdef REGIONS
        d_step { /* again: it cannot change while the slot is claimed */
#ifndef BUG_DEDICATED
            if
            :: slot < SLOTS && slots == 0 ->
                disown(slot, FULL);
                free_slots = free_slots | (1 << slot);
                slot = SLOTS
            :: else
            fi;
#endif
            assert(slot == SLOTS || slots != 0) /* R1 */
        }
    :: else
    fi
#endif
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
#ifndef REGIONS
    hints = dirty_units[slot];
#endif
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
        taken = false;
        release_slot(s)
    :: else ->
#ifdef BUG_SHOW
        d_step {
            want = 0;
            do
            :: units & (1 << want) -> break
            :: else -> want++
            od;
            before = units >> want;
            want = (before + 1) / 2;
            before = 0
        }
        show_one(s, want)
#else
        show_all(s, before | units, want)
#endif
    fi;
    before = 0
}

/* superslab_claim_partial; tries: how many looks were in vain */
inline claim_partial(slot, units, want) {
    units = 0;
    tries = 0;
    hints = roomy_slots[want - 1];
    slot = 0;
    do
    :: slot < SLOTS && units == 0 && tries < TRIES ->
        if
        :: hints & (1 << slot) ->
            try(slot, want, units);
            if
            :: units == 0 -> tries++
            :: else
            fi
        :: else
        fi;
        if
        :: units == 0 -> slot++
        :: else
        fi
    :: else -> break
    od;
    hints = 0
}

/* superslab_claim_whole */
inline claim_whole(slot, units, want) {
    claim_slot(slot);
    if
    :: slot == SLOTS -> create_region(slot)
    :: else
    fi;
    if
    :: slot < SLOTS ->
        units = ALL(want);
        d_step {
            seen = FULL & ~units;
            disown(slot, seen);
            free_units[slot] = seen
        }
        show_all(slot, seen, want);
#if !defined(BUG_FRESH) && !defined(REGIONS)
        if
        :: seen & dirty_units[slot] -> hint_dirty(slot)
        :: else
        fi;
#endif
        seen = 0
    :: else
    fi
}

/* hak_superslab_claim; units = 0: no memory.  Changes want. */
inline claim_units(slot, units, want) {
    do
    :: claim_partial(slot, units, want);
        if
        :: units == 0 -> claim_whole(slot, units, want)
        :: else
        fi;
#ifndef BUG_TRIES
        if
        :: units == 0 && tries == TRIES /* again: there is no whole one any more */
        :: else -> break
        fi
#else
        break
#endif
    od;
    tries = 0
}

inline use_units() {
    if
    :: want = 1
#ifndef REGIONS
    :: want = 2
#endif
    fi;
    claim_units(slot, units, want);
    want = 0;
    if
    :: units != 0 ->
        d_step { /* the dirty bits of claimed units do not change */
            if
            :: !(dirty_units[slot] & units) -> assert(!(written[slot] & units)) /* S4 */
            :: else
            fi;
            written[slot] = written[slot] | units
        }
        if
        :: true -> /* hak_superslab_release */
#ifdef BUG_DIRTY
            give(slot, units);
            dirty_units[slot] = dirty_units[slot] | units;
#else
            dirty_units[slot] = dirty_units[slot] | units;
#ifdef BUG_HINT
            hint_dirty(slot);
            give(slot, units)
#else
            give(slot, units);
#endif
#endif
#if !defined(BUG_HINT) && !defined(REGIONS)
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

#define ALL_SLOTS (slots == 0 -> 1 : ALL(slots))

/* hak_region_unmap_free.  That the kernel refuses is not modelled: all is as before then. */
inline unmap_region() {
    seen = free_slots;
    if
    :: !retired && seen != 0 && seen == ALL_SLOTS ->
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
        left = ALL_SLOTS; /* cannot change while a slot is claimed: R1 */
#endif
        if
        :: taken ->
            d_step {
                assert(seen != left || seen == ALL_SLOTS); /* R1 */
                for (slot : 0 .. SLOTS - 1) {
                    if
                    :: seen & (1 << slot) -> disown(slot, FULL)
                    :: else
                    fi
                }
                slot = 0;
                if
                :: seen == left -> retired = true /* unmapped */
                :: else -> free_slots = free_slots | seen
                fi
            }
        :: else
        fi
    :: else
    fi
}

/* hak_region_map_dedicated in the descriptor of a retired region, then hak_region_unmap_dedicated.
 * If the kernel refuses to unmap it, the region is free, for hak_region_unmap_free to try again. */
inline use_dedicated() {
    d_step {
        taken = retired;
        retired = false;
        if
        :: taken -> own(0, FULL)
        :: else
        fi
    }
    if
    :: taken ->
        slots = 0;
        if
        :: d_step {
                disown(0, FULL);
                retired = true
            }
        :: d_step {
                disown(0, FULL);
                free_slots = 1
            }
        fi
    :: else
    fi
}

proctype Thread(byte steps) {
    byte slot, units, want, seen, left, hints, before, tries;
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
        :: use_dedicated()
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
            tries = 0;
            taken = false
        }
    :: else -> break
    od;
    threads_left--
}

inline judge_hints(s) {
    for (want : 1 .. UNITS) {
        find_run(free_units[s], want, left);
        assert(!left || (roomy_slots[want - 1] & (1 << s)))
    }
    left = 0;
    want = 0
}

/* When all threads have ended. */
proctype Judge() {
    byte slot, units, want, seen, left, hints, before, tries;
    bool taken, room;
    threads_left == 0;
    d_step {
        for (slot : 0 .. SLOTS - 1) {
            if
            :: owned[slot] == 0 -> /* found empty */
                assert(free_units[slot] == 0);
                assert(slot >= (slots == 0 -> 1 : slots) || retired || (free_slots & (1 << slot)));
#ifndef REGIONS
                assert(!dirty_units[slot] || (dirty_slots & (1 << slot)))
#endif
            :: else -> /* in pieces: every unit is used or free, and the hints are there */
                assert(free_units[slot] == (FULL & ~owned[slot]));
                assert(!(free_slots & (1 << slot)) && !retired && slot < slots);
                judge_hints(slot);
#ifndef REGIONS
                assert(!(free_units[slot] & dirty_units[slot]) || (dirty_slots & (1 << slot)))
#endif
            fi
        }
        slot = 0
    }
    if
    :: want = 1
    :: want = UNITS - 1
    fi;
    d_step {
        room = retired || (slots != 0 && free_slots != 0);
        for (slot : 0 .. SLOTS - 1) {
            find_run(free_units[slot], want, left);
            room = room || left
        }
        slot = 0;
        left = 0
    }
    claim_units(slot, units, want);
    assert(room == (units != 0))
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
