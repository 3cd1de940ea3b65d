#include "response.h"

#include <string.h>

static struct {
    PyObject *type, *more_body, *status, *trailers;
} names;

static int is_text(PyObject *object, const char *text, size_t length) {
    return object != NULL && PyUnicode_Check(object) && PyUnicode_IS_COMPACT_ASCII(object) &&
           (size_t)PyUnicode_GET_LENGTH(object) == length &&
           memcmp(PyUnicode_DATA(object), text, length) == 0;
}

#define IS_TEXT(object, text) is_text(object, text, sizeof(text) - 1)

/* Whether it is set and true; -1 with an exception. */
static int flagged(PyObject *message, PyObject *key) {
    PyObject *value = PyDict_GetItemWithError(message, key);
    return value == NULL ? (PyErr_Occurred() ? -1 : 0) : PyObject_IsTrue(value);
}

static int start_seen(am_exchange *self, PyObject *message) {
    int trailers = flagged(message, names.trailers); /* first: may run code that changes the message */
    PyObject *status = PyDict_GetItemWithError(message, names.status);
    if (status == NULL || !PyLong_Check(status) || trailers < 0) return 0;
    long number = PyLong_AsLong(status);
    if (number < 0 || number > 999) return 0;
    self->status = (int)number;
    self->trailers = (char)trailers;
    return 1;
}

static int body_seen(am_exchange *self, PyObject *message) {
    int more = flagged(message, names.more_body);
    if (more < 0) return 0;
    self->ending = !(self->trailers || more);
    return 1;
}

int am_response_follow(am_exchange *self, PyObject *message) {
    if (!PyDict_Check(message)) return 0;
    PyObject *type = PyDict_GetItemWithError(message, names.type);
    int done = 0;
    if (IS_TEXT(type, "http.response.body")) done = body_seen(self, message);
    else if (IS_TEXT(type, "http.response.start")) done = start_seen(self, message);
    if (PyErr_Occurred()) PyErr_Clear(); /* whoever handles the message will raise it again */
    return done;
}

int am_response_init(void) {
    const struct {
        PyObject **name;
        const char *text;
    } wanted[] = {
        {&names.type, "type"},
        {&names.more_body, "more_body"},
        {&names.status, "status"},
        {&names.trailers, "trailers"},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if ((*wanted[i].name = PyUnicode_InternFromString(wanted[i].text)) == NULL) return -1;
    return 0;
}
