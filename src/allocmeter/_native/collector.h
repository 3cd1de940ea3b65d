/* Telling what the garbage collector's finalizers allocate from what the innocent task does that
 * happened to trigger it. Frees need no such care: they go to their owners.
 *
 * The interpreter keeps a flag for "a collection is under way", in a structure that is private to
 * each minor version; two callbacks in gc.callbacks, at both ends, tell which thread is collecting,
 * because finalizers and callbacks of others may release the lock. The flag is read only after it was seen to rise and fall with a
 * real collection: am_collector_verify. Until then, and if it did not, nothing is told apart. */
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

/* After a collection with the callbacks in place: whether the flag did what it should. */
int am_collector_verify(void);

/* Trusts the flag no more. */
void am_collector_ignore(void);

/* The node to charge instead of `node` while *am_collecting is set, with the interpreter lock held;
 * AM_NONE if nothing is to be recorded. */
AM_COLD uint32_t am_collector_node(uint32_t node);

#endif
