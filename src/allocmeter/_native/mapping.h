/* The mapping in which a context keeps the values of its variables.
 *
 * It is immutable. Setting a variable makes another one, and has the context point to that: three
 * objects and a thousand instructions. Where both mappings are at hand already, one with a value of
 * our variable and one that differs from it in nothing else, pointing to the other is all there is
 * to do. The pointer stands in a structure that is private to each minor version of the interpreter,
 * so it is only written after it was seen to do what it should: am_mapping_verify. */
#ifndef AM_MAPPING_H
#define AM_MAPPING_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* Whether the pointer can be trusted. */
extern int am_mapping_is_trusted;

/* Tries it with a variable that has no value in the current context, and whether mappings can be made
 * known to recall.h. 0; or -1 with an exception set, for want of memory. */
int am_mapping_verify(PyObject *variable);

/* Trusts it no more, or again as far as it was found to be right: for tests. Returns what was so. */
int am_mapping_trust(int trusted);

/* The mapping of the thread's current context, borrowed; NULL: there is no context, or no trust. */
PyObject *am_mapping_of(const PyThreadState *state);
PyObject *am_mapping_now(void);

/* Has the current context point to `to`, if it points to `from`, of which the caller holds a
 * reference. 1 if it was done. Allocates nothing. */
int am_mapping_exchange(PyObject *from, PyObject *to);

#endif
