/* Charging blocks to nodes, and settling what was charged.
 *
 * A node's highest live value can only stand right before a decrease. So an allocation only adds
 * to the pending change of the one *active* node, and touches no ancestor. The change is settled
 * (added to the node and its ancestors, their marks raised) when another node becomes active, when
 * a free comes while the change exceeds the room that all their marks leave, and before reading.
 * Figures are exact at every settlement, and every high-water mark is exact always.
 *
 * Everything but the am_foreign_* functions needs the interpreter lock. The hot functions are
 * inline; none allocates, locks or calls Python. */
#ifndef AM_ACCOUNT_H
#define AM_ACCOUNT_H

#include "node.h"

typedef struct {
    am_counts pending;
    int64_t room_bytes, room_blocks; /* how far `pending` may rise without raising a mark */
    uint32_t node;
    uint32_t native_changed;     /* `native` below holds anything */
    am_counts native;            /* the part of `pending` that is of the native domain */
    uint32_t other_interpreters; /* set once a thread of another interpreter was seen */
    _Atomic uint32_t foreign; /* nodes with foreign events to merge: a stack through foreign.next */
} am_active_t;

extern am_active_t am_active;

/* Brings every node up to date, foreign events included. */
AM_COLD void am_settle(void);

/* Makes sure that `index` is not the active node. */
void am_deactivate(uint32_t index);

AM_COLD void am_charge_other(uint32_t index, int64_t size);
AM_COLD void am_credit_other(uint32_t index, int64_t size);

/* A block of `size` bytes came to life in `index`. */
static inline void am_charge(uint32_t index, int64_t size) {
    if (AM_UNLIKELY(index != am_active.node)) {
        am_charge_other(index, size);
        return;
    }
    am_active.pending.live_bytes += size;
    am_active.pending.live_blocks += 1;
}

/* Whether a decrease now could come after a new peak: of the pending change, or together with what
 * other threads have reported meanwhile. */
static inline int am_must_settle(void) {
    return am_active.pending.live_bytes > am_active.room_bytes ||
           am_active.pending.live_blocks > am_active.room_blocks ||
           atomic_load_explicit(&am_active.foreign, memory_order_relaxed) != AM_NONE;
}

/* A block of `index` was freed, by whomever. */
static inline void am_credit(uint32_t index, int64_t size) {
    if (AM_UNLIKELY(index != am_active.node)) {
        am_credit_other(index, size);
        return;
    }
    if (AM_UNLIKELY(am_must_settle())) am_settle();
    am_active.pending.live_bytes -= size;
    am_active.pending.live_blocks -= 1;
    am_active.pending.freed_bytes += size;
    am_active.pending.freed_blocks += 1;
}

/* `index` reallocated a block; the two halves of it were credited and charged already. */
static inline void am_count_reallocation(uint32_t index) {
    /* Charging it a moment ago made it active, unless it is our own. */
    if (AM_LIKELY(index == am_active.node)) am_active.pending.reallocations += 1;
    else am_nodes[index].total.reallocations = ++am_nodes[index].self.reallocations;
}

/* The same for blocks of the native domain: they count in all figures, and once more apart. */
void am_charge_native(uint32_t index, int64_t size);
void am_credit_native(uint32_t index, int64_t size);
void am_count_native_reallocation(uint32_t index);

/* The same for threads that do not hold the interpreter lock: relaxed atomic adds to counters of
 * their own, merged at the next settlement. A mark then counts their highest value as if it had
 * stood together with the highest value of the others. */
void am_foreign_charge(uint32_t index, int64_t size, int native);
void am_foreign_credit(uint32_t index, int64_t size, int native);
void am_foreign_count_reallocation(uint32_t index, int native);

/* Keeps a node from being recycled while a thread without the lock allocates for it. 0, and nothing
 * done, if it is not of that generation any more. Permanent nodes need no pin. */
int am_foreign_pin(uint32_t index, uint32_t generation);
void am_foreign_unpin(uint32_t index);

/* In a forked child: a thread that was about to queue its node is gone. */
void am_foreign_repair(void);

/* Starts or restarts a mark at what `mark->node` holds now. */
void am_mark_set(am_mark *mark);
void am_mark_add(am_mark *mark);
void am_mark_remove(am_mark *mark);

static inline int64_t am_allocated_bytes(const am_counts *c) {
    return c->live_bytes + c->freed_bytes;
}

static inline int64_t am_allocated_blocks(const am_counts *c) {
    return c->live_blocks + c->freed_blocks;
}

#endif
