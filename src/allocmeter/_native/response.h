/* How far an exchange of HTTP has come, by the messages of its response. */
#ifndef AM_RESPONSE_H
#define AM_RESPONSE_H

#include "exchange.h"

int am_response_init(void);

/* Follows an ordinary message of a response, before it is sent: notes the status, and whether it is the
 * last one. 0, and nothing noted: it is none, or there is something about it. Needs the interpreter
 * lock; no exception is set then. */
int am_response_follow(am_exchange *self, PyObject *message);

#endif
