#include "ready.h"

#include "awaiting.h"

typedef struct {
    PyObject_HEAD
    PyObject *result; /* NULL: handed over */
} ready_t;

/* Those that are done with, for the next ones. */
enum { MOST_SPARE = 8 };
static ready_t *spare[MOST_SPARE];
static int spares;

static PyTypeObject ready_type;

PyObject *am_ready(PyObject *result) {
    ready_t *self = spares == 0
                        ? PyObject_New(ready_t, &ready_type)
                        : (ready_t *)PyObject_Init((PyObject *)spare[--spares], &ready_type);
    if (self != NULL) self->result = Py_NewRef(result);
    return (PyObject *)self;
}

static PySendResult ready_step(PyObject *object, PyObject *sent, PyObject **result) {
    ready_t *self = (ready_t *)object;
    (void)sent;
    *result = self->result;
    self->result = NULL;
    if (*result != NULL) return PYGEN_RETURN;
    PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
    return PYGEN_ERROR;
}

static PyObject *ready_send(PyObject *self, PyObject *sent) {
    PyObject *result;
    PySendResult step = ready_step(self, sent, &result);
    return am_stepped(step, result);
}

static PyObject *ready_next(PyObject *self) {
    PyObject *result;
    PySendResult step = ready_step(self, Py_None, &result);
    return am_iterated(step, result);
}

static PyObject *ready_close(PyObject *object, PyObject *unused) {
    (void)unused;
    Py_CLEAR(((ready_t *)object)->result);
    Py_RETURN_NONE;
}

static PyObject *ready_throw(PyObject *object, PyObject *args) {
    PyObject *type, *value = NULL, *traceback = NULL;
    if (!PyArg_ParseTuple(args, "O|OO:throw", &type, &value, &traceback)) return NULL;
    Py_CLEAR(((ready_t *)object)->result);
    am_raise_thrown(type, value);
    return NULL;
}

static PyObject *itself(PyObject *self) { return Py_NewRef(self); }

static void ready_dealloc(PyObject *object) {
    Py_CLEAR(((ready_t *)object)->result);
    if (spares < MOST_SPARE) spare[spares++] = (ready_t *)object;
    else PyObject_Free(object);
}

static PyMethodDef ready_methods[] = {
    {"send", ready_send, METH_O, NULL},
    {"throw", ready_throw, METH_VARARGS, NULL},
    {"close", ready_close, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyAsyncMethods ready_as_async = {.am_await = itself, .am_send = ready_step};

static PyTypeObject ready_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "allocmeter._native.Ready",
    .tp_basicsize = sizeof(ready_t),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = ready_dealloc,
    .tp_as_async = &ready_as_async,
    .tp_iter = itself,
    .tp_iternext = ready_next,
    .tp_methods = ready_methods,
};

int am_ready_init(void) { return PyType_Ready(&ready_type); }
