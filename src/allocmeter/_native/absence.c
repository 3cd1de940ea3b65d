#include "absence.h"

#include "mapping.h"

void am_twins_clear(am_twins *twins) {
    twins->holder = NULL;
    Py_CLEAR(twins->within);
    Py_CLEAR(twins->without);
}

PyObject *am_twins_before(void) {
    return am_context_value() == NULL ? Py_XNewRef(am_mapping_now()) : NULL;
}

void am_twins_after(am_twins *twins, PyObject *before, am_holder *holder) {
    PyObject *now = before == NULL ? NULL : am_mapping_now();
    twins->holder = holder;
    Py_XSETREF(twins->within, Py_XNewRef(now));
    if (now == NULL) Py_CLEAR(before);
    Py_XSETREF(twins->without, before);
}

/* Elsewhere the holder is there by inheritance, and to be noted as left. */
int am_twins_leave(const am_twins *twins) {
    am_holder *holder = twins->holder;
    return twins->within != NULL && holder->previous == NULL && !holder->left_elsewhere &&
           holder->context == PyThreadState_Get()->context &&
           am_context_exchange(twins->within, twins->without, NULL);
}

/* Kept apart from `known`: within the stretch, another one may begin and bring that up to date. */
static void twins_copy(am_twins *to, const am_twins *from) {
    to->within = Py_NewRef(from->within);
    to->without = Py_NewRef(from->without);
    to->holder = from->holder;
}

static int begin_by_setting(am_absence *absence, am_twins *known, am_holder *inside) {
    am_holder *value = am_context_value();
    if (value == inside) { /* nearly always both NULL: it begins outside of every scope */
        absence->value = (am_holder *)Py_XNewRef(value);
        return 0;
    }
    PyObject *within = Py_XNewRef(am_mapping_now()); /* keeps the value as well, if there is one */
    Py_XINCREF(value);
    if (am_context_set(inside) < 0) {
        Py_XDECREF(value);
        Py_XDECREF(within);
        return -1;
    }
    absence->value = value;
    if (within != NULL && inside == NULL && value == known->holder) {
        Py_XSETREF(known->within, Py_NewRef(within));
        Py_XSETREF(known->without, Py_NewRef(am_mapping_now()));
        twins_copy(&absence->twins, known);
    }
    Py_XDECREF(within);
    return 0;
}

int am_absence_begin(am_absence *absence, am_twins *known, am_holder *inside) {
    *absence = (am_absence){.value = NULL};
    if (inside == NULL && known->within != NULL &&
        am_context_exchange(known->within, known->without, NULL)) {
        twins_copy(&absence->twins, known);
        return 0;
    }
    am_own_begin();
    int failed = begin_by_setting(absence, known, inside);
    am_own_end();
    return failed;
}

static am_holder *end_by_setting(am_holder *value) {
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    am_holder *inside = (am_holder *)Py_XNewRef(am_context_value());
    if (inside != value && am_context_set(value) < 0) PyErr_Clear();
    PyErr_Restore(type, error, traceback);
    return inside;
}

am_holder *am_absence_end(am_absence *absence) {
    am_twins *twins = &absence->twins;
    am_holder *inside = NULL, *value = twins->within != NULL ? twins->holder : absence->value;
    if (twins->within == NULL || !am_context_exchange(twins->without, twins->within, value)) {
        am_own_begin();
        inside = end_by_setting(value);
        am_own_end();
    }
    am_twins_clear(twins);
    Py_CLEAR(absence->value);
    return inside;
}
