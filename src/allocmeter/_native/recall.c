#include "recall.h"

#include "node.h"

am_recalled am_recall_places[AM_RECALL_PLACES];

static uint64_t latest_serial;

/* Whose functions are ours; and those that were there. */
static PyTypeObject *watched;
static destructor free_values;
static inquiry clear_values;

static void forget(PyObject *mapping) {
    am_recalled *place = am_recall(mapping);
    if (place != NULL) atomic_store_explicit(&place->mapping, NULL, memory_order_relaxed);
}

static void mapping_dealloc(PyObject *mapping) {
    forget(mapping);
    free_values(mapping);
}

static int mapping_clear(PyObject *mapping) {
    forget(mapping);
    return clear_values(mapping);
}

am_recalled *am_recall_note(const PyObject *mapping, struct am_holder *value) {
    if (watched == NULL || mapping == NULL) return NULL;
    am_recalled *place = am_recall(mapping);
    if (place != NULL) return place;
    place = am_recall_place(mapping);
    place->value = value;
    place->serial = ++latest_serial;
    place->node = AM_NONE;
    atomic_store_explicit(&place->mapping, mapping, memory_order_relaxed);
    return place;
}

void am_recall_watch(PyTypeObject *type) {
    if (watched != NULL || type->tp_dealloc == NULL || type->tp_clear == NULL) return;
    free_values = type->tp_dealloc;
    clear_values = type->tp_clear;
    type->tp_dealloc = mapping_dealloc;
    type->tp_clear = mapping_clear;
    watched = type;
}

void am_recall_unwatch(void) {
    if (watched == NULL) return;
    watched->tp_dealloc = free_values;
    watched->tp_clear = clear_values;
    watched = NULL;
    for (unsigned i = 0; i < AM_RECALL_PLACES; i++)
        atomic_store_explicit(&am_recall_places[i].mapping, NULL, memory_order_relaxed);
}
