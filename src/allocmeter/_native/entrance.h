/* Where the requests of one middleware come in: the beginning of an exchange, for each of them.
 *
 * NativeEntrance(kinds, methods, measuring, excluded) is called with an ASGI scope, receive and send.
 * It returns an exchange whose scope is current from then on, or None if the connection is not to be
 * measured: because of its type, because another middleware measures it already, or because
 * excluded(asgi_scope) says so, or after a failure of ours.
 *
 *   kinds      dict: the type of an ASGI scope -> (the class of its exchanges, derived from
 *              NativeExchange; the types of messages from the server that are notable; whether they
 *              are plain; None, or what all of them have in place of what follows)
 *   methods    dict: the method of a request -> (what stands for it in names, the name of a scope
 *              until it gets a better one); under None what all others have
 *   measuring  has `scope_class`, `registry`, `known` (NativeRouteNames or None), `switch` with `on`,
 *              and give_up(), which is called while a failure of ours is being handled
 *   excluded   None, or a function */
#ifndef AM_ENTRANCE_H
#define AM_ENTRANCE_H

#include "exchange.h"

extern PyTypeObject am_entrance_type;

int am_entrance_init(void);

#endif
