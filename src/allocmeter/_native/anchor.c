/* An anchor makes a permanent node current: the root for work that belongs to no scope, or our own
 * node for tasks that work for the library. */
#include "ownership.h"
#include "scope.h"

/* For one block: the context it was entered in may hold it for longer, as may copies of that. */
enum { NEW, ENTERED, LEFT };

typedef struct {
    am_holder holder;
    char state;
} anchor_t;

static PyObject *anchor_make(PyTypeObject *type, uint32_t node) {
    anchor_t *self = (anchor_t *)am_own_alloc(type);
    if (self != NULL) self->holder.node = node;
    return (PyObject *)self;
}

static PyObject *anchor_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    if (PyTuple_GET_SIZE(args) != 0 || (kwargs != NULL && PyDict_GET_SIZE(kwargs) != 0)) {
        PyErr_SetString(PyExc_TypeError, "detached() takes no arguments");
        return NULL;
    }
    return anchor_make(type, AM_ROOT);
}

PyObject *am_own_anchor(void) { return anchor_make(&am_anchor_type, AM_OWN); }

static int anchor_traverse(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT((PyObject *)((anchor_t *)self)->holder.previous);
    return 0;
}

static int anchor_clear(PyObject *self) {
    Py_CLEAR(((anchor_t *)self)->holder.previous);
    return 0;
}

static void anchor_dealloc(PyObject *self) {
    PyObject_GC_UnTrack(self);
    (void)anchor_clear(self);
    am_own_free(self);
}

static PyObject *anchor_enter(PyObject *object, PyObject *unused) {
    anchor_t *self = (anchor_t *)object;
    (void)unused;
    if (self->state != NEW) {
        PyErr_Format(PyExc_RuntimeError, "this object %s; write detached() anew for each block",
                     self->state == ENTERED ? "is entered already" : "has been used");
        return NULL;
    }
    am_own_begin();
    int failed = am_context_enter(&self->holder, NULL) < 0;
    am_own_end();
    if (failed) return NULL;
    self->state = ENTERED;
    return Py_NewRef(object);
}

static PyObject *anchor_exit(PyObject *object, PyObject *const *args, Py_ssize_t count) {
    anchor_t *self = (anchor_t *)object;
    (void)args, (void)count;
    am_own_begin();
    if (self->state == ENTERED) {
        am_context_leave(&self->holder);
        self->state = LEFT;
    }
    am_own_end();
    Py_RETURN_NONE;
}

static PyMethodDef anchor_methods[] = {
    {"__enter__", anchor_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)(void (*)(void))anchor_exit, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

PyTypeObject am_anchor_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "allocmeter._native.NativeAnchor",
    .tp_basicsize = sizeof(anchor_t),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_new = anchor_new,
    .tp_dealloc = anchor_dealloc,
    .tp_traverse = anchor_traverse,
    .tp_clear = anchor_clear,
};

int am_anchor_init(void) {
    if (PyType_Ready(&am_anchor_type) < 0) return -1;
    return am_own_methods_add(&am_anchor_type, anchor_methods);
}
