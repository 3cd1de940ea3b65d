/* Finished scopes by name, as Python objects: a registry maps names to aggregates. The number of
 * names is capped, so that names made from user data cannot grow memory without end. */
#ifndef AM_REGISTRY_H
#define AM_REGISTRY_H

#include "aggregate.h"
#include "context.h"

extern PyTypeObject am_registry_type;

int am_registry_init(void);

/* The aggregate for a name, borrowed, made when it is new; that of "(other)" once the registry is
 * full. NULL with an exception set when there is no memory. Call it inside an own section. */
am_aggregate *am_registry_find(PyObject *registry, PyObject *name);

/* The aggregate inside an aggregate object, borrowed; NULL with TypeError for anything else. */
am_aggregate *am_aggregate_of(PyObject *object);

#endif
