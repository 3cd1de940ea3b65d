#include "context.h"

#include "mapping.h"
#include "recall.h"
#include "scope.h"
#include "standin.h"

AM_THREAD_LOCAL am_thread_t am_thread = {.state = AM_NO_STATE};
uint32_t am_left_elsewhere;
_Atomic int32_t am_listeners;
_Atomic uint32_t am_tracking;

static PyObject *variable;
static PyInterpreterState *main_interpreter;

int am_context_init(void) {
    if (variable != NULL) return 0;
    main_interpreter = PyInterpreterState_Main();
    variable = PyContextVar_New("allocmeter_scope", NULL);
    return variable == NULL ? -1 : am_mapping_verify(variable);
}

void am_silence(void) {
    int32_t listeners = atomic_load_explicit(&am_listeners, memory_order_relaxed);
    while (listeners > -AM_SILENCE / 2 &&
           !atomic_compare_exchange_weak_explicit(&am_listeners, &listeners,
                                                  listeners - AM_SILENCE, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
}

int am_is_attached(const PyThreadState *state, int locked) {
    if (state == NULL) return 0;
#if PY_VERSION_HEX < 0x030C0000
    /* Before 3.12 the answer is the process's: the state may be that of the thread that holds the
     * lock while this one runs without it. Do not look inside before knowing that it is ours. */
    if (!locked && state != PyGILState_GetThisThreadState()) return 0;
#else
    (void)locked;
#endif
    if (state->interp == main_interpreter) return 1;
    atomic_fetch_or_explicit(&am_active.foreign, AM_OTHER_INTERPRETERS, memory_order_relaxed);
    return 0;
}

/* A scope left from another context is still the value in the one where it was entered; there, what
 * was current before it counts. A context that inherited it by copy goes on charging it: that is
 * late work. */
static am_holder *effective(am_holder *holder, const PyObject *context) {
    while (holder != NULL && holder->left_elsewhere && holder->context == context)
        holder = holder->previous;
    return holder;
}

static int is_holder(PyObject *value) {
    return PyObject_TypeCheck(value, &am_scope_type) || PyObject_TypeCheck(value, &am_anchor_type) ||
           Py_IS_TYPE(value, &am_standin_type);
}

/* Looking the variable up may compare it with another one of the same hash, and a comparison counts
 * as a call: it must not fail because the program is near its recursion limit. */
#if PY_VERSION_HEX < 0x030C0000
#define CALLS_LEFT recursion_remaining
#elif PY_VERSION_HEX < 0x030E0000
#define CALLS_LEFT c_recursion_remaining
#endif
#define SPARE_CALLS 20

am_holder *am_context_value(void) {
    PyThreadState *state = PyThreadState_Get();
    const PyObject *mapping = am_mapping_of(state);
    const am_recalled *known = am_recall(mapping);
    if (known != NULL) return known->value;
    PyObject *value = NULL;
#ifdef CALLS_LEFT
    state->CALLS_LEFT += SPARE_CALLS;
#endif
    int failed = PyContextVar_Get(variable, NULL, &value) < 0;
#ifdef CALLS_LEFT
    state->CALLS_LEFT -= SPARE_CALLS;
#endif
    if (failed) PyErr_Clear();
    Py_XDECREF(value); /* the context keeps it */
    /* Ours alone to set; but code that copies whole contexts can set any variable to anything. */
    am_holder *holder = value != NULL && is_holder(value) ? (am_holder *)value : NULL;
    if (!failed) (void)am_recall_note(mapping, holder);
    return holder;
}

static const PyObject *this_context(void) { return PyThreadState_Get()->context; }

int am_context_includes(const am_holder *holder) {
    const am_holder *at = am_context_value();
    while (at != NULL && at != holder) at = at->previous;
    return at != NULL;
}

am_holder *am_context_holder(void) { return effective(am_context_value(), this_context()); }

/* Whether the thread works for another interpreter, given that it is not attached to ours. */
static int is_elsewhere(const PyThreadState *state, int locked) {
#if PY_VERSION_HEX < 0x030C0000
    if (!locked) return 0; /* the state may be another thread's, and gone in a moment */
#else
    (void)locked;
#endif
    return state != NULL && state->interp != main_interpreter;
}

/* For when the thread gives up the lock as well: it can look nothing up then. */
static void remember(uint32_t node, const PyThreadState *state) {
    am_thread_t *thread = &am_thread;
    *(thread->own_depth ? &thread->node_outside : &thread->node) = node;
    thread->generation = am_nodes[node].generation;
    thread->state = state;
    thread->state_id = state->id;
    thread->context_version = state->context_ver;
    thread->left_elsewhere = am_left_elsewhere;
}

static void remember_value(am_holder *value) {
    const PyThreadState *state = PyThreadState_Get();
    const am_holder *holder = effective(value, state->context);
    const uint32_t node = holder == NULL ? AM_ROOT : holder->node;
    am_recalled *known = am_recall_note(am_mapping_of(state), value);
    if (known != NULL && (value == NULL || !value->left_elsewhere)) { /* else contexts differ */
        known->node = node;
        known->left_elsewhere = am_left_elsewhere;
    }
    remember(node, state);
}

int am_catch_up(const PyThreadState *state) {
    const am_thread_t *thread = &am_thread;
    if (AM_UNLIKELY(thread->state == AM_MUTED || am_is_broken())) return 0;
    if (AM_UNLIKELY(thread->own_depth && thread->state == AM_NO_STATE)) return 0; /* watched */
    if (AM_UNLIKELY(state == NULL || state->interp != main_interpreter)) return 0;
    const am_recalled *known = am_recall(am_mapping_of(state));
    if (known == NULL || known->node == AM_NONE) return 0;
    if (AM_UNLIKELY(known->left_elsewhere != am_left_elsewhere)) return 0;
    remember(known->node, state);
    return 1;
}

/* A thread that holds the lock may have changed the number of listeners at the moment when it was
 * made to say that there are none. */
static AM_COLD uint32_t broken_core(int *exclusive) {
    *exclusive = 1;
    if (am_thread.own_depth) am_thread.witnessed++; /* it may listen on purpose: pymem.c */
    else am_silence();
    return AM_NONE;
}

uint32_t am_resolve(const PyThreadState *state, int locked, int *exclusive) {
    am_thread_t *thread = &am_thread;
    if (thread->state == AM_MUTED) return AM_NONE;
    if (AM_UNLIKELY(am_is_broken())) return broken_core(exclusive);
    *exclusive = am_is_attached(state, locked);
    if (thread->own_depth) {
        thread->witnessed++;
        return AM_OWN;
    }
    if (!*exclusive) {
        if (is_elsewhere(state, locked)) { /* so it is when it gives up the lock there */
            thread->node = AM_NONE;
            thread->state = AM_NO_STATE;
            return AM_ROOT;
        }
        int pinned = thread->node != AM_NONE && am_foreign_pin(thread->node, thread->generation);
        return pinned ? thread->node : AM_ROOT;
    }
    remember_value(am_context_value());
    return thread->node;
}

/* Without memory for the token, CPython reports a failure and has set the variable all the same. */
int am_context_set(am_holder *value) {
    PyObject *token = PyContextVar_Set(variable, value == NULL ? Py_None : (PyObject *)value);
    am_thread.state = AM_NO_STATE;
    if (token != NULL) {
        Py_DECREF(token);
        remember_value(value);
        return 0;
    }
    if (am_context_value() != value) return -1;
    PyErr_Clear();
    return 0;
}

int am_context_exchange(PyObject *from, PyObject *to, am_holder *value) {
    if (!am_mapping_exchange(from, to)) return 0;
    remember_value(value);
    return 1;
}

int am_context_enter(am_holder *holder, am_holder *inside) {
    am_holder *previous = am_context_holder();
    am_holder *value = inside == NULL ? holder : effective(inside, this_context());
    const PyObject *before = am_mapping_now();
    const am_recalled *known = am_recall(before);
    const uint64_t before_serial = known == NULL ? 0 : known->serial;
    Py_XINCREF(previous);
    if (am_context_set(value) < 0) {
        Py_XDECREF(previous);
        return -1;
    }
    Py_XSETREF(holder->previous, previous);
    holder->context = this_context();
    holder->left_elsewhere = 0;
    holder->before = before;
    holder->before_serial = before_serial;
    holder->within_serial = (known = am_recall(am_mapping_now())) == NULL ? 0 : known->serial;
    return 0;
}

static void leave_elsewhere(am_holder *holder) {
    holder->left_elsewhere = 1;
    am_left_elsewhere++;
}

/* If the context is as entering the holder has left it, and what it had before still exists, as it does
 * where tasks have inherited it: has it back. */
static int turn_back(const am_holder *holder, am_holder *back) {
    PyObject *within = am_mapping_now();
    const am_recalled *now = am_recall(within), *before = am_recall(holder->before);
    return now != NULL && now->serial == holder->within_serial && before != NULL &&
           before->serial == holder->before_serial && before->value == back &&
           holder->context == this_context() &&
           am_context_exchange(within, (PyObject *)holder->before, back);
}

/* Makes current what was so before the holder. If this is another context than it was entered in,
 * one that inherited it by copy, it is still the value there. */
static void step_back(am_holder *holder) {
    am_holder *back = effective(holder->previous, this_context());
    int failed = !turn_back(holder, back) && am_context_set(back) < 0;
    if (failed) PyErr_Clear(); /* no memory: it stays the value here, and is passed over */
    if (failed || holder->context != this_context()) leave_elsewhere(holder);
    else Py_CLEAR(holder->previous);
}

void am_context_leave(am_holder *holder) {
    if (am_context_value() == holder) step_back(holder);
    else leave_elsewhere(holder);
}

am_holder *am_context_pause(am_holder *holder) {
    am_holder *inside = am_context_value(), *at = inside;
    while (at != NULL && at != holder) at = at->previous;
    if (at == NULL || inside == holder) {
        am_context_leave(holder);
        return NULL;
    }
    Py_INCREF(inside);
    step_back(holder);
    return inside;
}
