/* The contract between the native core and Python (allocmeter._core), spoken through ctypes.
 *
 * The library is plain C without a module initialiser: it is loaded by path with ctypes.PyDLL, so
 * every function below is called with the interpreter lock held, from the main interpreter, and may
 * set an exception, which ctypes raises. Nothing is installed by loading: am_init makes the types,
 * am_install puts the allocator hooks in place.
 *
 * Fork: a forked child goes on with private copies of everything. Signals: no function here may be
 * called from a signal handler. Threads: any thread that holds the lock. Units: sizes are requested
 * bytes, counts are blocks.
 *
 * The library reads public fields of PyThreadState, whose layout belongs to one minor version of
 * CPython: am_python_version() must equal that of the interpreter, and am_abi_version() that of the
 * Python side, before anything else is called. Those two need neither lock nor am_init. */
#ifndef ALLOCMETER_H
#define ALLOCMETER_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "aggregate.h"
#include "platform.h"
#include "sizes.h"

#define AM_ABI_VERSION 7

/* The figures of a scope. Peaks are high-water marks of live memory, nested scopes included. */
typedef struct {
    int64_t allocations, deallocations, reallocations;
    int64_t bytes_allocated, bytes_deallocated;
    int64_t peak_bytes, peak_allocations;
} am_figures;

/* Which figures of a scope: as they stand now, late work included; or, once it is closed, as they
 * were then. Inclusive, or of the scope without what is nested in it (then peaks are 0). */
enum { AM_NOW = 0, AM_FINAL = 1, AM_FINAL_SELF = 2 };

/* What am_scope_read answers. */
enum {
    AM_READ = 0,
    AM_NOT_OPENED = 1,  /* the scope was not entered yet */
    AM_INCOMPLETE = 2,  /* blocks went by unseen: the hooks were not in place all the time */
    AM_UNMEASURED = 3   /* the node table was full, the nesting too deep, or counting switched off */
};

typedef struct {
    uint64_t count, sum, min, max, p50, p95, p99;
} am_distribution;

/* All the finished scopes of one name. retained_*: alive now. */
typedef struct {
    uint64_t count, errors, cancelled;
    int64_t retained_bytes, retained_allocations, late_bytes_allocated;
    int64_t native_bytes_allocated, native_allocations; /* the native domain's part of the sums */
    am_retained retained_by_age[AM_AGE_BANDS];
    am_distribution quantities[AM_QUANTITIES]; /* bytes, allocations, peak, retained at the end */
} am_aggregate_figures;

/* The core about itself. */
typedef struct {
    uint64_t nodes_in_use, nodes_made, open_scopes, unmeasured_scopes;
    uint64_t ledger_reserved_bytes, node_table_bytes, histogram_bytes, gaps;
    uint64_t ledger_entries; /* blocks that somebody owns */
    int64_t ledger_resident_bytes; /* -1: the system does not say */
    uint64_t hook_losses, assertion_failures;
} am_core_figures;

/* -- handshake ---------------------------------------------------------------------------------- */

AM_API uint32_t am_abi_version(void);
AM_API uint32_t am_python_version(void); /* major << 8 | minor that this was built for */

/* -- once per process --------------------------------------------------------------------------- */

/* Makes tables, types and the ContextVar. 0, or -1 with an exception set: MemoryError, or
 * RuntimeError in an interpreter that is not the main one. Calling it again changes nothing. */
AM_API int am_init(void);

/* The types that `measure`, `detached` and `Registry` are derived from; new references. */
AM_API PyObject *am_scope_class(void);
AM_API PyObject *am_anchor_class(void);
AM_API PyObject *am_exchange_class(void);
AM_API PyObject *am_entrance_class(void);
AM_API PyObject *am_route_names_class(void);
AM_API PyObject *am_registry_class(void);

/* The object behind `with OWN:`; and an anchor that charges a whole context to the library. */
AM_API PyObject *am_own_guard_object(void);
AM_API PyObject *am_own_context_object(void);

/* What the core calls in Python, and the default registry: see scope.h. 0, or -1 with TypeError. */
AM_API int am_bind(PyObject *install, PyObject *hooks_lost, PyObject *broken, PyObject *classify,
                   PyObject *registry);

/* -- hooks --------------------------------------------------------------------------------------- */

AM_API int am_install(void);   /* 1 put in place, 0 were in place, -1 too many layers */
AM_API int am_uninstall(void); /* 0 gone, -1 not on top, -2 scopes are open */
AM_API int am_position(void);  /* pymem.h: not installed, on top, wrapped, removed */
AM_API int am_native(void);    /* malloc.h: whether the native domain is seen, or why not */

/* The file that holds what the interpreter calls first in place of our hooks, a new reference; None
 * while ours are on top, or not wanted. */
AM_API PyObject *am_displacer(void);

/* Why counting is switched off (assertion.h), as the end of a sentence; NULL while it is not. */
AM_API const char *am_broken(void);

/* The collector (collector.h): the callables to be first and last in gc.callbacks; whether the
 * collector's flag can be trusted, after one collection with them in place; and trusting it no more. */
AM_API PyObject *am_collector_callback(int at_start);
AM_API int am_collector_check(void);
AM_API void am_collector_forget(void);

/* Whether scopes of exchanges are set aside by changing the mappings of contexts (mapping.h), where
 * that was found to work; returns what was so before. For tests of the way without. */
AM_API int am_exchange_mappings(int on);

/* Whether code outside every scope is recorded; returns what it was before. Turning it on again
 * accepts that blocks may have gone by unseen until now. */
AM_API int am_track(int on);
AM_API int am_is_tracking(void);

/* -- reading ------------------------------------------------------------------------------------- */

/* Figures of a scope object, inclusive (self = 0) or exclusive (self = 1, only with AM_NOW). Returns
 * AM_READ and so on; -1 with TypeError when it is not a scope. */
AM_API int am_scope_read(PyObject *scope, int moment, int self, am_figures *out);

/* The native domain's part of the inclusive figures; its peaks are not known, and 0. The same
 * answers. */
AM_API int am_scope_read_native(PyObject *scope, int moment, am_figures *out);
AM_API int am_node_read_native(uint32_t node, am_figures *out);

/* Figures of a permanent node (node.h: AM_ROOT, AM_OWN, AM_GC): AM_READ, or AM_INCOMPLETE for the
 * root if blocks went by unseen since am_track(1) was last called. */
AM_API int am_node_read(uint32_t node, am_figures *out);

/* Asks for the size classes of a scope (sizes.h), before it is opened; and reads them: 0, or 1 if they
 * were not counted, because another scope was counted when it opened, or has been since. -1 with
 * TypeError when it is not a scope, or with RuntimeError when it was opened already. */
AM_API int am_scope_count_sizes(PyObject *scope);
AM_API int am_scope_read_sizes(PyObject *scope, am_size_class *out);

/* construction.h. */
AM_API int am_follow_construction(PyObject *type, PyObject *begin);

/* Closes every open scope as cancelled, for a report on a process that is about to end. The code
 * inside them goes on, as late work. How many they were, or -1 with the exception of a signal
 * handler; then some are still open. */
AM_API int am_close_open_scopes(void);

/* am_signal_repeat and am_signal_heard: repeating.h. */

/* The scope that is current here, a new reference; None outside every scope. */
AM_API PyObject *am_current_scope(void);

/* A high-water mark on a scope (None: on the process), starting at what is alive there now; a
 * capsule. Reading gives live bytes, live blocks, peak bytes, peak blocks, and answers AM_READ, or
 * AM_INCOMPLETE if blocks went by unseen since the mark was made or reset; -1 with an exception. */
AM_API PyObject *am_mark_new(PyObject *scope);
AM_API int am_mark_read(PyObject *mark, int64_t out[4]);
AM_API int am_mark_reset(PyObject *mark);

/* Brings what names retain up to date for the reads that follow. Cost: one pass over all nodes. */
AM_API void am_refresh(void);
AM_API int am_aggregate_read(PyObject *aggregate, am_aggregate_figures *out);

/* Copies up to `room` buckets of a quantity (aggregate.h); returns how many there are, or -1. */
AM_API int am_aggregate_buckets(PyObject *aggregate, int quantity, am_bucket *out, uint32_t room);

/* Copies up to `room` samples of what the finished scopes retained as they became more, oldest
 * first; returns how many there are, or -1. */
AM_API int am_aggregate_retention(PyObject *aggregate, am_retention_sample *out, uint32_t room);

AM_API void am_core_read(am_core_figures *out);

#endif
