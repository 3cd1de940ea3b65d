/* An application's exchange with its ASGI server, as far as every single message passes through it.
 *
 * A request costs a small server some 70 microseconds, so what is done for each has to be done here.
 * The rest (names, outcomes, whatever is rare) is up to the Python classes that are derived from
 * this type, in integrations/_asgi_*.py. They define:
 *
 *   prepare()                             before the scope is open; not of a plain exchange
 *   sending(message) -> message           before a message goes to the server
 *   sending_unusual(message) -> message   the same for what is no dictionary
 *   sent()                                after the message for which `_ending` was set
 *   refused()                             the server raised OSError instead
 *   asked()                               the application asks for a message
 *   received(message)                     before one of the notable types goes to the application
 *   received_unusual(message)             before what is no dictionary does
 *   ended(error)                          the application returned, or raised
 *   failed()                              one of the above raised, which is being handled
 *
 * All are called in own sections. Of a *plain* exchange, which is one of HTTP, `sending` gets only
 * what is out of the ordinary, `asked` nothing, and `ended` nothing once the scope is closed; and
 * where the name of a successful request follows from its route and is known, the scope is
 * closed here, without `sent`. Everything here needs the interpreter lock. */
#ifndef AM_EXCHANGE_H
#define AM_EXCHANGE_H

#include "absence.h"
#include "scope.h"

typedef struct {
    PyObject_HEAD
    am_scope *scope;          /* NULL: it has not begun */
    PyObject *asgi_scope;
    PyObject *method;         /* as it stands in names */
    PyObject *path, *root_path; /* of the ASGI scope at the beginning: frameworks change them */
    PyObject *receive, *send; /* the server's */
    PyObject *notable;        /* a frozenset of message types */
    PyObject *measuring;      /* for the derived class */
    PyObject *known;          /* NativeRouteNames (route_names.h), or None */
    am_twins twins;           /* of the context that the application runs in */
    int status;               /* of the response, 0 before it has started */
    char ending;              /* the message that is being sent is the last one */
    char trailers;            /* the body is not the end of the response */
    char disconnected;        /* the client is gone; up to the derived class, as is the next */
    char abandoned;           /* and was so when the response began */
    char plain;
} am_exchange;

extern PyTypeObject am_exchange_type;

int am_exchange_init(void);

/* Calls a method that handles the exception which is set, one of ours. Clears it: 0; -1 if it or
 * another one that was raised meanwhile is for nobody to catch, and set. Inside an own section. */
int am_exchange_contained(PyObject *object, PyObject *method);

/* What crossings (crossing.h) tell, in own sections and without an exception set: the server has
 * returned a message, or taken one, or has refused it. -1 with an exception that nobody may keep from
 * the program. */
int am_exchange_received(am_exchange *self, PyObject *message);
int am_exchange_sent(am_exchange *self);
int am_exchange_refused(am_exchange *self);

#endif
