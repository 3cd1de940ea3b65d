/* Taking part in the construction of objects of a type that Python code cannot change.
 *
 * Every way to make an asyncio task leads to the initialiser of one C type, past whatever event
 * loop, task factory or server makes it. */
#ifndef AM_CONSTRUCTION_H
#define AM_CONSTRUCTION_H

#include <Python.h>

/* From now on, before an object of `type` is initialised, begin(args, kwargs or None) is called; it
 * returns None, or a tuple of the keyword arguments to use instead and a function that is called
 * afterwards, with the object or, if that has failed, None. Both are called in own sections, and
 * their exceptions below Exception are written and dropped. `begin` None: no more. For one type at
 * a time. 0, or -1 with an exception set. */
int am_construction_follow(PyObject *type, PyObject *begin);

#endif
