#include "entrance.h"

#include "route_names.h"

typedef struct {
    PyObject_HEAD
    vectorcallfunc call;
    PyObject *kinds, *methods, *measuring, *excluded;
    PyObject *scope_class, *registry, *known, *turned_on; /* of `measuring` */
} entrance_t;

static struct {
    PyObject *get, *type, *method, *path, *root_path, *nothing, *mark;
    PyObject *on, *give_up, *prepare;
} names;

/* What stands in an ASGI scope, a new reference; NULL without an exception: nothing. */
static PyObject *found_in(PyObject *asgi_scope, PyObject *key) {
    PyObject *found;
    if (PyDict_CheckExact(asgi_scope))
        return Py_XNewRef(PyDict_GetItemWithError(asgi_scope, key));
    found = PyObject_CallMethodOneArg(asgi_scope, names.get, key);
    if (found != Py_None) return found;
    Py_DECREF(found);
    return NULL;
}

/* Of an answer, which is released: 1, 0, or -1 with an exception. */
static int is_true(PyObject *answer) {
    int truth = answer == NULL ? -1 : PyObject_IsTrue(answer);
    Py_XDECREF(answer);
    return truth;
}

/* The tuple of what is to be measured, borrowed; NULL, perhaps with an exception, for what is not. */
static PyObject *kind_of(entrance_t *self, PyObject *asgi_scope) {
    PyObject *type = found_in(asgi_scope, names.type);
    PyObject *kind = type == NULL ? NULL : PyDict_GetItemWithError(self->kinds, type);
    Py_XDECREF(type);
    if (kind == NULL || is_true(PyObject_GetAttr(self->turned_on, names.on)) != 1) return NULL;
    if (PySequence_Contains(asgi_scope, names.mark) != 0) return NULL;
    if (self->excluded == Py_None) return kind;
    return is_true(PyObject_CallOneArg(self->excluded, asgi_scope)) == 0 ? kind : NULL;
}

/* The method as it stands in names, and the name until there is a better one, borrowed. */
static PyObject *method_of(entrance_t *self, PyObject *asgi_scope, PyObject *kind) {
    PyObject *fixed = PyTuple_GET_ITEM(kind, 3), *found;
    if (fixed != Py_None) return fixed;
    PyObject *method = found_in(asgi_scope, names.method);
    if (method == NULL && PyErr_Occurred()) return NULL;
    /* A client can make up any, and an application anything. */
    int known = method != NULL && PyUnicode_Check(method);
    found = known ? PyDict_GetItemWithError(self->methods, method) : NULL;
    Py_XDECREF(method);
    return found != NULL || PyErr_Occurred() ? found
                                             : PyDict_GetItemWithError(self->methods, Py_None);
}

/* A text in an ASGI scope, a new reference, empty if there is none; NULL with an exception. */
static PyObject *text_in(PyObject *asgi_scope, PyObject *key) {
    PyObject *found = found_in(asgi_scope, key);
    return found != NULL || PyErr_Occurred() ? found : Py_NewRef(names.nothing);
}

/* Opens the scope, and makes it current. */
static int begin(am_exchange *self) {
    PyObject *before = am_twins_before();
    if (am_scope_open_apart(self->scope) == 0 &&
        PyObject_SetItem(self->asgi_scope, names.mark, (PyObject *)self->scope) == 0 &&
        am_scope_resume(self->scope) == 0) {
        am_twins_after(&self->twins, before, &self->scope->holder);
        return 0;
    }
    Py_XDECREF(before);
    am_scope_cancel(self->scope);
    return -1;
}

/* All that it is made with, but for the scope. */
static am_exchange *exchange_made(entrance_t *self, PyObject *const *args, PyObject *kind,
                                  PyObject *method) {
    PyTypeObject *type = (PyTypeObject *)PyTuple_GET_ITEM(kind, 0);
    am_exchange *made = (am_exchange *)type->tp_alloc(type, 0);
    if (made == NULL) return NULL;
    made->asgi_scope = Py_NewRef(args[0]);
    made->receive = Py_NewRef(args[1]);
    made->send = Py_NewRef(args[2]);
    made->method = Py_NewRef(PyTuple_GET_ITEM(method, 0));
    made->measuring = Py_NewRef(self->measuring);
    made->known = Py_NewRef(self->known);
    made->notable = Py_NewRef(PyTuple_GET_ITEM(kind, 1));
    made->plain = PyTuple_GET_ITEM(kind, 2) == Py_True;
    if ((made->path = text_in(args[0], names.path)) == NULL ||
        (made->root_path = text_in(args[0], names.root_path)) == NULL)
        Py_CLEAR(made);
    return made;
}

static int prepare(am_exchange *exchange) {
    if (exchange->plain) return 0;
    PyObject *done = PyObject_CallMethodNoArgs((PyObject *)exchange, names.prepare);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

static PyObject *exchange_for(entrance_t *self, PyObject *const *args) {
    PyObject *kind = kind_of(self, args[0]);
    if (kind == NULL) return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    PyObject *method = method_of(self, args[0], kind);
    am_exchange *made = method == NULL ? NULL : exchange_made(self, args, kind, method);
    if (made == NULL) return NULL;
    made->scope = am_scope_new((PyTypeObject *)self->scope_class, PyTuple_GET_ITEM(method, 1),
                               self->registry);
    if (made->scope == NULL || prepare(made) < 0 || begin(made) < 0) Py_CLEAR(made);
    return (PyObject *)made;
}

static PyObject *entrance_call(PyObject *object, PyObject *const *args, size_t flags,
                               PyObject *keywords) {
    entrance_t *self = (entrance_t *)object;
    if (PyVectorcall_NARGS(flags) != 3 || (keywords != NULL && PyTuple_GET_SIZE(keywords) != 0)) {
        PyErr_SetString(PyExc_TypeError, "called with an ASGI scope, receive and send");
        return NULL;
    }
    am_own_begin();
    PyObject *exchange = exchange_for(self, args);
    if (exchange == NULL && am_exchange_contained(self->measuring, names.give_up) == 0)
        exchange = Py_NewRef(Py_None);
    am_own_end();
    return exchange;
}

static int is_method(PyObject *method) {
    return PyTuple_Check(method) && PyTuple_GET_SIZE(method) == 2;
}

static int is_kind(PyObject *kind) {
    return PyTuple_Check(kind) && PyTuple_GET_SIZE(kind) == 4 &&
           PyType_Check(PyTuple_GET_ITEM(kind, 0)) &&
           PyType_IsSubtype((PyTypeObject *)PyTuple_GET_ITEM(kind, 0), &am_exchange_type) &&
           PyFrozenSet_Check(PyTuple_GET_ITEM(kind, 1)) &&
           (PyTuple_GET_ITEM(kind, 3) == Py_None || is_method(PyTuple_GET_ITEM(kind, 3)));
}

static int all_are(PyObject *dict, int (*is_right)(PyObject *)) {
    PyObject *value;
    for (Py_ssize_t at = 0; PyDict_Next(dict, &at, NULL, &value);)
        if (!is_right(value)) return 0;
    return 1;
}

static int entrance_set(entrance_t *self, PyObject *kinds, PyObject *methods, PyObject *measuring,
                        PyObject *excluded) {
    self->kinds = PyDict_Copy(kinds); /* which nobody else can change */
    self->methods = PyDict_Copy(methods);
    self->measuring = Py_NewRef(measuring);
    self->excluded = Py_NewRef(excluded);
    if (self->kinds == NULL || self->methods == NULL) return -1;
    if ((self->scope_class = PyObject_GetAttrString(measuring, "scope_class")) == NULL ||
        (self->registry = PyObject_GetAttrString(measuring, "registry")) == NULL ||
        (self->known = PyObject_GetAttrString(measuring, "known")) == NULL ||
        (self->turned_on = PyObject_GetAttrString(measuring, "switch")) == NULL)
        return -1;
    if (all_are(self->kinds, is_kind) && all_are(self->methods, is_method) &&
        PyDict_Contains(self->methods, Py_None) == 1 && PyType_Check(self->scope_class) &&
        PyType_IsSubtype((PyTypeObject *)self->scope_class, &am_scope_type) &&
        (self->known == Py_None || Py_IS_TYPE(self->known, &am_route_names_type)))
        return 0;
    PyErr_SetString(PyExc_TypeError, "an entrance is made of other things: see entrance.h");
    return -1;
}

static PyObject *entrance_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    PyObject *kinds, *methods, *measuring, *excluded;
    (void)kwargs;
    if (!PyArg_ParseTuple(args, "O!O!OO:NativeEntrance", &PyDict_Type, &kinds, &PyDict_Type,
                          &methods, &measuring, &excluded))
        return NULL;
    entrance_t *self = (entrance_t *)type->tp_alloc(type, 0);
    if (self == NULL) return NULL;
    self->call = entrance_call;
    if (entrance_set(self, kinds, methods, measuring, excluded) < 0) Py_CLEAR(self);
    return (PyObject *)self;
}

static int entrance_traverse(PyObject *object, visitproc visit, void *arg) {
    entrance_t *self = (entrance_t *)object;
    Py_VISIT(self->kinds);
    Py_VISIT(self->methods);
    Py_VISIT(self->measuring);
    Py_VISIT(self->excluded);
    Py_VISIT(self->known);
    Py_VISIT(self->turned_on);
    return 0;
}

/* Cycles through it lead through `measuring` or `excluded`; both can be taken apart themselves. */
static void entrance_dealloc(PyObject *object) {
    entrance_t *self = (entrance_t *)object;
    PyObject_GC_UnTrack(object);
    Py_XDECREF(self->kinds);
    Py_XDECREF(self->methods);
    Py_XDECREF(self->measuring);
    Py_XDECREF(self->excluded);
    Py_XDECREF(self->scope_class);
    Py_XDECREF(self->registry);
    Py_XDECREF(self->known);
    Py_XDECREF(self->turned_on);
    Py_TYPE(object)->tp_free(object);
}

PyTypeObject am_entrance_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "allocmeter._native.NativeEntrance",
    .tp_basicsize = sizeof(entrance_t),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_new = entrance_new,
    .tp_dealloc = entrance_dealloc,
    .tp_traverse = entrance_traverse,
    .tp_call = PyVectorcall_Call,
    .tp_vectorcall_offset = offsetof(entrance_t, call),
};

int am_entrance_init(void) {
    const struct {
        PyObject **name;
        const char *text;
    } wanted[] = {
        {&names.get, "get"},
        {&names.type, "type"},
        {&names.method, "method"},
        {&names.path, "path"},
        {&names.root_path, "root_path"},
        {&names.nothing, ""},
        {&names.mark, "allocmeter"},
        {&names.on, "on"},
        {&names.give_up, "give_up"},
        {&names.prepare, "prepare"},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if ((*wanted[i].name = PyUnicode_InternFromString(wanted[i].text)) == NULL) return -1;
    return PyType_Ready(&am_entrance_type) < 0 || am_route_names_init() < 0 ? -1 : 0;
}
