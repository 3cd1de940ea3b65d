/* The scope object, base of `allocmeter.measure`, and the anchor, base of `allocmeter.detached`.
 *
 * Entering and leaving happen in C, in own sections, in this order: everything that allocates, then
 * the switch. So nothing of ours falls inside a scope, and an empty one reports exactly nothing. */
#ifndef AM_SCOPE_H
#define AM_SCOPE_H

#include "context.h"

enum { AM_SCOPE_NEW = 0, AM_SCOPE_OPEN = 1, AM_SCOPE_CLOSED = 2 };

typedef struct {
    am_counts counts;
    int64_t peak_bytes, peak_blocks;
} am_snapshot;

struct am_standin;

typedef struct am_scope {
    am_holder holder; /* first: the variable's values are read as holders */
    struct am_scope *next_open, *previous_open; /* in the ring of open scopes */
    struct am_standin *standin; /* standin.h: NULL, or what is made current in its place */
    am_holder *inside; /* paused: the scope within it that was current; NULL: it was itself */
    PyObject *name;   /* a str, or None: then it is not aggregated */
    PyObject *registry;
    am_snapshot final, final_self; /* as of closing */
    am_counts final_native;        /* the native domain's part of `final` */
    unsigned gaps;                 /* am_hooks_gaps when it opened */
    char state;
    char fresh;    /* opened, and not made current yet */
    char entered;  /* made current, and not left since */
    char complete; /* closed without a gap in between */
    char measured; /* has a node of its own; else it charges the scope around */
    char sized;    /* its size classes are asked for (sizes.h) */
} am_scope;

extern PyTypeObject am_scope_type;
extern PyTypeObject am_anchor_type;

/* How many scopes are open. */
extern uint32_t am_open_scopes;

/* An open scope is released: it never counts. */
void am_scope_forget(am_scope *scope);

/* How many scopes got no node of their own, and have no figures. */
extern uint64_t am_unmeasured_scopes;

/* Whether it is one; if not, sets TypeError. */
int am_is_scope(PyObject *object);

/* A new one of a derived type that constructs as this one does; NULL with an exception. */
am_scope *am_scope_new(PyTypeObject *type, PyObject *name, PyObject *registry);

int am_scope_init(void);
int am_anchor_init(void);

/* An anchor at our own node, for contexts that work for the library. */
PyObject *am_own_anchor(void);

/* What the core calls in Python, all of it in own sections. */
typedef struct {
    PyObject *install;    /* install(): puts the hooks in place, or raises */
    PyObject *hooks_lost; /* hooks_lost(): tells the user that another tool removed them */
    PyObject *broken;     /* broken(): tells the user that counting is switched off */
    PyObject *classify;   /* classify(exception) -> AM_FAILED or AM_CANCELLED */
    PyObject *registry;   /* of scopes that name none */
} am_callbacks;

extern am_callbacks am_python;

/* Takes references. 0, or -1 with TypeError. */
int am_scope_bind(const am_callbacks *callbacks);

/* The steps of a scope's life, in own sections: opening and closing it, and in between making it
 * current here and what was current before current again, as often as need be. -1 with an exception
 * set, and nothing changed; suspending never fails, and closing has closed the scope even if it
 * returns -1: then the exception is that of a signal handler which ran meanwhile. */
int am_scope_open(am_scope *scope);
int am_scope_open_apart(am_scope *scope); /* within no other, whatever is current */
int am_scope_resume(am_scope *scope);
void am_scope_suspend(am_scope *scope);

/* Suspends it together with the scopes that were opened within it and are current now, as those of
 * a generator's body are; resuming brings them back. */
void am_scope_pause(am_scope *scope);

/* Forgets what a pause has put aside, as nobody will resume it: each of the two keeps the other. */
void am_scope_abandon(am_scope *scope);
int am_scope_close(am_scope *scope, PyObject *exception);

/* Closes every scope as cancelled: see am_close_open_scopes. */
int am_scopes_close_all(void);

/* Ends a scope that was opened and could not be made current: it never counts. */
void am_scope_cancel(am_scope *scope);

/* Settled figures of a node: of the whole subtree, or of the node alone. */
am_snapshot am_snapshot_total(uint32_t node);
am_snapshot am_snapshot_self(uint32_t node);

#endif
