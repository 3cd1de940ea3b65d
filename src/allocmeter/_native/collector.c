/* The structure of an interpreter is only declared for parts of the interpreter itself. */
#define Py_BUILD_CORE 1
#include <Python.h>
#include <internal/pycore_interp.h>
#undef Py_BUILD_CORE

#include "collector.h"
#include "recording.h"

static const int never;
const int *am_collecting = &never;

static struct {
    uint64_t state_id; /* of the thread that collects, or did so last; memory is used again */
    uint32_t node;             /* what was current there when the collection began */
    int running;               /* our callback was called at its start, and not at its end */
    int flag_at_start;
} collection;

static const int *flag(void) { return &PyInterpreterState_Main()->gc.collecting; }

static PyObject *on_collection(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    (void)self;
    /* Called with "start" or "stop", which differ in the third letter. */
    if (count < 1 || !PyUnicode_Check(args[0]) || PyUnicode_GET_LENGTH(args[0]) < 4)
        Py_RETURN_NONE;
    if (PyUnicode_READ_CHAR(args[0], 2) == 'a') {
        int exclusive;
        collection.flag_at_start = *flag();
        collection.node = am_located(1, &exclusive);
        am_recorded(collection.node, exclusive);
        collection.state_id = PyThreadState_Get()->id;
        collection.running = 1;
    } else {
        collection.running = 0;
    }
    Py_RETURN_NONE;
}

static PyMethodDef callback = {"allocmeter_on_collection",
                               (PyCFunction)(void (*)(void))on_collection, METH_FASTCALL,
                               "Tells which thread is collecting garbage."};

PyObject *am_collector_callback_new(void) { return PyCFunction_New(&callback, NULL); }

int am_collector_verify(void) {
    int trusted = collection.flag_at_start == 1 && *flag() == 0;
    am_collecting = trusted ? flag() : &never;
    return trusted;
}

void am_collector_ignore(void) { am_collecting = &never; }

uint32_t am_collector_node(uint32_t node) {
    /* Other threads work on while a finalizer or a callback releases the lock. */
    if (node == AM_OWN || collection.state_id != am_thread.state_id) return node;
    /* A finalizer may open a scope of its own. Before and after our callback runs, it is callbacks of
     * others that allocate; the thread is that of the collection before then, as it nearly always
     * is again. */
    return collection.node == node || !collection.running ? AM_GC : node;
}
