#include "scope.h"

#include "aggregate.h"
#include "pymem.h"
#include "registry.h"
#include "standin.h"

uint32_t am_open_scopes;
uint64_t am_unmeasured_scopes;
am_callbacks am_python;

int am_scope_bind(const am_callbacks *callbacks) {
    if (!PyObject_TypeCheck(callbacks->registry, &am_registry_type)) {
        PyErr_SetString(PyExc_TypeError, "the registry must be a Registry");
        return -1;
    }
    Py_XSETREF(am_python.install, Py_NewRef(callbacks->install));
    Py_XSETREF(am_python.hooks_lost, Py_NewRef(callbacks->hooks_lost));
    Py_XSETREF(am_python.classify, Py_NewRef(callbacks->classify));
    Py_XSETREF(am_python.ready, Py_NewRef(callbacks->ready));
    Py_XSETREF(am_python.registry, Py_NewRef(callbacks->registry));
    return 0;
}

am_snapshot am_snapshot_total(uint32_t index) {
    const am_node *node = &am_nodes[index];
    return (am_snapshot){node->total, node->mark.peak_bytes, node->mark.peak_blocks};
}

am_snapshot am_snapshot_self(uint32_t index) {
    return (am_snapshot){am_nodes[index].self, 0, 0};
}

/* An exception of ours must not reach the measured program. */
static void call_quietly(PyObject *callable) {
    PyObject *result = PyObject_CallNoArgs(callable);
    if (result == NULL) PyErr_WriteUnraisable(callable);
    Py_XDECREF(result);
}

/* Every own section that sets the variable allocates, so hooks in place have seen it. */
static void check_witness(uint64_t before) {
    if (!am_hooks_wanted || am_thread.witnessed != before) return;
    am_hooks_lost();
    call_quietly(am_python.hooks_lost);
}

int am_scope_open(am_scope *self) {
    if (self->state != AM_SCOPE_NEW) {
        PyErr_SetString(PyExc_RuntimeError,
                        self->state == AM_SCOPE_OPEN
                            ? "this measure object is open already; one object is one scope, so "
                              "write measure(...) anew for each scope"
                            : "this measure object has been used; its figures are final, so write "
                              "measure(...) anew for each scope");
        return -1;
    }
    if (!am_hooks_wanted) {
        PyObject *done = PyObject_CallNoArgs(am_python.install);
        if (done == NULL) return -1;
        Py_DECREF(done);
    }
    const am_holder *around = am_context_holder();
    uint32_t parent = around == NULL ? AM_ROOT : around->node;
    self->holder.node = am_node_open(parent == AM_NONE ? AM_ROOT : parent);
    if (self->holder.node == AM_NONE) am_unmeasured_scopes++;
    self->gaps = am_hooks_gaps;
    self->state = AM_SCOPE_OPEN;
    am_open_scopes++;
    atomic_fetch_add_explicit(&am_listeners, 1, memory_order_relaxed);
    return 0;
}

static int outcome_of(PyObject *exception_type) {
    if (exception_type == NULL || exception_type == Py_None) return AM_SUCCEEDED;
    PyObject *result = PyObject_CallOneArg(am_python.classify, exception_type);
    long outcome = result == NULL ? -1 : PyLong_AsLong(result);
    Py_XDECREF(result);
    if (outcome >= AM_SUCCEEDED && outcome <= AM_CANCELLED) return (int)outcome;
    PyErr_WriteUnraisable(am_python.classify);
    return AM_FAILED;
}

static void count_by_name(am_scope *self, int outcome) {
    am_aggregate *aggregate = am_registry_find(self->registry, self->name);
    if (aggregate != NULL) am_aggregate_enter(aggregate, self->holder.node, outcome);
    else PyErr_WriteUnraisable(self->name);
}

void am_scope_close(am_scope *self, PyObject *exception_type) {
    if (self->state != AM_SCOPE_OPEN) return;
    self->state = AM_SCOPE_CLOSED;
    am_open_scopes--;
    uint32_t node = self->holder.node;
    if (node == AM_NONE) return;
    am_settle();
    self->final = am_snapshot_total(node);
    self->final_self = am_snapshot_self(node);
    self->complete = self->gaps == am_hooks_gaps;
    am_nodes[node].closed = 1;
    if (self->name != Py_None && self->complete) count_by_name(self, outcome_of(exception_type));
}

int am_scope_resume(am_scope *self) {
    uint64_t before = am_thread.witnessed;
    am_holder *entered = am_standin_for_entering(self);
    if (entered == NULL || am_context_enter(entered) < 0) return -1;
    check_witness(before);
    return 0;
}

void am_scope_suspend(am_scope *self) {
    uint64_t before = am_thread.witnessed;
    am_holder *entered = am_standin_entered(self);
    am_context_leave(entered);
    if (!entered->left_elsewhere) check_witness(before);
}
