#include "crossing.h"

#include "awaiting.h"
#include "ownership.h"

enum { NEW, RUNNING, FINISHED };

typedef struct {
    PyObject_HEAD
    am_exchange *exchange;
    PyObject *message; /* NULL: to receive one */
    PyObject *inner;   /* what the server's coroutine is iterated by */
    am_holder *inside; /* between steps: what the server's code had made current; or NULL */
    char state;
    char stepping; /* the server's code runs right now: no other step may begin */
} crossing_t;

/* Crossings that are done with, for the next ones: a request makes two and more, one after the other,
 * and making an object costs as much as all that one does. Under the interpreter lock. */
enum { MOST_SPARE = 16 };
static crossing_t *spare[MOST_SPARE];
static int spares;

static crossing_t *crossing_made(void) {
    if (spares == 0) return PyObject_GC_New(crossing_t, &am_crossing_type);
    return (crossing_t *)PyObject_Init((PyObject *)spare[--spares], &am_crossing_type);
}

PyObject *am_crossing_new(am_exchange *exchange, PyObject *message) {
    crossing_t *self = crossing_made();
    if (self == NULL) return NULL;
    self->exchange = (am_exchange *)Py_NewRef(exchange);
    self->message = Py_XNewRef(message);
    self->inner = NULL;
    self->inside = NULL;
    self->state = NEW;
    self->stepping = 0;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

/* Around every stretch of the server's code: no other step may begin, and no scope is current. 0, or
 * -1 with an exception set. */
static int step_begin(crossing_t *self, am_absence *absence) {
    static am_twins nothing; /* the collector has taken the exchange apart */
    am_twins *known = self->exchange == NULL ? &nothing : &self->exchange->twins;
    if (am_absence_begin(absence, known, self->inside) < 0) return -1;
    self->stepping = 1;
    return 0;
}

static void step_end(crossing_t *self, am_absence *absence) {
    self->stepping = 0;
    Py_XSETREF(self->inside, am_absence_end(absence));
}

static int begin(crossing_t *self) {
    PyObject *call = self->message == NULL ? self->exchange->receive : self->exchange->send;
    if (call == NULL) { /* the collector has taken it apart */
        PyErr_SetString(PyExc_RuntimeError, "this exchange is gone");
        return -1;
    }
    self->state = RUNNING;
    PyObject *awaitable = self->message == NULL ? PyObject_CallNoArgs(call)
                                                : PyObject_CallOneArg(call, self->message);
    if (awaitable == NULL) return -1;
    self->inner = am_await_iterator(awaitable);
    Py_DECREF(awaitable);
    return self->inner == NULL ? -1 : 0;
}

/* The server has returned `result`; what is to be said of it. */
static int returned(crossing_t *self, PyObject *result) {
    return self->message == NULL ? am_exchange_received(self->exchange, result)
                                 : am_exchange_sent(self->exchange);
}

/* After the last step: with the server's result, or NULL and an exception set. The same is the
 * outcome, unless it has to be replaced by an exception that nobody may catch. */
static PyObject *finish(crossing_t *self, PyObject *result) {
    PyObject *type, *value, *traceback;
    self->state = FINISHED;
    PyErr_Fetch(&type, &value, &traceback);
    am_own_begin();
    if (result != NULL) {
        if (returned(self, result) < 0) Py_CLEAR(result);
    } else {
        int refused = self->message != NULL && PyErr_GivenExceptionMatches(type, PyExc_OSError);
        if (refused && am_exchange_refused(self->exchange) < 0) {
            Py_DECREF(type);
            Py_XDECREF(value);
            Py_XDECREF(traceback);
        } else {
            PyErr_Restore(type, value, traceback);
        }
    }
    Py_CLEAR(self->inner);
    Py_CLEAR(self->inside);
    Py_CLEAR(self->message);
    Py_CLEAR(self->exchange);
    am_own_end();
    return result;
}

/* As a coroutine says it. Another thread may try as well, or the server's own code. */
static int is_stepping(const crossing_t *self) {
    if (!self->stepping) return 0;
    PyErr_SetString(PyExc_ValueError, "coroutine already executing");
    return 1;
}

static PySendResult crossing_step(PyObject *object, PyObject *value, PyObject **result) {
    crossing_t *self = (crossing_t *)object;
    *result = NULL;
    if (is_stepping(self)) return PYGEN_ERROR;
    if (self->state == FINISHED) {
        PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
        return PYGEN_ERROR;
    }
    PySendResult step = PYGEN_ERROR;
    am_absence absence;
    if (step_begin(self, &absence) < 0) return PYGEN_ERROR;
    if (self->state == RUNNING || begin(self) == 0) step = PyIter_Send(self->inner, value, result);
    step_end(self, &absence);
    if (step == PYGEN_NEXT) return step;
    *result = finish(self, *result);
    return *result == NULL ? PYGEN_ERROR : PYGEN_RETURN;
}

static PyObject *crossing_send(PyObject *self, PyObject *value) {
    PyObject *result;
    PySendResult step = crossing_step(self, value, &result);
    return am_stepped(step, result);
}

static PyObject *crossing_next(PyObject *self) {
    PyObject *result;
    PySendResult step = crossing_step(self, Py_None, &result);
    return am_iterated(step, result);
}

static PyObject *crossing_throw(PyObject *object, PyObject *args) {
    crossing_t *self = (crossing_t *)object;
    PyObject *type, *value = NULL, *traceback = NULL;
    if (!PyArg_ParseTuple(args, "O|OO:throw", &type, &value, &traceback)) return NULL;
    if (is_stepping(self)) return NULL;
    if (self->state != RUNNING) {
        am_raise_thrown(type, value);
        return self->state == NEW ? finish(self, NULL) : NULL;
    }
    am_absence absence;
    if (step_begin(self, &absence) < 0) return NULL;
    PyObject *throw = PyObject_GetAttrString(self->inner, "throw");
    PyObject *yielded = NULL;
    if (throw != NULL) {
        yielded = PyObject_CallObject(throw, args);
        Py_DECREF(throw);
    } else if (PyErr_ExceptionMatches(PyExc_AttributeError)) { /* a plain iterator has none */
        PyErr_Clear();
        am_raise_thrown(type, value);
    }
    step_end(self, &absence);
    if (yielded != NULL) return yielded;
    PyObject *result = finish(self, am_stop_taken());
    return result == NULL ? NULL : am_stepped(PYGEN_RETURN, result);
}

static PyObject *crossing_close(PyObject *object, PyObject *unused) {
    crossing_t *self = (crossing_t *)object;
    (void)unused;
    if (is_stepping(self)) return NULL;
    if (self->state == RUNNING) {
        am_absence absence;
        if (step_begin(self, &absence) < 0) return NULL;
        PyObject *close = PyObject_GetAttrString(self->inner, "close");
        PyObject *closed = close == NULL ? NULL : PyObject_CallNoArgs(close);
        if (close == NULL) PyErr_Clear();
        int failed = close != NULL && closed == NULL;
        Py_XDECREF(close);
        Py_XDECREF(closed);
        step_end(self, &absence);
        if (!failed) PyErr_SetNone(PyExc_GeneratorExit);
        (void)finish(self, NULL);
        if (failed) return NULL;
        PyErr_Clear();
    }
    self->state = FINISHED;
    Py_RETURN_NONE;
}

static PyObject *itself(PyObject *self) { return Py_NewRef(self); }

static PyObject *awaited(PyObject *object) {
    if (((crossing_t *)object)->state != RUNNING) return Py_NewRef(object);
    PyErr_SetString(PyExc_RuntimeError, "coroutine is being awaited already");
    return NULL;
}

static PyMethodDef crossing_methods[] = {
    {"send", crossing_send, METH_O, NULL},
    {"throw", crossing_throw, METH_VARARGS, NULL},
    {"close", crossing_close, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyAsyncMethods crossing_as_async = {.am_await = awaited, .am_send = crossing_step};

static int crossing_traverse(PyObject *object, visitproc visit, void *arg) {
    crossing_t *self = (crossing_t *)object;
    Py_VISIT((PyObject *)self->exchange);
    Py_VISIT((PyObject *)self->inside);
    Py_VISIT(self->message);
    Py_VISIT(self->inner);
    return 0;
}

static int crossing_clear(PyObject *object) {
    crossing_t *self = (crossing_t *)object;
    self->state = FINISHED;
    Py_CLEAR(self->exchange);
    Py_CLEAR(self->inside);
    Py_CLEAR(self->message);
    Py_CLEAR(self->inner);
    return 0;
}

static void crossing_dealloc(PyObject *object) {
    PyObject_GC_UnTrack(object);
    (void)crossing_clear(object);
    if (spares < MOST_SPARE) spare[spares++] = (crossing_t *)object;
    else am_own_free(object);
}

PyTypeObject am_crossing_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "allocmeter._native.Crossing",
    .tp_basicsize = sizeof(crossing_t),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = crossing_dealloc,
    .tp_traverse = crossing_traverse,
    .tp_clear = crossing_clear,
    .tp_as_async = &crossing_as_async,
    .tp_iter = itself,
    .tp_iternext = crossing_next,
    .tp_methods = crossing_methods,
};

int am_crossing_init(void) { return PyType_Ready(&am_crossing_type); }
