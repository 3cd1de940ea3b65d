/* What the interpreter does for `await` and for the coroutines of `async def`, and has no function
 * for. Everything here needs the interpreter lock. */
#ifndef AM_AWAITING_H
#define AM_AWAITING_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* What `await` iterates, a new reference; NULL with the exception that it would raise. */
PyObject *am_await_iterator(PyObject *awaitable);

/* The result in the StopIteration that is set, which is cleared; NULL: another exception is set. */
PyObject *am_stop_taken(void);

/* Raises what was passed to throw(): an exception; or a type, and its value or None or NULL. */
void am_raise_thrown(PyObject *type, PyObject *value);

/* For whoever steps by hand, what a step came to: a result, which is taken over, is raised as
 * StopIteration. */
PyObject *am_stepped(PySendResult step, PyObject *result);

/* How `await` steps from 3.12 on. The end of an iterator that has no value to return needs no
 * exception. */
PyObject *am_iterated(PySendResult step, PyObject *result);

#endif
