/* Which node is current on this thread.
 *
 * The current scope is the value of one private ContextVar, so it follows the logical flow. Looking
 * the variable up at every allocation would be slow; PyThreadState.context_ver changes whenever a
 * thread enters or leaves a context, so a thread remembers the answer until that number moves, and
 * finds it beside the context's mapping then (recall.h), if it was looked up there before. Only
 * this file sets the variable, and it forgets the answer in the same breath (a set does not move the
 * number). While it sets, the thread is in an *own section*: looking the variable up in the middle
 * of a set would corrupt the variable's cache.
 *
 * A thread that is not attached to the main interpreter (a native worker, the raw domain without the
 * lock, another interpreter) keeps what it last resolved, and must use the am_foreign_* counters. */
#ifndef AM_CONTEXT_H
#define AM_CONTEXT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "account.h"
#include "collector.h"

/* A value of the variable: something that makes a node current. */
typedef struct am_holder {
    PyObject_HEAD
    struct am_holder *previous; /* what was current before it, or NULL for the root */
    const PyObject *context;    /* where it was made current; only ever compared: see below */
    uint32_t node;
    uint32_t left_elsewhere;    /* left in another context: `context` still holds it */
    /* Where it was made current: the mapping until then, only compared, and the serials of this one
     * and of the next (recall.h); NULL: not known. */
    const PyObject *before;
    uint64_t before_serial, within_serial;
} am_holder;

/* A holder does not keep the context it was entered in, which keeps the holder: scopes that nobody
 * leaves would go with the next garbage collection only. So the address may be that of a context which
 * is gone, and of a new one by now. If a scope was left elsewhere while the one was alive, and the
 * other inherits it by copy, it is passed over there: late work of the scope is charged to what was
 * current before it. Figures of open scopes are never concerned. */

typedef struct {
    const PyThreadState *state; /* whose answer is remembered, or one of the below */
    uint64_t state_id, context_version;
    uint32_t node, generation;
    uint32_t node_outside; /* what `node` will be at the end of the own section */
    uint32_t left_elsewhere; /* am_left_elsewhere when the answer was found */
    uint32_t own_depth; /* inside an own section: what is allocated is ours */
    uint64_t witnessed; /* calls of hooks in own sections where nothing was remembered */
} am_thread_t;

#define AM_NO_STATE ((const PyThreadState *)1)
#define AM_MUTED ((const PyThreadState *)2)

AM_OURS AM_THREAD_LOCAL am_thread_t am_thread;

/* How often a holder was left in another context than it was entered in: what a thread remembers of
 * the other one may be wrong since then. */
extern uint32_t am_left_elsewhere;

/* Objects that can make a node current, plus own sections, plus process tracking: while it is zero,
 * no allocation can belong to anybody. Changed under the interpreter lock, read without. */
AM_OURS _Atomic int32_t am_listeners;

static inline int am_is_idle(void) {
    return atomic_load_explicit(&am_listeners, memory_order_relaxed) <= 0;
}

/* Makes it idle for good, whoever listens: the core is broken (assertion.h). Any thread, at any time,
 * as often as need be. */
#define AM_SILENCE (1 << 30)
AM_COLD void am_silence(void);

/* Under the lock nobody else changes it: no need for an atomic addition. */
static inline void am_listen(int change) {
    int32_t listeners = atomic_load_explicit(&am_listeners, memory_order_relaxed);
    atomic_store_explicit(&am_listeners, listeners + change, memory_order_relaxed);
}

/* Whether code outside every scope is recorded. */
AM_OURS _Atomic uint32_t am_tracking;

/* Makes the variable. Called once, under the lock. 0, or -1 with an exception set. */
int am_context_init(void);

static inline const PyThreadState *am_thread_state(void) {
#if PY_VERSION_HEX >= 0x030D0000
    return PyThreadState_GetUnchecked();
#else
    return _PyThreadState_UncheckedGet();
#endif
}

/* Whether this thread is attached to the main interpreter, given am_thread_state(). `locked`: the
 * caller is known to hold the lock of its interpreter. */
int am_is_attached(const PyThreadState *state, int locked);

/* After a change of context, what nearly every one of them needs: 1, and am_thread.node is the current
 * node. 0: it has to be resolved. Lock held. */
AM_SELDOM int am_catch_up(const PyThreadState *state);

/* An answer that is not exclusive is pinned, for the caller to unpin: am_foreign_unpin(). */
AM_COLD uint32_t am_resolve(const PyThreadState *state, int locked, int *exclusive);

#define AM_UNKNOWN UINT32_MAX

/* Whether am_thread.node is the current node. */
AM_HOT int am_is_remembered(const PyThreadState *state) {
    const am_thread_t *thread = &am_thread;
    return AM_LIKELY(state == thread->state && state->id == thread->state_id &&
                     state->context_ver == thread->context_version);
}

/* The current node as this thread remembers it, AM_UNKNOWN if it has to be resolved. */
AM_HOT uint32_t am_remembered(const PyThreadState *state) {
    return am_is_remembered(state) ? am_thread.node : AM_UNKNOWN;
}

/* The current node; *exclusive tells whether the plain counters may be used. */
static inline uint32_t am_located(int locked, int *exclusive) {
    const PyThreadState *state = am_thread_state();
    uint32_t node = am_remembered(state);
    *exclusive = 1;
    return AM_LIKELY(node != AM_UNKNOWN) ? node : am_resolve(state, locked, exclusive);
}

static inline int am_records_root(void) {
    return atomic_load_explicit(&am_tracking, memory_order_relaxed) != 0;
}

/* The node to charge, AM_NONE if nothing is to be recorded. */
static inline uint32_t am_current(int locked, int *exclusive) {
    uint32_t node = am_located(locked, exclusive);
    if (AM_UNLIKELY(*am_collecting) && *exclusive) return am_collector_node(node);
    return node == AM_ROOT && !am_records_root() ? AM_NONE : node;
}

/* Inside the allocator below ours, whose own calls are not counted again. Returns what was
 * remembered, for the end. */
static inline const PyThreadState *am_mute(void) {
    const PyThreadState *state = am_thread.state;
    am_thread.state = AM_MUTED;
    return state;
}

static inline void am_unmute(const PyThreadState *state) { am_thread.state = state; }

/* Own sections nest; they must not span anything that can switch to another task. Lock held. */
static inline void am_own_begin_lasting(void) {
    am_thread_t *thread = &am_thread;
    if (thread->own_depth++ == 0) thread->node_outside = thread->node;
    thread->node = AM_OWN;
    am_listen(1);
}

static inline void am_own_end_lasting(void) {
    am_thread_t *thread = &am_thread;
    if (--thread->own_depth == 0) {
        thread->node = thread->node_outside;
        if (AM_UNLIKELY(thread->left_elsewhere != am_left_elsewhere)) thread->state = AM_NO_STATE;
    }
    am_listen(-1);
}

/* The same for what is over soon, and waits for nobody: it also holds the collector. */
static inline void am_own_begin(void) {
    am_own_begin_lasting();
    am_collector_hold();
}

static inline void am_own_end(void) {
    am_collector_release();
    am_own_end_lasting();
}

/* Has the hooks leave a trace of the calls that follow in this own section, whatever becomes of the
 * blocks; and tells how many of them there were. Hooks of a broken core listen in between. */
static inline uint64_t am_own_watch(void) {
    am_thread.state = AM_NO_STATE;
    if (am_is_broken()) am_listen(AM_SILENCE);
    return am_thread.witnessed;
}

static inline uint64_t am_own_watched(uint64_t before) {
    if (am_is_broken()) am_silence();
    return am_thread.witnessed - before;
}

/* What is current in this context, borrowed; NULL: the root. Inside an own section. */
am_holder *am_context_holder(void);

/* The value of the variable, borrowed, which may be a holder that was left; NULL: it has none, or
 * None. Setting it: 0, or -1 with an exception set and the old value in place. Inside an own
 * section. */
am_holder *am_context_value(void);
int am_context_set(am_holder *value);

/* Changes the mapping (mapping.h) of this context from one to another in which the variable has this
 * value: 1; 0, and nothing changed, if the first is not there. Allocates nothing. */
int am_context_exchange(PyObject *from, PyObject *to, am_holder *value);

/* Makes a holder current here, or `inside` it the one that was current when it was paused; and what
 * was current before it current again. Inside an own section. Entering can fail for want of memory:
 * -1 with an exception set, nothing changed. Leaving where the holder is not current (in another
 * context) only notes the fact. Leaving never raises. */
int am_context_enter(am_holder *holder, am_holder *inside);
void am_context_leave(am_holder *holder);

/* Whether it is current here, or stands behind what is: then it must not be entered, or it would stand
 * behind itself. Inside an own section. */
int am_context_includes(const am_holder *holder);

/* Leaves a holder together with what was entered after it and is current now, and returns that, a
 * new reference; NULL if nothing was. */
am_holder *am_context_pause(am_holder *holder);

#endif
