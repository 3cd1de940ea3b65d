#define _GNU_SOURCE
#include "allocmeter.h"

#include <dlfcn.h>
#include <string.h>

#include "assertion.h"
#include "collector.h"
#include "construction.h"
#include "entrance.h"
#include "exchange.h"
#include "fork.h"
#include "ledger.h"
#include "malloc.h"
#include "mapping.h"
#include "ownership.h"
#include "pymem.h"
#include "registry.h"
#include "route_names.h"
#include "scope.h"
#include "standin.h"

uint32_t am_abi_version(void) { return AM_ABI_VERSION; }

uint32_t am_python_version(void) { return PY_MAJOR_VERSION << 8 | PY_MINOR_VERSION; }

/* For an allocator's hook to call. */
static void switch_off(void) {
    am_hooks_gaps++; /* open scopes are incomplete from now on */
    am_silence();
}

int am_init(void) {
    static int done;
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
        PyErr_SetString(PyExc_RuntimeError,
                        "allocations are measured in the main interpreter only");
        return -1;
    }
    if (done) return 0;
    am_ledger_init();
    if (am_nodes_init() < 0 || am_fork_init() != 0) {
        PyErr_NoMemory();
        return -1;
    }
    if (am_context_init() < 0 || am_ownership_init() < 0 || am_registry_init() < 0 ||
        am_scope_init() < 0 || am_anchor_init() < 0 || am_exchange_init() < 0 ||
        am_entrance_init() < 0)
        return -1;
    am_assertion_on_failure = switch_off;
    done = 1;
    return 0;
}

PyObject *am_scope_class(void) { return Py_NewRef(&am_scope_type); }
PyObject *am_anchor_class(void) { return Py_NewRef(&am_anchor_type); }
PyObject *am_exchange_class(void) { return Py_NewRef(&am_exchange_type); }
PyObject *am_entrance_class(void) { return Py_NewRef(&am_entrance_type); }
PyObject *am_route_names_class(void) { return Py_NewRef(&am_route_names_type); }
PyObject *am_registry_class(void) { return Py_NewRef(&am_registry_type); }
PyObject *am_own_guard_object(void) { return am_own_guard(); }
PyObject *am_own_context_object(void) { return am_own_anchor(); }

int am_bind(PyObject *install, PyObject *hooks_lost, PyObject *broken, PyObject *classify,
            PyObject *registry) {
    const am_callbacks callbacks = {install, hooks_lost, broken, classify, registry};
    return am_scope_bind(&callbacks);
}

int am_install(void) {
    int result = am_hooks_install();
    if (result >= 0) am_native_connect();
    return result;
}

int am_uninstall(void) {
    if (am_open_scopes != 0) return -2;
    int result = am_hooks_uninstall();
    if (result == 0) am_native_disconnect();
    return result;
}

int am_position(void) { return am_hooks_position(); }
int am_native(void) { return am_native_state(); }
const char *am_broken(void) { return am_assertion_text(); }

PyObject *am_displacer(void) {
    Dl_info place;
    const void *function = am_hooks_wanted ? am_hooks_displacer() : NULL;
    if (function == NULL || !dladdr(function, &place)) Py_RETURN_NONE;
    return PyUnicode_DecodeFSDefault(place.dli_fname);
}

int am_exchange_mappings(int on) { return am_mapping_trust(on); }

PyObject *am_collector_callback(int at_start) {
    return at_start ? am_collector_start_callback() : am_collector_stop_callback();
}
int am_collector_check(void) { return am_collector_verify(); }
void am_collector_forget(void) { am_collector_ignore(); }

static unsigned gaps_when_tracked;

int am_track(int on) {
    if (on) gaps_when_tracked = am_hooks_gaps;
    uint32_t before = atomic_load_explicit(&am_tracking, memory_order_relaxed);
    if (before == (on != 0)) return (int)before;
    atomic_store_explicit(&am_tracking, on != 0, memory_order_relaxed);
    am_listen(on ? 1 : -1);
    return (int)before;
}

int am_is_tracking(void) { return (int)atomic_load_explicit(&am_tracking, memory_order_relaxed); }

static void put_figures(am_snapshot snapshot, am_figures *out) {
    *out = (am_figures){
        .allocations = am_allocated_blocks(&snapshot.counts),
        .deallocations = snapshot.counts.freed_blocks,
        .reallocations = snapshot.counts.reallocations,
        .bytes_allocated = am_allocated_bytes(&snapshot.counts),
        .bytes_deallocated = snapshot.counts.freed_bytes,
        .peak_bytes = snapshot.peak_bytes,
        .peak_allocations = snapshot.peak_blocks,
    };
}

int am_scope_read(PyObject *object, int moment, int self, am_figures *out) {
    if (!am_is_scope(object)) return -1;
    const am_scope *scope = (const am_scope *)object;
    if (scope->state == AM_SCOPE_NEW) return AM_NOT_OPENED;
    uint32_t node = scope->holder.node;
    if (!scope->measured) return AM_UNMEASURED;
    if (moment != AM_NOW && scope->state == AM_SCOPE_CLOSED) {
        if (!scope->complete) return AM_INCOMPLETE;
        put_figures(self ? scope->final_self : scope->final, out);
        return AM_READ;
    }
    if (scope->gaps != am_gaps_now()) return AM_INCOMPLETE;
    am_settle();
    put_figures(self ? am_snapshot_self(node) : am_snapshot_total(node), out);
    return AM_READ;
}

/* Nobody keeps marks of the native share. */
static void put_native_figures(const am_counts *counts, am_figures *out) {
    put_figures((am_snapshot){*counts, 0, 0}, out);
}

int am_scope_read_native(PyObject *object, int moment, am_figures *out) {
    int status = am_scope_read(object, moment, 0, out);
    if (status != AM_READ) return status;
    const am_scope *scope = (const am_scope *)object;
    int is_final = moment != AM_NOW && scope->state == AM_SCOPE_CLOSED;
    put_native_figures(is_final ? &scope->final_native : &am_nodes[scope->holder.node].native, out);
    return AM_READ;
}

int am_node_read_native(uint32_t node, am_figures *out) {
    int status = am_node_read(node, out);
    put_native_figures(&am_nodes[node].native, out);
    return status;
}

int am_follow_construction(PyObject *type, PyObject *begin) {
    return am_construction_follow(type, begin);
}

int am_close_open_scopes(void) {
    am_own_begin();
    int closed = am_scopes_close_all();
    am_own_end();
    return PyErr_Occurred() == NULL ? closed : -1;
}

int am_node_read(uint32_t node, am_figures *out) {
    am_settle();
    put_figures(am_snapshot_total(node), out);
    if (node != AM_ROOT) return AM_READ;
    int complete = !am_is_tracking() || gaps_when_tracked == am_gaps_now();
    return complete && !am_is_broken() ? AM_READ : AM_INCOMPLETE;
}

PyObject *am_current_scope(void) {
    am_own_begin();
    PyObject *holder = (PyObject *)am_context_holder();
    am_own_end();
    if (holder != NULL && Py_IS_TYPE(holder, &am_standin_type))
        holder = (PyObject *)((am_standin *)holder)->scope;
    if (holder == NULL || !PyObject_TypeCheck(holder, &am_scope_type)) Py_RETURN_NONE;
    return Py_NewRef(holder);
}

void am_refresh(void) { am_aggregates_refresh(); }

static am_distribution distribution(const am_histogram *histogram) {
    return (am_distribution){
        .count = histogram->count,
        .sum = histogram->sum,
        .min = histogram->min,
        .max = histogram->max,
        .p50 = am_histogram_quantile(histogram, 0.50),
        .p95 = am_histogram_quantile(histogram, 0.95),
        .p99 = am_histogram_quantile(histogram, 0.99),
    };
}

int am_aggregate_read(PyObject *object, am_aggregate_figures *out) {
    const am_aggregate *aggregate = am_aggregate_of(object);
    if (aggregate == NULL) return -1;
    memset(out, 0, sizeof *out);
    out->count = aggregate->count;
    out->errors = aggregate->errors;
    out->cancelled = aggregate->cancelled;
    out->late_bytes_allocated = aggregate->late_bytes;
    out->native_bytes_allocated = aggregate->native_bytes;
    out->native_allocations = aggregate->native_blocks;
    out->retained_bytes = aggregate->retained.bytes;
    out->retained_allocations = aggregate->retained.blocks;
    if (am_aggregate_is_fresh(aggregate)) {
        memcpy(out->retained_by_age, aggregate->by_age, sizeof out->retained_by_age);
        out->late_bytes_allocated += aggregate->late_bytes_alive;
    }
    for (int i = 0; i < AM_QUANTITIES; i++)
        out->quantities[i] = distribution(&aggregate->quantities[i]);
    return 0;
}

int am_aggregate_buckets(PyObject *object, int quantity, am_bucket *out, uint32_t room) {
    const am_aggregate *aggregate = am_aggregate_of(object);
    if (aggregate == NULL) return -1;
    if (quantity < 0 || quantity >= AM_QUANTITIES) {
        PyErr_Format(PyExc_ValueError, "no such quantity: %d", quantity);
        return -1;
    }
    return (int)am_histogram_buckets(&aggregate->quantities[quantity], out, room);
}

int am_aggregate_retention(PyObject *object, am_retention_sample *out, uint32_t room) {
    const am_aggregate *aggregate = am_aggregate_of(object);
    if (aggregate == NULL) return -1;
    const am_retention *retention = &aggregate->retention;
    for (uint32_t i = 0; i < retention->used && i < room; i++) out[i] = retention->samples[i];
    return (int)retention->used;
}

int am_scope_count_sizes(PyObject *object) {
    if (!am_is_scope(object)) return -1;
    am_scope *scope = (am_scope *)object;
    if (scope->state != AM_SCOPE_NEW) {
        PyErr_SetString(PyExc_RuntimeError,
                        "size classes have to be asked for before the scope is entered");
        return -1;
    }
    scope->sized = 1;
    return 0;
}

int am_scope_read_sizes(PyObject *object, am_size_class *out) {
    if (!am_is_scope(object)) return -1;
    return am_sizes_read(object, out) < 0;
}

void am_core_read(am_core_figures *out) {
    am_settle();
    *out = (am_core_figures){
        .nodes_in_use = am_nodes_in_use,
        .nodes_made = am_nodes_end - AM_FIRST,
        .open_scopes = am_open_scopes,
        .unmeasured_scopes = am_unmeasured_scopes,
        .ledger_reserved_bytes = am_ledger_reserved_bytes(),
        .node_table_bytes = (uint64_t)am_nodes_end * sizeof(am_node),
        .histogram_bytes = am_histogram_bytes(),
        .gaps = am_hooks_gaps - (am_is_broken() ? 1 : 0), /* see switch_off */
        .ledger_entries = (uint64_t)(am_nodes[AM_ROOT].total.live_blocks +
                                     am_nodes[AM_OWN].total.live_blocks),
        .ledger_resident_bytes = am_ledger_resident_bytes(),
        .hook_losses = am_hooks_losses,
        .assertion_failures = am_assertion_failures,
    };
}
