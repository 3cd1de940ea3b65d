/* Stretches of code that run outside of every scope, in the midst of one.
 *
 * At each of them the variable loses its value, and gets it back in the end, so that contexts which
 * are copied in between belong to nobody. What the stretch itself has made current by its end, it
 * finds again when it goes on. Everything here needs the interpreter lock. */
#ifndef AM_ABSENCE_H
#define AM_ABSENCE_H

#include "context.h"

/* Two mappings (mapping.h) of one context, which differ in nothing but that the first has `holder` as
 * the value of the variable. All of it is kept by whoever has this, or all NULL. */
typedef struct {
    PyObject *within, *without;
    am_holder *holder; /* not owned: `within` keeps it */
} am_twins;

void am_twins_clear(am_twins *twins);

/* Around making a holder current: what the first returns is for the second, which takes it over. They
 * note nothing where the variable had a value before. Inside an own section. */
PyObject *am_twins_before(void);
void am_twins_after(am_twins *twins, PyObject *before, am_holder *holder);

/* Leaves the holder in the context where it was entered, if nothing has changed there but what the
 * twins know; 0, and nothing done, if that is not so: use am_context_leave. */
int am_twins_leave(const am_twins *twins);

typedef struct {
    am_twins twins;    /* to go back by; or all NULL, and then: */
    am_holder *value;  /* what was the value of the variable; NULL: none */
} am_absence;

/* `known` may be used, and is brought up to date if its holder is current. `inside`: what the last
 * absence of the same stretch ended with, or NULL. 0, or -1 with an exception set and nothing
 * changed. Not inside an own section. */
int am_absence_begin(am_absence *absence, am_twins *known, am_holder *inside);

/* Returns what is current inside by now, a new reference, or NULL. An exception may be set, and stays
 * so. For want of memory the scope is not current again. */
am_holder *am_absence_end(am_absence *absence);

#endif
