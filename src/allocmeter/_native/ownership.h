/* Keeping the library out of the figures: Python objects that spend on our own account.
 *
 * A `with` statement binds __enter__ and __exit__ to the object, and each bound method is a block.
 * Made the usual way they would be charged to the user's enclosing scope. Here they are made in own
 * sections. */
#ifndef AM_OWNERSHIP_H
#define AM_OWNERSHIP_H

#include "context.h"

/* Readies the types below. 0, or -1 with an exception set. */
int am_ownership_init(void);

/* Puts each method of the table into the dict of a readied type, as descriptors that bind in own
 * sections. The table must be static. 0, or -1 with an exception set. */
int am_own_methods_add(PyTypeObject *type, PyMethodDef *methods);

/* tp_alloc in an own section; and tp_free of what was made in one, which the collector has not counted. */
PyObject *am_own_alloc(PyTypeObject *type);
void am_own_free(PyObject *object);

/* The object behind `with OWN:`, a new reference. Entering begins an own section, leaving ends it. */
PyObject *am_own_guard(void);

#endif
