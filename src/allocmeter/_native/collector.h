/* Telling what the garbage collector's finalizers allocate from what the innocent task does that
 * happened to trigger it (frees need no such care: they go to their owners), and keeping what we make
 * for ourselves from bringing the next collection forward.
 *
 * The interpreter keeps a flag for "a collection is under way", in a structure that is private to
 * each minor version; two callbacks in gc.callbacks, at both ends, tell which thread is collecting,
 * because finalizers and callbacks of others may release the lock. The flag is read only after it was seen to rise and fall with a
 * real collection: am_collector_verify. Until then, and if it did not, nothing is told apart. The same
 * goes for the number by which the interpreter decides that a collection is due: objects made less
 * objects gone. */
#ifndef AM_COLLECTOR_H
#define AM_COLLECTOR_H

#include <Python.h>

#include "node.h"

/* The flag, or a constant 0 while it cannot be trusted. Reading it needs the interpreter lock. */
AM_OURS const int *am_collecting;

/* The callables for gc.callbacks, the one to be its first and the one to be its last: each the same
 * object at every call, a new reference; NULL with an exception set. */
PyObject *am_collector_start_callback(void);
PyObject *am_collector_stop_callback(void);

/* After a collection with the callbacks in place: whether the flag did what it should, and the number
 * as well. With the interpreter lock, as all that follows. */
int am_collector_verify(void);

/* Trusts neither any more. */
void am_collector_ignore(void);

/* The number, or one of ours while it cannot be trusted. */
AM_OURS int *am_collector_count;

/* Between the two, objects come and go uncounted, and no collection becomes due. They nest. Other
 * threads may run in between, but not for long: their garbage waits as well. */
typedef struct {
    int depth;
    int count; /* to go on with */
} am_collector_hold_t;

AM_OURS am_collector_hold_t am_collector_held;

/* So low that it is not counted down, and not soon high enough for anything. */
#define AM_COUNT_HELD (-(1 << 30))

AM_HOT void am_collector_hold(void) {
    if (am_collector_held.depth++ != 0) return;
    am_collector_held.count = *am_collector_count;
    *am_collector_count = AM_COUNT_HELD;
}

AM_HOT void am_collector_release(void) {
    /* Not held any more: in a child that was forked in between. */
    if (AM_UNLIKELY(am_collector_held.depth == 0) || --am_collector_held.depth != 0) return;
    /* Whoever has collected nevertheless has set it anew. */
    if (AM_LIKELY(*am_collector_count < 0)) *am_collector_count = am_collector_held.count;
}

/* Objects made in between will be freed by the interpreter, which counts that. */
static inline void am_collector_hand_out(int objects) { am_collector_held.count += objects; }

/* In a forked child: the threads that have held it are gone. */
void am_collector_repair(void);

/* The node to charge instead of `node` while *am_collecting is set, with the interpreter lock held;
 * AM_NONE if nothing is to be recorded. */
AM_COLD uint32_t am_collector_node(uint32_t node);

#endif
