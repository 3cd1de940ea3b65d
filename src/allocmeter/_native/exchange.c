#include "exchange.h"

#include <structmember.h>

#include "crossing.h"
#include "ownership.h"
#include "response.h"
#include "route_names.h"

/* What the derived class is called by, and what ASGI calls things. */
static struct {
    PyObject *sending, *sending_unusual, *sent, *refused, *asked, *received, *received_unusual;
    PyObject *ended, *failed;
    PyObject *route, *inclusions, *inclusion, *template, *mounted;
    PyObject *type;
} names;

int am_exchange_contained(PyObject *object, PyObject *method) {
    if (!PyErr_ExceptionMatches(PyExc_Exception)) return -1;
    PyObject *type, *value, *traceback;
    PyObject *type_before, *value_before, *traceback_before;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL) PyException_SetTraceback(value, traceback);
    PyErr_GetExcInfo(&type_before, &value_before, &traceback_before);
    PyErr_SetExcInfo(type, value, traceback);
    PyObject *done = PyObject_CallMethodNoArgs(object, method);
    int ours = done != NULL || PyErr_ExceptionMatches(PyExc_Exception);
    if (done == NULL && ours) PyErr_WriteUnraisable(object);
    Py_XDECREF(done);
    PyErr_SetExcInfo(type_before, value_before, traceback_before);
    return ours ? 0 : -1;
}

/* A method of the derived class has raised. What is none of the program's business stays here. */
static int contained(am_exchange *self) {
    return am_exchange_contained((PyObject *)self, names.failed);
}

static int told(am_exchange *self, PyObject *method, PyObject *argument) {
    PyObject *done = argument == NULL
                         ? PyObject_CallMethodNoArgs((PyObject *)self, method)
                         : PyObject_CallMethodOneArg((PyObject *)self, method, argument);
    if (done == NULL) return contained(self);
    Py_DECREF(done);
    return 0;
}

int am_exchange_received(am_exchange *self, PyObject *message) {
    if (self->scope == NULL) return 0; /* garbage that is being collected */
    if (!PyDict_Check(message)) return told(self, names.received_unusual, message);
    PyObject *type = PyDict_GetItemWithError(message, names.type);
    int notable = 0;
    if (type != NULL) { /* whose hash may be a method that takes it out of the message */
        Py_INCREF(type);
        notable = PySet_Contains(self->notable, type);
        Py_DECREF(type);
    }
    if (notable < 0 || PyErr_Occurred()) return contained(self);
    return notable ? told(self, names.received, message) : 0;
}

/* The name that requests of this method to this route got before, borrowed; NULL: unknown, or it may
 * depend on something else that is in the scope. An exception may be set. */
static PyObject *known_name(am_exchange *self) {
    PyObject *asgi_scope = self->asgi_scope, *inclusion = NULL;
    if (self->known == Py_None || !PyDict_CheckExact(asgi_scope)) return NULL;
    PyObject *route = PyDict_GetItemWithError(asgi_scope, names.route);
    if (route == NULL || PyDict_Contains(asgi_scope, names.template) != 0 ||
        PyDict_Contains(asgi_scope, names.mounted) != 0)
        return NULL;
    PyObject *inclusions = PyDict_GetItemWithError(asgi_scope, names.inclusions);
    if (inclusions != NULL) {
        if (!PyDict_CheckExact(inclusions)) return NULL;
        inclusion = PyDict_GetItemWithError(inclusions, names.inclusion);
        if (inclusion == Py_None) inclusion = NULL;
    }
    return am_route_names_find(self->known, route, inclusion, self->method);
}

/* Closes the scope of a request that has succeeded; 0: that is for the derived class to do. */
static int closed(am_exchange *self) {
    if (!self->plain || self->status >= 400 || self->scope->state != AM_SCOPE_OPEN) return 0;
    PyObject *name = known_name(self);
    if (name == NULL) {
        PyErr_Clear();
        return 0;
    }
    /* A scope without a name is to be counted nowhere. */
    if (self->scope->name != Py_None) Py_XSETREF(self->scope->name, Py_NewRef(name));
    return am_scope_close(self->scope, NULL) < 0 ? -1 : 1;
}

int am_exchange_sent(am_exchange *self) {
    if (!self->ending || self->scope == NULL) return 0;
    self->ending = 0;
    int done = closed(self);
    return done != 0 ? (done < 0 ? -1 : 0) : told(self, names.sent, NULL);
}

int am_exchange_refused(am_exchange *self) { return told(self, names.refused, NULL); }

/* What to send, a new reference; NULL with an exception that nobody may catch. */
static PyObject *sending(am_exchange *self, PyObject *message) {
    if (self->plain && am_response_follow(self, message)) return Py_NewRef(message);
    PyObject *method = PyDict_Check(message) ? names.sending : names.sending_unusual;
    PyObject *changed = PyObject_CallMethodOneArg((PyObject *)self, method, message);
    if (changed != NULL) return changed;
    return contained(self) < 0 ? NULL : Py_NewRef(message);
}

static am_exchange *begun(PyObject *object) {
    am_exchange *self = (am_exchange *)object;
    if (self->scope != NULL) return self;
    PyErr_SetString(PyExc_RuntimeError, "this exchange has not begun");
    return NULL;
}

static PyObject *exchange_send(PyObject *object, PyObject *message) {
    am_exchange *self = begun(object);
    if (self == NULL) return NULL;
    am_own_begin();
    PyObject *changed = sending(self, message);
    PyObject *crossing = changed == NULL ? NULL : am_crossing_new(self, changed);
    Py_XDECREF(changed);
    am_own_end();
    return crossing;
}

static PyObject *exchange_receive(PyObject *object, PyObject *unused) {
    am_exchange *self = begun(object);
    (void)unused;
    if (self == NULL) return NULL;
    am_own_begin();
    int failed = !self->plain && told(self, names.asked, NULL) < 0;
    PyObject *crossing = failed ? NULL : am_crossing_new(self, NULL);
    am_own_end();
    return crossing;
}

/* An open scope is left with a look at the hooks, which may have been lost meanwhile. */
static void leave_scope(am_exchange *self) {
    am_scope *scope = self->scope;
    if (scope->state == AM_SCOPE_CLOSED && scope->entered && am_twins_leave(&self->twins))
        scope->entered = 0;
    else
        am_scope_pause(scope);
    am_scope_abandon(scope);
}

static PyObject *exchange_leave(PyObject *object, PyObject *error) {
    am_exchange *self = begun(object);
    if (self == NULL) return NULL;
    am_own_begin();
    leave_scope(self);
    am_twins_clear(&self->twins);
    /* Nearly always the response has ended before, and the scope with it. */
    int settled = self->plain && self->scope->state == AM_SCOPE_CLOSED;
    int failed = !settled && told(self, names.ended, error) < 0;
    am_own_end();
    if (failed) return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef exchange_methods[] = {
    {"receive", exchange_receive, METH_NOARGS, NULL},
    {"send", exchange_send, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

/* Called as a method, which makes no object. */
static PyMethodDef exchange_plain_methods[] = {
    {"leave", exchange_leave, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef exchange_members[] = {
    {"_measuring", T_OBJECT_EX, offsetof(am_exchange, measuring), READONLY, NULL},
    {"_scope", T_OBJECT_EX, offsetof(am_exchange, scope), READONLY, NULL},
    {"_asgi_scope", T_OBJECT_EX, offsetof(am_exchange, asgi_scope), READONLY, NULL},
    {"_method", T_OBJECT_EX, offsetof(am_exchange, method), READONLY, NULL},
    {"_path", T_OBJECT_EX, offsetof(am_exchange, path), READONLY, NULL},
    {"_root_path", T_OBJECT_EX, offsetof(am_exchange, root_path), READONLY, NULL},
    {"_status", T_INT, offsetof(am_exchange, status), 0, NULL},
    {"_ending", T_BOOL, offsetof(am_exchange, ending), 0, NULL},
    {"_trailers", T_BOOL, offsetof(am_exchange, trailers), 0, NULL},
    {"_disconnected", T_BOOL, offsetof(am_exchange, disconnected), 0, NULL},
    {"_abandoned", T_BOOL, offsetof(am_exchange, abandoned), 0, NULL},
    {"_plain", T_BOOL, offsetof(am_exchange, plain), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static int exchange_traverse(PyObject *object, visitproc visit, void *arg) {
    am_exchange *self = (am_exchange *)object;
    Py_VISIT((PyObject *)self->scope);
    Py_VISIT(self->asgi_scope);
    Py_VISIT(self->receive);
    Py_VISIT(self->send);
    Py_VISIT(self->measuring);
    Py_VISIT(self->known);
    Py_VISIT(self->twins.within);
    Py_VISIT(self->twins.without);
    return 0;
}

static int exchange_clear(PyObject *object) {
    am_exchange *self = (am_exchange *)object;
    Py_CLEAR(self->scope);
    Py_CLEAR(self->asgi_scope);
    Py_CLEAR(self->receive);
    Py_CLEAR(self->send);
    Py_CLEAR(self->measuring);
    Py_CLEAR(self->known);
    am_twins_clear(&self->twins);
    return 0;
}

static void exchange_dealloc(PyObject *object) {
    PyObject_GC_UnTrack(object);
    (void)exchange_clear(object);
    am_exchange *self = (am_exchange *)object;
    Py_XDECREF(self->method);
    Py_XDECREF(self->path);
    Py_XDECREF(self->root_path);
    Py_XDECREF(self->notable);
    am_own_free(object);
}

PyTypeObject am_exchange_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "allocmeter._native.NativeExchange",
    .tp_basicsize = sizeof(am_exchange),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_dealloc = exchange_dealloc,
    .tp_traverse = exchange_traverse,
    .tp_clear = exchange_clear,
    .tp_methods = exchange_plain_methods,
    .tp_members = exchange_members,
};

int am_exchange_init(void) {
    const struct {
        PyObject **name;
        const char *text;
    } wanted[] = {
        {&names.sending, "sending"},
        {&names.sending_unusual, "sending_unusual"},
        {&names.sent, "sent"},
        {&names.refused, "refused"},
        {&names.asked, "asked"},
        {&names.received, "received"},
        {&names.received_unusual, "received_unusual"},
        {&names.ended, "ended"},
        {&names.failed, "failed"},
        {&names.type, "type"},
        {&names.route, "route"},
        {&names.inclusions, "fastapi"},
        {&names.inclusion, "effective_route_context"},
        {&names.template, "path_template"},
        {&names.mounted, "app_root_path"},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if ((*wanted[i].name = PyUnicode_InternFromString(wanted[i].text)) == NULL) return -1;
    if (PyType_Ready(&am_exchange_type) < 0 || am_crossing_init() < 0 || am_response_init() < 0)
        return -1;
    return am_own_methods_add(&am_exchange_type, exchange_methods);
}
