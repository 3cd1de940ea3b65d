#include "scope.h"

#include "aggregate.h"
#include "pymem.h"
#include "registry.h"
#include "sizes.h"
#include "standin.h"

uint32_t am_open_scopes;
static am_scope *latest_open; /* of the ring of open scopes */
uint64_t am_unmeasured_scopes;
am_callbacks am_python;

am_snapshot am_snapshot_total(uint32_t index) {
    const am_node *node = &am_nodes[index];
    return (am_snapshot){node->total, node->mark.peak_bytes, node->mark.peak_blocks};
}

am_snapshot am_snapshot_self(uint32_t index) {
    return (am_snapshot){am_nodes[index].self, 0, 0};
}

/* An exception of ours must not reach the measured program. */
static void tell(PyObject *function) {
    PyObject *result = PyObject_CallNoArgs(function);
    if (result == NULL) PyErr_WriteUnraisable(function);
    Py_XDECREF(result);
}

static void report_lost_hooks(void) { tell(am_python.hooks_lost); }

/* A check has failed where nobody could be told. No exception may be set. */
static AM_COLD void report_broken(void) {
    static int told;
    if (told) return;
    told = 1;
    tell(am_python.broken);
}

int am_scope_bind(const am_callbacks *callbacks) {
    if (!PyObject_TypeCheck(callbacks->registry, &am_registry_type)) {
        PyErr_SetString(PyExc_TypeError, "the registry must be a Registry");
        return -1;
    }
    Py_XSETREF(am_python.install, Py_NewRef(callbacks->install));
    Py_XSETREF(am_python.hooks_lost, Py_NewRef(callbacks->hooks_lost));
    Py_XSETREF(am_python.broken, Py_NewRef(callbacks->broken));
    Py_XSETREF(am_python.classify, Py_NewRef(callbacks->classify));
    Py_XSETREF(am_python.registry, Py_NewRef(callbacks->registry));
    am_hooks_on_loss = report_lost_hooks;
    return 0;
}

/* Taking hooks for lost puts new ones around the old, so it must be certain. */
static AM_COLD int are_lost(void) {
    if (am_is_broken() || am_hooks_position() != AM_REMOVED) return 0;
    am_hooks_lose();
    return 1;
}

/* An own section that sets the variable allocates, and so hooks in place have seen it; where it was
 * not set, they are tried on purpose. Whether they had not. */
static inline int lost_since(uint64_t allocations) {
    if (am_own_allocations() != allocations) return 0;
    PyObject_Free(PyObject_Malloc(1));
    return AM_UNLIKELY(am_own_allocations() == allocations) && am_hooks_wanted && are_lost();
}

static int install(void) {
    PyObject *done = PyObject_CallNoArgs(am_python.install);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

static void ring_add(am_scope *self) {
    am_scope *after = latest_open == NULL ? self : latest_open;
    self->previous_open = after;
    self->next_open = latest_open == NULL ? self : after->next_open;
    self->next_open->previous_open = self;
    after->next_open = self;
    latest_open = self;
    am_open_scopes++;
}

void am_scope_forget(am_scope *self) {
    if (!AM_HOLDS(am_open_scopes != 0, AM_SCOPES_COUNTED)) return;
    if (latest_open == self) latest_open = self->previous_open == self ? NULL : self->previous_open;
    self->previous_open->next_open = self->next_open;
    self->next_open->previous_open = self->previous_open;
    am_open_scopes--;
}

static void open_below(am_scope *self, uint32_t parent) {
    uint32_t node = am_node_open(parent);
    self->measured = node != AM_NONE;
    if (AM_UNLIKELY(am_is_broken())) {
        node = AM_ROOT;
    } else if (!self->measured) {
        am_unmeasured_scopes++;
        am_node_hold(node = parent);
    }
    if (AM_UNLIKELY(self->sized) && self->measured) am_sizes_begin(node, self);
    self->holder.node = node;
    self->gaps = am_hooks_gaps;
    self->fresh = 1;
    self->state = AM_SCOPE_OPEN;
    ring_add(self);
    am_listen(1);
}

/* Whether it can be opened; -1 with an exception set. */
static int prepare(am_scope *self) {
    if (self->state != AM_SCOPE_NEW) {
        PyErr_SetString(PyExc_RuntimeError,
                        self->state == AM_SCOPE_OPEN
                            ? "this measure object is open already; one object is one scope, so "
                              "write measure(...) anew for each scope"
                            : "this measure object has been used; its figures are final, so write "
                              "measure(...) anew for each scope");
        return -1;
    }
    if (AM_UNLIKELY(am_is_broken())) {
        report_broken();
        return 0;
    }
    return am_hooks_wanted ? 0 : install();
}

int am_scope_open(am_scope *self) {
    if (prepare(self) < 0) return -1;
    const am_holder *around = am_context_holder();
    open_below(self, around == NULL ? AM_ROOT : around->node);
    return 0;
}

int am_scope_open_apart(am_scope *self) {
    if (prepare(self) < 0) return -1;
    open_below(self, AM_ROOT);
    return 0;
}

/* May leave an exception set: that of a signal handler which ran meanwhile. */
static int outcome_of(PyObject *exception) {
    if (exception == NULL || exception == Py_None) return AM_SUCCEEDED;
    /* Out of stack is no moment to call Python. */
    if (!PyExceptionInstance_Check(exception) ||
        PyErr_GivenExceptionMatches(exception, PyExc_RecursionError))
        return AM_FAILED;
    PyObject *result = PyObject_CallOneArg(am_python.classify, exception);
    if (result == NULL) return AM_FAILED;
    int cancelled = PyLong_AsLong(result) == AM_CANCELLED;
    Py_DECREF(result);
    return cancelled ? AM_CANCELLED : AM_FAILED;
}

static void count_by_name(am_scope *self, int outcome) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    am_aggregate *aggregate = am_registry_find(self->registry, self->name);
    if (aggregate != NULL) am_aggregate_enter(aggregate, self->holder.node, outcome);
    else PyErr_WriteUnraisable(self->name);
    PyErr_Restore(type, value, traceback);
}

/* Whether the scope is to be counted by its name. */
static int finish(am_scope *self) {
    self->state = AM_SCOPE_CLOSED;
    am_scope_forget(self);
    uint32_t node = self->holder.node;
    if (AM_UNLIKELY(self->sized)) am_sizes_end(self);
    if (!self->measured) return 0;
    am_settle();
    if (!AM_HOLDS(am_node_is_known(node), AM_NODE_IN_USE)) return 0;
    self->final = am_snapshot_total(node);
    self->final_self = am_snapshot_self(node);
    self->final_native = am_nodes[node].native;
    self->complete = self->gaps == am_hooks_gaps;
    am_nodes[node].closed_at = am_coarse_time();
    return self->name != Py_None && self->complete;
}

int am_scope_close(am_scope *self, PyObject *exception) {
    if (self->state != AM_SCOPE_OPEN) return 0;
    am_scope_abandon(self);
    int counts = finish(self);
    if (!counts && am_is_broken()) report_broken();
    if (!counts) return 0;
    count_by_name(self, outcome_of(exception));
    return PyErr_Occurred() == NULL ? 0 : -1;
}

/* The latest first, so that a scope is closed before the one around it. */
int am_scopes_close_all(void) {
    int closed = 0;
    for (am_scope *scope; (scope = latest_open) != NULL; closed++) {
        Py_INCREF(scope);
        if (finish(scope)) count_by_name(scope, AM_CANCELLED);
        Py_DECREF(scope);
    }
    return closed;
}

void am_scope_cancel(am_scope *self) {
    if (self->state == AM_SCOPE_OPEN) (void)finish(self);
}

/* What was paused inside stands before what the scope was entered by then: from now on, before what
 * it is entered by. It is given up where it is current as well, by inheritance. */
static void rebase_inside(am_scope *self, const am_holder *then, am_holder *now) {
    am_holder *innermost = self->inside;
    while (innermost != NULL && innermost->previous != then) innermost = innermost->previous;
    if (innermost == NULL || (now != then && am_context_includes(innermost)))
        Py_CLEAR(self->inside);
    else if (now != then)
        Py_XSETREF(innermost->previous, (am_holder *)Py_NewRef(now));
}

int am_scope_resume(am_scope *self) {
    uint64_t before = am_own_allocations();
    const am_holder *then = am_standin_entered(self);
    am_holder *entered = am_standin_for_entering(self);
    if (entered == NULL) return -1;
    if (self->inside != NULL) rebase_inside(self, then, entered);
    if (am_context_enter(entered, self->inside) < 0) return -1;
    Py_CLEAR(self->inside);
    self->entered = 1;
    int fresh = self->fresh;
    self->fresh = 0;
    if (!lost_since(before) || !fresh) return 0;
    /* Nothing has happened in the scope yet, so nothing of it went by unseen. */
    if (install() < 0) PyErr_WriteUnraisable(am_python.install);
    self->gaps = am_hooks_gaps;
    return 0;
}

void am_scope_suspend(am_scope *self) {
    if (!self->entered) return;
    self->entered = 0;
    uint64_t before = am_own_allocations();
    am_holder *entered = am_standin_entered(self);
    am_context_leave(entered);
    if (!entered->left_elsewhere) (void)lost_since(before);
    else am_standin_abandon(self); /* it is not entered again, and may refer to the scope */
}

void am_scope_pause(am_scope *self) {
    if (!self->entered) return; /* where it was inherited it goes on */
    self->entered = 0;
    uint64_t before = am_own_allocations();
    am_holder *entered = am_standin_entered(self);
    am_holder *inside = am_context_pause(entered);
    if (self->state == AM_SCOPE_CLOSED) Py_CLEAR(inside);
    Py_XSETREF(self->inside, inside);
    if (!entered->left_elsewhere) (void)lost_since(before);
    else am_standin_abandon(self); /* it is not entered again, and may refer to the scope */
}

void am_scope_abandon(am_scope *self) { Py_CLEAR(self->inside); }

int am_is_scope(PyObject *object) {
    if (PyObject_TypeCheck(object, &am_scope_type)) return 1;
    PyErr_Format(PyExc_TypeError, "not a scope: %.100s", Py_TYPE(object)->tp_name);
    return 0;
}
