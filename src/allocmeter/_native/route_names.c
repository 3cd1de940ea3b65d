#include "route_names.h"

#include <stdint.h>

typedef struct {
    PyObject *route; /* NULL: nothing stands here */
    PyObject *inclusion, *method, *name;
} entry_t;

/* Open addressing, at most half full; nothing is ever taken out. */
typedef struct {
    PyObject_HEAD
    entry_t *entries;
    Py_ssize_t used, most;
    size_t mask;
} route_names_t;

enum { FEWEST = 64 };

static size_t hash(const PyObject *route, const PyObject *inclusion, const PyObject *method) {
    /* Objects stand 16 bytes apart at least, and often at even distances. */
    uint64_t mixed = ((uint64_t)(uintptr_t)route >> 4) * 0x9E3779B97F4A7C15u;
    mixed ^= ((uint64_t)(uintptr_t)inclusion >> 4) * 0xC2B2AE3D27D4EB4Fu;
    mixed ^= ((uint64_t)(uintptr_t)method >> 4) * 0x165667B19E3779F9u;
    return (size_t)(mixed >> 32);
}

/* The entry for these, or the empty one where they belong. */
static entry_t *place(entry_t *entries, size_t mask, const PyObject *route,
                      const PyObject *inclusion, const PyObject *method) {
    for (size_t i = hash(route, inclusion, method);; i++) {
        entry_t *entry = &entries[i & mask];
        if (entry->route == NULL || (entry->route == route && entry->inclusion == inclusion &&
                                     entry->method == method))
            return entry;
    }
}

PyObject *am_route_names_find(PyObject *names, PyObject *route, PyObject *inclusion,
                              PyObject *method) {
    const route_names_t *self = (const route_names_t *)names;
    if (self->entries == NULL) return NULL; /* the collector has taken it apart */
    return place(self->entries, self->mask, route, inclusion, method)->name;
}

static int grow(route_names_t *self) {
    size_t room = self->entries == NULL ? FEWEST : 2 * (self->mask + 1);
    entry_t *entries = PyMem_Calloc(room, sizeof(entry_t));
    if (entries == NULL) return -1;
    for (size_t i = 0; self->entries != NULL && i <= self->mask; i++) {
        const entry_t *entry = &self->entries[i];
        if (entry->route != NULL)
            *place(entries, room - 1, entry->route, entry->inclusion, entry->method) = *entry;
    }
    PyMem_Free(self->entries);
    self->entries = entries;
    self->mask = room - 1;
    return 0;
}

static PyObject *route_names_add(PyObject *object, PyObject *args) {
    route_names_t *self = (route_names_t *)object;
    PyObject *route, *inclusion, *method, *name;
    if (!PyArg_ParseTuple(args, "OOUU:add", &route, &inclusion, &method, &name)) return NULL;
    if (inclusion == Py_None) inclusion = NULL;
    int full = self->entries == NULL || 2 * (size_t)self->used > self->mask;
    if (full && grow(self) < 0) return PyErr_NoMemory();
    entry_t *entry = place(self->entries, self->mask, route, inclusion, method);
    if (entry->route != NULL) {
        Py_SETREF(entry->name, Py_NewRef(name));
        Py_RETURN_TRUE;
    }
    if (self->used >= self->most) Py_RETURN_FALSE;
    *entry = (entry_t){Py_NewRef(route), Py_XNewRef(inclusion), Py_NewRef(method), Py_NewRef(name)};
    self->used++;
    Py_RETURN_TRUE;
}

static PyObject *route_names_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    Py_ssize_t most;
    if (!PyArg_ParseTuple(args, "n:NativeRouteNames", &most)) return NULL;
    (void)kwargs;
    route_names_t *self = (route_names_t *)type->tp_alloc(type, 0);
    if (self != NULL) self->most = most;
    return (PyObject *)self;
}

static Py_ssize_t route_names_length(PyObject *self) { return ((route_names_t *)self)->used; }

static int route_names_traverse(PyObject *object, visitproc visit, void *arg) {
    const route_names_t *self = (const route_names_t *)object;
    for (size_t i = 0; self->entries != NULL && i <= self->mask; i++) {
        Py_VISIT(self->entries[i].route);
        Py_VISIT(self->entries[i].inclusion);
    }
    return 0;
}

static int route_names_clear(PyObject *object) {
    route_names_t *self = (route_names_t *)object;
    entry_t *entries = self->entries;
    self->entries = NULL; /* first: what goes may come back here */
    self->used = 0;
    for (size_t i = 0; entries != NULL && i <= self->mask; i++) {
        Py_XDECREF(entries[i].route);
        Py_XDECREF(entries[i].inclusion);
        Py_XDECREF(entries[i].method);
        Py_XDECREF(entries[i].name);
    }
    PyMem_Free(entries);
    return 0;
}

static void route_names_dealloc(PyObject *object) {
    PyObject_GC_UnTrack(object);
    (void)route_names_clear(object);
    Py_TYPE(object)->tp_free(object);
}

static PyMethodDef route_names_methods[] = {
    {"add", route_names_add, METH_VARARGS, "Keep a name; False if there are too many."},
    {NULL, NULL, 0, NULL},
};

static PySequenceMethods route_names_as_sequence = {.sq_length = route_names_length};

PyTypeObject am_route_names_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "allocmeter._native.NativeRouteNames",
    .tp_basicsize = sizeof(route_names_t),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = route_names_new,
    .tp_dealloc = route_names_dealloc,
    .tp_traverse = route_names_traverse,
    .tp_clear = route_names_clear,
    .tp_as_sequence = &route_names_as_sequence,
    .tp_methods = route_names_methods,
};

int am_route_names_init(void) { return PyType_Ready(&am_route_names_type); }
