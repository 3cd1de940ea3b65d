#include "construction.h"

#include "context.h"

static struct {
    PyTypeObject *type;
    initproc initialise; /* its own */
    PyObject *begin;     /* NULL: nobody follows */
} followed;

/* Ours fail alone; whatever else comes up, such as KeyboardInterrupt, is meant for the program. */
static int drop_error(PyObject *function) {
    if (!PyErr_ExceptionMatches(PyExc_Exception)) return 0;
    PyErr_WriteUnraisable(function);
    return 1;
}

static int finish(PyObject *follow, PyObject *object) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    am_own_begin();
    PyObject *result = PyObject_CallOneArg(follow, object);
    am_own_end();
    Py_XDECREF(result);
    if (result == NULL && !drop_error(follow) && type == NULL) return -1;
    PyErr_Restore(type, value, traceback);
    return type == NULL ? 0 : -1;
}

static int followed_initialise(PyObject *self, PyObject *args, PyObject *kwargs) {
    if (followed.begin == NULL) return followed.initialise(self, args, kwargs);
    PyObject *begin = Py_NewRef(followed.begin);
    am_own_begin();
    PyObject *begun = PyObject_CallFunctionObjArgs(begin, args, kwargs ? kwargs : Py_None, NULL);
    am_own_end();
    int failed = begun == NULL && !drop_error(begin);
    Py_DECREF(begin);
    if (failed) return -1;
    if (begun == NULL || !PyTuple_Check(begun) || PyTuple_GET_SIZE(begun) != 2) {
        Py_XDECREF(begun);
        return followed.initialise(self, args, kwargs);
    }
    int status = followed.initialise(self, args, PyTuple_GET_ITEM(begun, 0));
    status = finish(PyTuple_GET_ITEM(begun, 1), status < 0 ? Py_None : self);
    Py_DECREF(begun);
    return status;
}

/* Types that were derived from it before have copied its slot, unless they have one of their own. */
static int take_part_in_derived(PyTypeObject *type) {
    PyObject *derived = PyObject_CallMethod((PyObject *)type, "__subclasses__", NULL);
    if (derived == NULL) return -1;
    int failed = 0;
    for (Py_ssize_t i = 0; !failed && i < PyList_GET_SIZE(derived); i++) {
        PyTypeObject *below = (PyTypeObject *)PyList_GET_ITEM(derived, i);
        if (below->tp_init == followed.initialise) below->tp_init = followed_initialise;
        failed = take_part_in_derived(below) < 0;
    }
    Py_DECREF(derived);
    return failed ? -1 : 0;
}

/* The slot serves calls of the type; the wrapper serves super().__init__ in types derived from it. */
static int take_part(PyTypeObject *type) {
    PyObject *wrapper = PyObject_GetAttrString((PyObject *)type, "__init__");
    if (wrapper == NULL) return -1;
    if (!Py_IS_TYPE(wrapper, &PyWrapperDescr_Type) || type->tp_init == NULL) {
        Py_DECREF(wrapper);
        PyErr_Format(PyExc_TypeError, "%.100s has no initialiser in C", type->tp_name);
        return -1;
    }
    followed.initialise = type->tp_init;
    Py_XSETREF(followed.type, (PyTypeObject *)Py_NewRef(type));
    type->tp_init = followed_initialise;
    ((PyWrapperDescrObject *)wrapper)->d_wrapped = (void *)(uintptr_t)followed_initialise;
    Py_DECREF(wrapper);
    return take_part_in_derived(type);
}

int am_construction_follow(PyObject *type, PyObject *begin) {
    if (!PyType_Check(type)) {
        PyErr_SetString(PyExc_TypeError, "what is followed must be a type");
        return -1;
    }
    /* Types derived from it may have inherited our function, so it stays, and passes calls on. */
    if (begin != Py_None && ((PyTypeObject *)type)->tp_init != followed_initialise &&
        take_part((PyTypeObject *)type) < 0)
        return -1;
    Py_XSETREF(followed.begin, begin == Py_None ? NULL : Py_NewRef(begin));
    return 0;
}
