/* Which holder each mapping (mapping.h) has as the value of our variable, as far as it was found out.
 *
 * Asking the variable takes some 150 instructions, and is to be done whenever another context is
 * entered, which a task does at every step. A mapping never changes, and contexts share one: so the
 * answer is kept beside the mapping's address, until the mapping goes. We notice that because we stand
 * before the two functions of its type by which it loses its values. A place serves many addresses,
 * and what it has replaces what it had.
 *
 * Needs the interpreter lock. Only the two functions are also called by threads of other interpreters,
 * with mappings of theirs, of which nothing is kept here. */
#ifndef AM_RECALL_H
#define AM_RECALL_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdatomic.h>

#include "platform.h"

struct am_holder;

typedef struct {
    const PyObject *_Atomic mapping; /* only compared */
    struct am_holder *value;         /* the mapping keeps it; NULL: it has none */
    uint64_t serial;                 /* of no other mapping, at whatever address */
    /* What is current where a context has the mapping, while am_left_elsewhere is the same; AM_NONE:
     * that was not found out. */
    uint32_t node, left_elsewhere;
} am_recalled;

#define AM_RECALL_PLACES (1u << 16)

AM_OURS am_recalled am_recall_places[AM_RECALL_PLACES];

AM_HOT am_recalled *am_recall_place(const PyObject *mapping) {
    return &am_recall_places[(uintptr_t)mapping >> 4 & (AM_RECALL_PLACES - 1)];
}

/* What is known of a mapping, or NULL; of NULL nothing. */
AM_HOT am_recalled *am_recall(const PyObject *mapping) {
    am_recalled *place = am_recall_place(mapping);
    const PyObject *known = atomic_load_explicit(&place->mapping, memory_order_relaxed);
    return known == mapping && mapping != NULL ? place : NULL;
}

/* Makes it known, unless it is, without a node. NULL, and nothing done, without a mapping, or when
 * nobody would notice that it goes. */
am_recalled *am_recall_note(const PyObject *mapping, struct am_holder *value);

/* Stands before the type's functions: from now on mappings can be made known. */
void am_recall_watch(PyTypeObject *type);

/* Stands there no more, and knows nothing: for when a mapping went and it was not noticed. */
void am_recall_unwatch(void);

#endif
