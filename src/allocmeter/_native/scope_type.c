#include "scope.h"

#include <structmember.h>

#include "ownership.h"
#include "ready.h"
#include "registry.h"
#include "sizes.h"
#include "standin.h"

static int set_name(am_scope *self, PyObject *name) {
    if (name != Py_None && !PyUnicode_Check(name)) {
        PyErr_Format(PyExc_TypeError,
                     "a scope's name must be a str or None, not %.100s; write measure(\"name\")",
                     Py_TYPE(name)->tp_name);
        return -1;
    }
    Py_XSETREF(self->name, Py_NewRef(name));
    return 0;
}

static int set_registry(am_scope *self, PyObject *registry) {
    if (registry == Py_None) registry = am_python.registry;
    if (!PyObject_TypeCheck(registry, &am_registry_type)) {
        PyErr_Format(PyExc_TypeError, "registry must be a Registry or None, not %.100s",
                     Py_TYPE(registry)->tp_name);
        return -1;
    }
    self->registry = Py_NewRef(registry);
    return 0;
}

static PyObject *scope_make(PyTypeObject *type, PyObject *name, PyObject *registry) {
    am_scope *self = (am_scope *)am_own_alloc(type);
    if (self == NULL) return NULL;
    if (set_name(self, name) < 0 || set_registry(self, registry) < 0) Py_CLEAR(self);
    return (PyObject *)self;
}

am_scope *am_scope_new(PyTypeObject *type, PyObject *name, PyObject *registry) {
    return (am_scope *)scope_make(type, name, registry);
}

static PyObject *scope_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"name", "registry", NULL};
    PyObject *name = Py_None, *registry = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O$O:measure", keywords, &name, &registry))
        return NULL;
    return scope_make(type, name, registry);
}

/* Without the argument tuple that the general way would allocate in the scope around. */
static PyObject *scope_vectorcall(PyObject *type, PyObject *const *args, size_t flags,
                                  PyObject *keywords) {
    Py_ssize_t positional = PyVectorcall_NARGS(flags);
    Py_ssize_t named = keywords == NULL ? 0 : PyTuple_GET_SIZE(keywords);
    PyObject *name = positional > 0 ? args[0] : Py_None, *registry = Py_None;
    int valid = positional <= 1;
    for (Py_ssize_t i = 0; valid && i < named; i++) {
        PyObject *keyword = PyTuple_GET_ITEM(keywords, i);
        if (PyUnicode_CompareWithASCIIString(keyword, "registry") == 0)
            registry = args[positional + i];
        else if (positional == 0 && PyUnicode_CompareWithASCIIString(keyword, "name") == 0)
            name = args[positional + i];
        else
            valid = 0;
    }
    if (valid) return scope_make((PyTypeObject *)type, name, registry);
    PyErr_SetString(PyExc_TypeError, "measure() takes one name and the keyword 'registry'");
    return NULL;
}

/* A scope keeps what was current before it, and that may be a call of the server that keeps a coroutine
 * which has entered the scope. */
static int scope_traverse(PyObject *object, visitproc visit, void *arg) {
    am_scope *self = (am_scope *)object;
    Py_VISIT((PyObject *)self->holder.previous);
    Py_VISIT((PyObject *)self->inside);
    Py_VISIT((PyObject *)self->standin);
    Py_VISIT(self->name);
    Py_VISIT(self->registry);
    return 0;
}

/* Name and registry stay, for whoever closes it later: cycles through them are broken elsewhere. */
static int scope_clear(PyObject *object) {
    am_scope *self = (am_scope *)object;
    Py_CLEAR(self->holder.previous);
    Py_CLEAR(self->inside);
    return 0;
}

static void scope_dealloc(PyObject *object) {
    am_scope *self = (am_scope *)object;
    PyObject_GC_UnTrack(object);
    if (self->state != AM_SCOPE_NEW) am_listen(-1);
    if (self->state == AM_SCOPE_OPEN) am_scope_forget(self);
    if (self->sized) am_sizes_forget(self);
    if (self->holder.node != AM_NONE) am_node_drop(self->holder.node);
    am_standin_abandon(self);
    (void)scope_clear(object);
    Py_XDECREF(self->name);
    Py_XDECREF(self->registry);
    am_own_free(object);
}

static PyObject *itself(PyObject *object) { return Py_NewRef(object); }

/* The value that entering hands to `as`, and whatever else it needs, is made before the switch. */
static PyObject *enter(PyObject *object, PyObject *(*make_result)(PyObject *)) {
    am_scope *self = (am_scope *)object;
    am_own_begin();
    int opened = am_scope_open(self) == 0;
    PyObject *result = opened ? make_result(object) : NULL;
    if (opened && (result == NULL || am_scope_resume(self) < 0)) {
        am_scope_cancel(self);
        Py_CLEAR(result);
    }
    am_own_end();
    return result;
}

static int leave(PyObject *object, PyObject *const *args, Py_ssize_t count) {
    am_scope *self = (am_scope *)object;
    PyObject *type = count > 0 ? args[0] : NULL, *exception = count > 1 ? args[1] : NULL;
    am_own_begin();
    if (self->state == AM_SCOPE_OPEN) am_scope_suspend(self);
    int failed = am_scope_close(self, exception != NULL && exception != Py_None ? exception : type);
    am_own_end();
    return failed;
}

static PyObject *scope_enter(PyObject *self, PyObject *unused) {
    (void)unused;
    return enter(self, itself);
}

static PyObject *scope_aenter(PyObject *self, PyObject *unused) {
    (void)unused;
    return enter(self, am_ready);
}

static PyObject *scope_exit(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    if (leave(self, args, count) < 0) return NULL;
    Py_RETURN_NONE;
}

static PyObject *scope_aexit(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    if (leave(self, args, count) < 0) return NULL;
    am_own_begin();
    PyObject *nothing = am_ready(Py_None);
    am_own_end();
    return nothing;
}

static PyObject *scope_open(PyObject *self, PyObject *unused) {
    (void)unused;
    am_own_begin();
    int failed = am_scope_open((am_scope *)self) < 0;
    am_own_end();
    if (failed) return NULL;
    Py_RETURN_NONE;
}

static PyObject *scope_resume(PyObject *self, PyObject *unused) {
    (void)unused;
    am_own_begin();
    int failed = am_scope_resume((am_scope *)self) < 0;
    am_own_end();
    if (failed) return NULL;
    Py_RETURN_NONE;
}

static PyObject *scope_suspend(PyObject *self, PyObject *unused) {
    (void)unused;
    am_own_begin();
    am_scope_pause((am_scope *)self);
    am_own_end();
    Py_RETURN_NONE;
}

static PyObject *scope_close(PyObject *self, PyObject *exception) {
    am_own_begin();
    int failed = am_scope_close((am_scope *)self, exception) < 0;
    am_own_end();
    if (failed) return NULL;
    Py_RETURN_NONE;
}

/* For scopes whose name is found out while they are open, as a request's route is. */
static PyObject *scope_rename(PyObject *object, PyObject *name) {
    am_scope *self = (am_scope *)object;
    if (self->state == AM_SCOPE_CLOSED) {
        PyErr_SetString(PyExc_RuntimeError, "this scope is closed, and counted by its name");
        return NULL;
    }
    if (set_name(self, name) < 0) return NULL;
    Py_RETURN_NONE;
}

#define FAST(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef scope_methods[] = {
    {"__enter__", scope_enter, METH_NOARGS, NULL},
    {"__exit__", FAST(scope_exit), METH_FASTCALL, NULL},
    {"__aenter__", scope_aenter, METH_NOARGS, NULL},
    {"__aexit__", FAST(scope_aexit), METH_FASTCALL, NULL},
    {"_open", scope_open, METH_NOARGS, NULL},
    {"_resume", scope_resume, METH_NOARGS, NULL},
    {"_suspend", scope_suspend, METH_NOARGS, NULL},
    {"_close", scope_close, METH_O, NULL},
    {"_rename", scope_rename, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

/* A subclass that constructs as we do may be called as we are. */
static PyObject *scope_init_subclass(PyObject *type, PyObject *unused) {
    PyTypeObject *subclass = (PyTypeObject *)type;
    (void)unused;
    if (subclass->tp_new == scope_new && subclass->tp_init == am_scope_type.tp_init)
        subclass->tp_vectorcall = scope_vectorcall;
    Py_RETURN_NONE;
}

static PyMethodDef scope_class_methods[] = {
    {"__init_subclass__", scope_init_subclass, METH_CLASS | METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyObject *scope_is_open(PyObject *self, void *unused) {
    (void)unused;
    return PyBool_FromLong(((am_scope *)self)->state == AM_SCOPE_OPEN);
}

static PyObject *scope_is_closed(PyObject *self, void *unused) {
    (void)unused;
    return PyBool_FromLong(((am_scope *)self)->state == AM_SCOPE_CLOSED);
}

static PyGetSetDef scope_getset[] = {
    {"is_open", scope_is_open, NULL, "Whether the scope was entered and not left yet.", NULL},
    {"is_closed", scope_is_closed, NULL, "Whether the scope was left: its figures are final.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef scope_members[] = {
    {"name", T_OBJECT, offsetof(am_scope, name), READONLY,
     "The name its figures are aggregated under; None: they are not."},
    {"_registry", T_OBJECT, offsetof(am_scope, registry), READONLY, "Where they are aggregated."},
    {NULL, 0, 0, 0, NULL},
};

PyTypeObject am_scope_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "allocmeter._native.NativeScope",
    .tp_basicsize = sizeof(am_scope),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "NativeScope(name=None, *, registry=None)\n--\n\nWhat measure is derived from.",
    .tp_new = scope_new,
    .tp_dealloc = scope_dealloc,
    .tp_traverse = scope_traverse,
    .tp_clear = scope_clear,
    .tp_vectorcall = scope_vectorcall,
    .tp_methods = scope_class_methods,
    .tp_getset = scope_getset,
    .tp_members = scope_members,
};

int am_scope_init(void) {
    if (PyType_Ready(&am_scope_type) < 0 || am_standin_init() < 0 || am_ready_init() < 0) return -1;
    return am_own_methods_add(&am_scope_type, scope_methods);
}
