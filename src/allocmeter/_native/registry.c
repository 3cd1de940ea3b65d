#include "registry.h"

#include <structmember.h>

#define OTHER "(other)"

typedef struct {
    PyObject_HEAD
    am_aggregate *aggregate;
} aggregate_object_t;

static void aggregate_dealloc(PyObject *self) {
    am_aggregate_drop(((aggregate_object_t *)self)->aggregate);
    Py_TYPE(self)->tp_free(self);
}

static PyTypeObject aggregate_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "allocmeter._native.Aggregate",
    .tp_basicsize = sizeof(aggregate_object_t),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = aggregate_dealloc,
};

static PyObject *aggregate_object_new(void) {
    am_aggregate *aggregate = am_aggregate_new();
    if (aggregate == NULL) return PyErr_NoMemory();
    aggregate_object_t *object = PyObject_New(aggregate_object_t, &aggregate_type);
    if (object == NULL) {
        am_aggregate_drop(aggregate);
        return NULL;
    }
    object->aggregate = aggregate;
    return (PyObject *)object;
}

am_aggregate *am_aggregate_of(PyObject *object) {
    if (Py_IS_TYPE(object, &aggregate_type)) return ((aggregate_object_t *)object)->aggregate;
    PyErr_SetString(PyExc_TypeError, "not an aggregate");
    return NULL;
}

typedef struct {
    PyObject_HEAD
    PyObject *aggregates; /* dict: name -> aggregate object, in the order of their first scope */
    Py_ssize_t max_names;
} registry_t;

static PyObject *registry_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"max_names", NULL};
    Py_ssize_t max_names = 1000;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|n:Registry", keywords, &max_names))
        return NULL;
    if (max_names < 1)
        return PyErr_Format(PyExc_ValueError, "max_names must be at least 1, not %zd", max_names);
    registry_t *self = (registry_t *)type->tp_alloc(type, 0);
    if (self == NULL) return NULL;
    self->max_names = max_names;
    self->aggregates = PyDict_New();
    if (self->aggregates == NULL) Py_CLEAR(self);
    return (PyObject *)self;
}

static void registry_dealloc(PyObject *self) {
    Py_XDECREF(((registry_t *)self)->aggregates);
    Py_TYPE(self)->tp_free(self);
}

static PyMemberDef registry_members[] = {
    {"_aggregates", T_OBJECT_EX, offsetof(registry_t, aggregates), READONLY, NULL},
    {"max_names", T_PYSSIZET, offsetof(registry_t, max_names), READONLY,
     "How many distinct names are kept apart; the scopes of further names go to \"(other)\"."},
    {NULL, 0, 0, 0, NULL},
};

PyTypeObject am_registry_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "allocmeter._native.NativeRegistry",
    .tp_basicsize = sizeof(registry_t),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_new = registry_new,
    .tp_dealloc = registry_dealloc,
    .tp_members = registry_members,
};

int am_registry_init(void) {
    return PyType_Ready(&aggregate_type) < 0 || PyType_Ready(&am_registry_type) < 0 ? -1 : 0;
}

static PyObject *find_or_make(PyObject *aggregates, PyObject *name) {
    PyObject *object = PyDict_GetItemWithError(aggregates, name);
    if (object != NULL || PyErr_Occurred()) return object;
    object = aggregate_object_new();
    if (object == NULL) return NULL;
    int failed = PyDict_SetItem(aggregates, name, object);
    Py_DECREF(object); /* the dict keeps it */
    return failed ? NULL : object;
}

am_aggregate *am_registry_find(PyObject *registry, PyObject *name) {
    registry_t *self = (registry_t *)registry;
    PyObject *object = PyDict_GetItemWithError(self->aggregates, name);
    if (object == NULL && !PyErr_Occurred()) {
        if (PyDict_GET_SIZE(self->aggregates) < self->max_names) {
            object = find_or_make(self->aggregates, name);
        } else {
            PyObject *other = PyUnicode_InternFromString(OTHER);
            if (other == NULL) return NULL;
            object = find_or_make(self->aggregates, other);
            Py_DECREF(other);
        }
    }
    return object == NULL ? NULL : ((aggregate_object_t *)object)->aggregate;
}
