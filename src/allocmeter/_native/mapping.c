/* The structure of a context is only declared for parts of the interpreter itself. */
#define Py_BUILD_CORE 1
#include <Python.h>
#include <internal/pycore_context.h>
#undef Py_BUILD_CORE

#include "mapping.h"

#include "recall.h"

#include <string.h>

int am_mapping_is_trusted;
static int verified;

static PyObject **pointer_in(PyObject *context) {
    return (PyObject **)&((struct _pycontextobject *)context)->ctx_vars;
}

PyObject *am_mapping_of(const PyThreadState *state) {
    PyObject *context = state->context;
    return am_mapping_is_trusted && context != NULL ? *pointer_in(context) : NULL;
}

PyObject *am_mapping_now(void) { return am_mapping_of(PyThreadState_Get()); }

static void point(PyObject *context, PyObject *from, PyObject *to) {
    *pointer_in(context) = Py_NewRef(to);
    /* Every variable remembers the value that it was last asked for, until this number changes. */
    PyThreadState_Get()->context_ver++;
    Py_DECREF(from);
}

int am_mapping_exchange(PyObject *from, PyObject *to) {
    PyObject *context = PyThreadState_Get()->context;
    if (!am_mapping_is_trusted || context == NULL || *pointer_in(context) != from) return 0;
    point(context, from, to);
    return 1;
}

/* Whether it has that value; -1 with an exception. */
static int has(PyObject *variable, PyObject *expected) {
    PyObject *value = NULL;
    if (PyContextVar_Get(variable, NULL, &value) < 0) return -1;
    Py_XDECREF(value);
    return value == expected;
}

static int is_mapping(const PyObject *object) {
    const char *name = object == NULL ? NULL : Py_TYPE(object)->tp_name;
    return name != NULL && strcmp(name, "hamt") == 0;
}

/* In a context of its own, where `variable` has no value. */
static int tried(PyObject *context, PyObject *variable) {
    PyObject *without = *pointer_in(context), *within = NULL;
    if (!is_mapping(without)) return 0;
    Py_INCREF(without);
    PyObject *token = PyContextVar_Set(variable, Py_True);
    int right = token == NULL ? -1 : 0;
    Py_XDECREF(token);
    within = *pointer_in(context);
    if (right == 0 && within != without && is_mapping(within) &&
        (right = has(variable, Py_True)) > 0) {
        Py_INCREF(within);
        point(context, within, without);
        right = has(variable, NULL);
        if (right > 0) {
            point(context, without, within);
            right = has(variable, Py_True);
        }
        Py_DECREF(within);
    }
    Py_DECREF(without);
    return right;
}

int am_mapping_verify(PyObject *variable) {
    PyObject *context = PyContext_New();
    if (context == NULL || PyContext_Enter(context) < 0) {
        Py_XDECREF(context);
        return -1;
    }
    int right = tried(context, variable);
    int failed = PyContext_Exit(context) < 0 || right < 0;
    const PyObject *going = right > 0 ? *pointer_in(context) : NULL;
    if (going != NULL) am_recall_watch(Py_TYPE(going));
    (void)am_recall_note(going, NULL);
    Py_DECREF(context);
    if (am_recall(going) != NULL) am_recall_unwatch();
    if (failed) return -1;
    am_mapping_is_trusted = verified = right;
    return 0;
}

int am_mapping_trust(int trusted) {
    int before = am_mapping_is_trusted;
    am_mapping_is_trusted = trusted && verified;
    return before;
}
