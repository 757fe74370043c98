/* SPDX-License-Identifier: MIT
 *
 * Model of policy/background.c: the background thread falls asleep while others free memory, and
 * tell it so by hak_purge_note (span/purge.c) and hak_background_press.
 *
 * Checked, over all interleavings of single memory accesses:
 *   when nobody frees any more and the thread is asleep, nothing is left for it to give back;
 *   it does fall asleep.
 * Not modelled: its start and end, its patience, and memory order (all accesses here are in one
 * order).
 *
 * Defines break one step each; the model must then find an error:
 *   BUG_CLEAR  who presses clears the pressure at the end, not first
 *   BUG_PRESS  who presses leaves a thread that is awake as it is
 *   BUG_SLEEP  the thread falls asleep by a store
 */
#define FREERS 3

mtype = { AWAKE, PRESSED, ASLEEP };

mtype word = AWAKE;
bool pressure;
byte dirty;      /* units that are free and not given back */
byte done;       /* of those who free */
bool sleeping;   /* in the futex */

proctype frees() {
    mtype seen;
    bool mine;
    dirty++;
    pressure = true;
    if
    :: !pressure -> goto end
    :: else
    fi;
#ifdef BUG_CLEAR
    mine = pressure;
#else
    atomic { mine = pressure; pressure = false }
#endif
    if
    :: !mine -> goto end
    :: else
    fi;
again:
    seen = word;
    if
    :: seen == AWAKE ->
#ifndef BUG_PRESS
        atomic {
            if
            :: word == AWAKE -> word = PRESSED
            :: else -> goto again
            fi
        }
#else
        skip
#endif
    :: seen == ASLEEP ->
        atomic {
            if
            :: word == ASLEEP -> word = AWAKE
            :: else
            fi
        }
    :: else
    fi;
#ifdef BUG_CLEAR
    pressure = false;
#endif
end:
    done++
}

active proctype thread() {
    byte left;
    do
    ::
        dirty = 0; /* what is free then is given back */
        left = dirty;
        if
        :: left -> /* waits for a while */
            atomic {
                if
                :: word == PRESSED -> word = AWAKE
                :: else
                fi
            }
        :: else ->
            atomic {
                if
#ifdef BUG_SLEEP
                :: true -> word = ASLEEP; sleeping = true
#else
                :: word == AWAKE -> word = ASLEEP; sleeping = true
                :: else -> word = AWAKE
#endif
                fi
            }
            if
            :: sleeping ->
endasleep:
                word != ASLEEP;
                sleeping = false
            :: else
            fi
        fi
    od
}

init {
    byte i;
    atomic {
        do
        :: i < FREERS -> run frees(); i++
        :: else -> break
        od
    }
    done == FREERS && word == ASLEEP && sleeping;
    assert(dirty == 0)
}
