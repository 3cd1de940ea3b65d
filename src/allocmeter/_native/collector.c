/* The structure of an interpreter is only declared for parts of the interpreter itself. */
#define Py_BUILD_CORE 1
#include <Python.h>
#include <internal/pycore_interp.h>
#undef Py_BUILD_CORE

#include "collector.h"
#include "recording.h"

static const int never;
const int *am_collecting = &never;
static int uncounted;
int *am_collector_count = &uncounted;
am_collector_hold_t am_collector_held;

static struct {
    uint64_t state_id; /* of the thread that collects; 0: not known, the flag tells whether one does */
    uint32_t node;     /* what was current there when the collection began */
    int flag_at_start;
} collection;

static PyObject *at_start, *at_stop;

static struct _gc_runtime_state *gc(void) { return &PyInterpreterState_Main()->gc; }

static int *count_of_youngest(void) {
#if PY_VERSION_HEX < 0x030E0000
    return &gc()->generations[0].count;
#else
    /* The three generations have other names in some releases of 3.14, and the same place. */
    char *permanent = (char *)&gc()->permanent_generation;
    return &((struct gc_generation *)(permanent - 3 * sizeof(struct gc_generation)))->count;
#endif
}

static void begin(uint32_t node) {
    collection.node = node;
    collection.state_id = PyThreadState_Get()->id;
}

/* Called with "start" or "stop", which differ in the third letter. */
static int is_start(PyObject *const *args, Py_ssize_t count) {
    if (count < 1 || !PyUnicode_Check(args[0]) || PyUnicode_GET_LENGTH(args[0]) < 4) return -1;
    return PyUnicode_READ_CHAR(args[0], 2) == 'a';
}

static PyObject *on_start(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    (void)self;
    if (is_start(args, count) == 1) {
        int exclusive;
        uint32_t node = am_located(1, &exclusive);
        am_recorded(node, exclusive);
        collection.flag_at_start = gc()->collecting;
        begin(node);
    }
    Py_RETURN_NONE;
}

static PyObject *on_stop(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    (void)self;
    if (is_start(args, count) == 0) {
        /* While there are callbacks behind this one, other threads may run with the flag set. */
        PyObject *callbacks = gc()->callbacks;
        Py_ssize_t all = PyList_GET_SIZE(callbacks);
        if (all > 0 && PyList_GET_ITEM(callbacks, all - 1) == at_stop) collection.state_id = 0;
    }
    Py_RETURN_NONE;
}

#define AS_METHOD(function) (PyCFunction)(void (*)(void))function, METH_FASTCALL

static PyMethodDef start_callback = {"allocmeter_on_start", AS_METHOD(on_start),
                                     "Tells which thread collects garbage: the first callback."};
static PyMethodDef stop_callback = {"allocmeter_on_stop", AS_METHOD(on_stop),
                                    "Tells that none does any more: the last callback."};

static PyObject *kept(PyObject **callable, PyMethodDef *definition) {
    if (*callable == NULL) *callable = PyCFunction_New(definition, NULL);
    return Py_XNewRef(*callable);
}

PyObject *am_collector_start_callback(void) { return kept(&at_start, &start_callback); }
PyObject *am_collector_stop_callback(void) { return kept(&at_stop, &stop_callback); }

/* Sets are counted one by one: the interpreter keeps no spare ones. */
static int counts_sets(int *count) {
    const int before = *count;
    *count = AM_COUNT_HELD;
    PyObject *one = PySet_New(NULL), *other = PySet_New(NULL);
    int right = one != NULL && other != NULL && *count == AM_COUNT_HELD + 2;
    Py_XDECREF(one);
    Py_XDECREF(other);
    right &= *count == AM_COUNT_HELD + 2;
    *count = before;
    PyErr_Clear();
    return right;
}

/* What is held now, if anything, changes with it. */
static void count_with(int *count) {
    if (am_collector_count == count) return;
    if (am_collector_held.depth != 0) {
        *am_collector_count = am_collector_held.count;
        am_collector_held.count = *count;
        *count = AM_COUNT_HELD;
    }
    am_collector_count = count;
}

int am_collector_verify(void) {
    int *count = count_of_youngest();
    int trusted = collection.flag_at_start == 1 && gc()->collecting == 0 && counts_sets(count);
    am_collecting = trusted ? &gc()->collecting : &never;
    count_with(trusted ? count : &uncounted);
    return trusted;
}

void am_collector_ignore(void) {
    am_collecting = &never;
    count_with(&uncounted);
}

void am_collector_repair(void) {
    if (am_collector_held.depth == 0) return;
    am_collector_held.depth = 1;
    am_collector_release();
}

uint32_t am_collector_node(uint32_t node) {
    if (node == AM_NONE) return node; /* muted: the hook around this one has asked, or need not */
    /* Callbacks that stand before ours may release the lock. But a collection begins with the
     * making of what it passes to them, so whoever allocates first is the thread that collects. */
    if (collection.state_id == 0) begin(node);
    if (node == AM_ROOT && !am_records_root()) return AM_NONE;
    if (node == AM_OWN) return node;
    /* Other threads work on while a finalizer or a callback has released the lock, and a finalizer
     * may open a scope of its own. */
    int finalizing = collection.state_id == PyThreadState_Get()->id && collection.node == node;
    return finalizing ? AM_GC : node;
}
