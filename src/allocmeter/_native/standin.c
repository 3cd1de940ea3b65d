#include "standin.h"

#include "ownership.h"

static int standin_traverse(PyObject *object, visitproc visit, void *arg) {
    Py_VISIT((PyObject *)((am_standin *)object)->holder.previous);
    return 0;
}

static int standin_clear(PyObject *object) {
    Py_CLEAR(((am_standin *)object)->holder.previous);
    return 0;
}

static void standin_dealloc(PyObject *object) {
    am_standin *self = (am_standin *)object;
    PyObject_GC_UnTrack(object);
    am_node_drop(self->holder.node);
    am_listen(-1);
    (void)standin_clear(object);
    am_own_free(object);
}

PyTypeObject am_standin_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "allocmeter._native.Standin",
    .tp_basicsize = sizeof(am_standin),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_dealloc = standin_dealloc,
    .tp_traverse = standin_traverse,
    .tp_clear = standin_clear,
};

int am_standin_init(void) { return PyType_Ready(&am_standin_type); }

am_holder *am_standin_entered(am_scope *scope) {
    return scope->standin == NULL ? &scope->holder : &scope->standin->holder;
}

am_holder *am_standin_for_entering(am_scope *scope) {
    am_holder *entered = am_standin_entered(scope);
    if (!entered->left_elsewhere && !am_context_includes(entered)) return entered;
    am_standin *standin = PyObject_GC_New(am_standin, &am_standin_type);
    if (standin == NULL) return NULL;
    standin->holder.previous = NULL;
    standin->holder.context = NULL;
    standin->holder.left_elsewhere = 0;
    standin->holder.node = scope->holder.node;
    standin->scope = scope;
    am_node_hold(standin->holder.node);
    am_listen(1);
    am_standin_abandon(scope);
    PyObject_GC_Track(standin);
    scope->standin = standin;
    return &standin->holder;
}

void am_standin_abandon(am_scope *scope) {
    am_standin *standin = scope->standin;
    if (standin == NULL) return;
    scope->standin = NULL;
    standin->scope = NULL;
    Py_DECREF(standin);
}
