/* High-water marks as Python capsules. */
#include "allocmeter.h"

#include "account.h"
#include "pymem.h"
#include "scope.h"

#define MARK_NAME "allocmeter.mark"

typedef struct {
    am_mark mark;
    unsigned gaps; /* am_hooks_gaps when it was made or reset */
} mark_t;

static void mark_free(PyObject *capsule) {
    mark_t *self = PyCapsule_GetPointer(capsule, MARK_NAME);
    am_mark_remove(&self->mark);
    PyMem_Free(self);
}

PyObject *am_mark_new(PyObject *scope) {
    uint32_t node = AM_ROOT;
    if (scope != Py_None) {
        if (!am_is_scope(scope)) return NULL;
        node = ((am_scope *)scope)->holder.node;
        if (!((am_scope *)scope)->measured) {
            PyErr_SetString(PyExc_RuntimeError, "this scope has no figures to mark");
            return NULL;
        }
    }
    mark_t *self = PyMem_Calloc(1, sizeof *self);
    if (self == NULL) return PyErr_NoMemory();
    PyObject *capsule = PyCapsule_New(self, MARK_NAME, NULL);
    if (capsule == NULL) {
        PyMem_Free(self);
        return NULL;
    }
    self->mark.node = node;
    self->gaps = am_gaps_now();
    am_mark_add(&self->mark);
    PyCapsule_SetDestructor(capsule, mark_free);
    return capsule;
}

int am_mark_read(PyObject *capsule, int64_t out[4]) {
    const mark_t *self = PyCapsule_GetPointer(capsule, MARK_NAME);
    if (self == NULL) return -1;
    am_settle();
    const am_counts *total = &am_nodes[self->mark.node].total;
    out[0] = total->live_bytes, out[1] = total->live_blocks;
    out[2] = self->mark.peak_bytes, out[3] = self->mark.peak_blocks;
    return self->gaps == am_gaps_now() && !am_is_broken() ? AM_READ : AM_INCOMPLETE;
}

int am_mark_reset(PyObject *capsule) {
    mark_t *self = PyCapsule_GetPointer(capsule, MARK_NAME);
    if (self == NULL) return -1;
    self->gaps = am_gaps_now();
    am_mark_set(&self->mark);
    return 0;
}
