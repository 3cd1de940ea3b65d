#include "ownership.h"

/* A method whose bound object is made in an own section. */
typedef struct {
    PyObject_HEAD
    PyMethodDef *method;
    PyTypeObject *owner; /* the static type that has it */
} own_method_t;

static PyObject *own_method_bind(PyObject *self, PyObject *object, PyObject *type) {
    (void)type;
    own_method_t *descriptor = (own_method_t *)self;
    if (object == NULL) return Py_NewRef(self);
    if (!PyObject_TypeCheck(object, descriptor->owner)) {
        PyErr_Format(PyExc_TypeError, "%s needs a %s object, not %.100s",
                     descriptor->method->ml_name, descriptor->owner->tp_name,
                     Py_TYPE(object)->tp_name);
        return NULL;
    }
    am_own_begin();
    PyObject *bound = PyCFunction_New(descriptor->method, object);
    am_collector_hand_out(1);
    am_own_end();
    return bound;
}

/* Called through the class, as contextlib.ExitStack does: the first argument is the object. */
static PyObject *own_method_call(PyObject *self, PyObject *args, PyObject *kwargs) {
    if (PyTuple_GET_SIZE(args) == 0) {
        PyErr_SetString(PyExc_TypeError, "the object to call this method on is missing");
        return NULL;
    }
    PyObject *bound = own_method_bind(self, PyTuple_GET_ITEM(args, 0), NULL);
    if (bound == NULL) return NULL;
    PyObject *rest = PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args));
    PyObject *result = rest != NULL ? PyObject_Call(bound, rest, kwargs) : NULL;
    Py_DECREF(bound);
    Py_XDECREF(rest);
    return result;
}

static PyObject *own_method_name(PyObject *self, void *unused) {
    (void)unused;
    return PyUnicode_FromString(((own_method_t *)self)->method->ml_name);
}

static PyObject *own_method_doc(PyObject *self, void *unused) {
    (void)unused;
    const char *doc = ((own_method_t *)self)->method->ml_doc;
    if (doc == NULL) Py_RETURN_NONE;
    return PyUnicode_FromString(doc);
}

static PyGetSetDef own_method_getset[] = {
    {"__name__", own_method_name, NULL, NULL, NULL},
    {"__doc__", own_method_doc, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyTypeObject own_method_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "allocmeter._native.OwnMethod",
    .tp_basicsize = sizeof(own_method_t),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_descr_get = own_method_bind,
    .tp_call = own_method_call,
    .tp_getset = own_method_getset,
};

int am_own_methods_add(PyTypeObject *type, PyMethodDef *methods) {
    for (PyMethodDef *method = methods; method->ml_name != NULL; method++) {
        own_method_t *descriptor = PyObject_New(own_method_t, &own_method_type);
        if (descriptor == NULL) return -1;
        descriptor->method = method;
        descriptor->owner = type;
        int failed =
            PyDict_SetItemString(type->tp_dict, method->ml_name, (PyObject *)descriptor);
        Py_DECREF(descriptor);
        if (failed) return -1;
    }
    PyType_Modified(type);
    return 0;
}

PyObject *am_own_alloc(PyTypeObject *type) {
    am_own_begin();
    PyObject *self = type->tp_alloc(type, 0);
    am_own_end();
    return self;
}

void am_own_free(PyObject *object) {
    am_collector_hold();
    Py_TYPE(object)->tp_free(object);
    am_collector_release();
}

static PyObject *guard_enter(PyObject *self, PyObject *unused) {
    (void)unused;
    am_own_begin_lasting();
    return Py_NewRef(self);
}

static PyObject *guard_exit(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    (void)self, (void)args, (void)count;
    if (AM_HOLDS(am_thread.own_depth != 0, AM_SECTION_BEGUN)) am_own_end_lasting();
    Py_RETURN_NONE;
}

static PyMethodDef guard_methods[] = {
    {"__enter__", guard_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)(void (*)(void))guard_exit, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject guard_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "allocmeter._native.OwnGuard",
    .tp_basicsize = sizeof(PyObject),
    .tp_flags = Py_TPFLAGS_DEFAULT,
};

PyObject *am_own_guard(void) { return (PyObject *)PyObject_New(PyObject, &guard_type); }

int am_ownership_init(void) {
    if (PyType_Ready(&own_method_type) < 0 || PyType_Ready(&guard_type) < 0) return -1;
    return am_own_methods_add(&guard_type, guard_methods);
}
