/* A call of the server by the application, while no scope is current.
 *
 * The server starts timers, readers and the tasks of later requests in the context it is called in;
 * they would be taken for work of this request. So the scope is set aside (absence.h) for every step
 * of the call, and what is copied in between belongs to nobody. It is what a coroutine function with
 * `with detached():` around its `await` would be, and a tenth of its cost. */
#ifndef AM_CROSSING_H
#define AM_CROSSING_H

#include "exchange.h"

extern PyTypeObject am_crossing_type;

int am_crossing_init(void);

/* An awaitable that sends a message, or receives one if it is NULL. */
PyObject *am_crossing_new(am_exchange *exchange, PyObject *message);

#endif
