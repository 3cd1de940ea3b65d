/* What the finished scopes of one name add up to. Callers hold the interpreter lock.
 *
 * An aggregate lives while its registry or a node holds it: a finished scope whose blocks are
 * still alive keeps counting towards what its name retains. */
#ifndef AM_AGGREGATE_H
#define AM_AGGREGATE_H

#include "histogram.h"
#include "node.h"
#include "retention.h"

enum { AM_SUCCEEDED = 0, AM_FAILED = 1, AM_CANCELLED = 2 };

/* The quantities of which a distribution is kept. */
enum { AM_BYTES_ALLOCATED, AM_ALLOCATIONS, AM_PEAK_BYTES, AM_RETAINED_BYTES, AM_QUANTITIES };

/* Ages of finished scopes, youngest first; the last band has no end. */
enum { AM_AGE_BANDS = 4 };
extern const uint32_t am_age_limits[AM_AGE_BANDS - 1]; /* tenths of a second */

typedef struct {
    int64_t bytes, blocks;
} am_retained;

typedef struct am_aggregate {
    uint64_t holders;
    uint64_t count, errors, cancelled; /* count: all that finished, however they did */
    am_histogram quantities[AM_QUANTITIES];
    int64_t native_bytes, native_blocks;       /* allocated in the native domain */
    int64_t late_bytes;                        /* allocated by recycled scopes after they closed */
    am_retained retained;                      /* now, as of the last settlement */
    am_retention retention;                    /* and earlier */
    am_retained by_age[AM_AGE_BANDS];          /* as of the last am_aggregates_refresh */
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

/* What a finished scope retains has changed. */
static inline void am_aggregate_follow(am_aggregate *aggregate, const am_counts *change) {
    aggregate->retained.bytes += change->live_bytes;
    aggregate->retained.blocks += change->live_blocks;
}

/* Sums up over all nodes, by age, what the finished scopes of each name retain now. Its cost grows
 * with the number of nodes in use: for reports, not for hot paths. */
void am_aggregates_refresh(void);

/* Whether the last refresh found any node of this aggregate (otherwise its sums are stale zeros). */
int am_aggregate_is_fresh(const am_aggregate *aggregate);

#endif
