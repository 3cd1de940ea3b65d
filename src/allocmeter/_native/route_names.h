/* The names of requests by what decides on them: the route that handled a request, what it was
 * included by, and the method. All three are compared by identity, and kept alive for that. */
#ifndef AM_ROUTE_NAMES_H
#define AM_ROUTE_NAMES_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* NativeRouteNames(most): how many names are kept. `add(route, inclusion, method, name)` says whether
 * there was room. */
extern PyTypeObject am_route_names_type;

int am_route_names_init(void);

/* The name, borrowed, or NULL. `inclusion` may be NULL. No exception is set. */
PyObject *am_route_names_find(PyObject *names, PyObject *route, PyObject *inclusion,
                              PyObject *method);

#endif
