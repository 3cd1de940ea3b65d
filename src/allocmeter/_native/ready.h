/* An awaitable that has its result at once: what `async with` awaits.
 *
 * A coroutine of Python's would do, and take ten times as long. This one hands its result over by the
 * same ways, none of which makes a block inside the scope that was just entered. Everything here needs
 * the interpreter lock. */
#ifndef AM_READY_H
#define AM_READY_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

int am_ready_init(void);

/* Takes no reference from the caller. Inside an own section; NULL with MemoryError set. */
PyObject *am_ready(PyObject *result);

#endif
