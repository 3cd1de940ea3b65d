/* What the finished scopes of one name add up to. Callers hold the interpreter lock.
 *
 * An aggregate lives while its registry or a node holds it: a finished scope whose blocks are
 * still alive keeps counting towards what its name retains. */
#ifndef AM_AGGREGATE_H
#define AM_AGGREGATE_H

#include "histogram.h"
#include "node.h"

enum { AM_SUCCEEDED = 0, AM_FAILED = 1, AM_CANCELLED = 2 };

/* The quantities of which a distribution is kept. */
enum { AM_BYTES_ALLOCATED, AM_ALLOCATIONS, AM_PEAK_BYTES, AM_RETAINED_BYTES, AM_QUANTITIES };

typedef struct am_aggregate {
    uint64_t holders;
    uint64_t count, errors, cancelled; /* count: all that finished, however they did */
    am_histogram quantities[AM_QUANTITIES];
    int64_t native_bytes, native_blocks;       /* allocated in the native domain */
    int64_t late_bytes;                        /* allocated by recycled scopes after they closed */
    int64_t retained_bytes, retained_blocks;   /* as of the last am_aggregates_refresh */
    int64_t late_bytes_alive;                  /* late bytes of scopes not recycled, likewise */
    uint64_t refreshed;
} am_aggregate;

/* A new aggregate with one holder; NULL without memory. */
am_aggregate *am_aggregate_new(void);
void am_aggregate_drop(am_aggregate *aggregate);

/* Counts a node that is being closed, and makes the node a holder. Settle first. */
void am_aggregate_enter(am_aggregate *aggregate, uint32_t node, int outcome);

/* The node is recycled; it had allocated `late_bytes` after it closed. */
void am_aggregate_leave(am_aggregate *aggregate, int64_t late_bytes);

/* Sums up over all nodes what the finished scopes of each name retain now. Its cost grows with the
 * number of nodes in use: for reports, not for hot paths. */
void am_aggregates_refresh(void);

/* Whether the last refresh found any node of this aggregate (otherwise its sums are stale zeros). */
int am_aggregate_is_fresh(const am_aggregate *aggregate);

#endif
