/* Charging blocks to nodes, and settling what was charged.
 *
 * Events only add to the pending change of the one *active* node, and touch no ancestor. While no
 * other node changes, all its ancestors rise and fall together with it: so one high-water mark of
 * the pending change stands for those of all of them, and it can only be reached right before a
 * decrease. The change is settled (added to the node and its ancestors, their marks raised) when
 * another node changes, and before reading. Figures and marks are exact at every settlement.
 *
 * Everything but the am_foreign_* functions needs the interpreter lock. The hot functions are
 * inline; none allocates, locks or calls Python. */
#ifndef AM_ACCOUNT_H
#define AM_ACCOUNT_H

#include "ledger.h"
#include "node.h"

/* What happened to the active node since the last settlement. */
typedef struct {
    int64_t live_bytes, live_blocks; /* allocated since then, less what was freed */
    int64_t high_bytes, high_blocks; /* the highest of these before the latest free; >= 0 */
    int64_t freed_bytes, freed_blocks;
    int64_t reallocations;
} am_pending;

typedef struct {
    am_pending pending;
    uint32_t node;
    uint32_t code; /* what the ledger says of a block of it, of size 0 */
    /* Nodes with foreign events to merge: a stack through foreign.next. And two bits that are not of
     * it: so a free asks in one look for all that keeps it from the short way. */
    _Atomic uint32_t foreign;
    uint32_t native_changed; /* `native` below holds anything */
    size_t short_sizes; /* an allocation below that may take the short way (am_record_small) */
    am_pending own; /* of our own node, always: it shares no ancestor with any other */
    am_counts native; /* the part of `pending` that is of the native domain */
} am_active_t;

AM_OURS am_active_t am_active;

/* Sizes that an entry of the ledger holds by itself. */
#define AM_SHORT_SIZES AM_SIZE_EXTENDED

/* In `foreign`: a thread of another interpreter was seen, which is never taken back; calls of the
 * malloc family are passed to our hooks (malloc.h). */
#define AM_OTHER_INTERPRETERS (1u << 31)
#define AM_NATIVE_CONNECTED (1u << 30)
#define AM_NO_NODE (AM_OTHER_INTERPRETERS | AM_NATIVE_CONNECTED)

/* Brings every node up to date, foreign events included. */
AM_COLD void am_settle(void);

/* Makes sure that `index` is not the active node. */
void am_deactivate(uint32_t index);

/* For when another node is active, or, of a credit, threads without the lock have reported anything:
 * their highest value counts together with what is alive of ours at that moment. */
AM_COLD void am_charge_other(uint32_t index, int64_t size);
AM_COLD void am_credit_other(uint32_t index, int64_t size);

/* A block of `size` bytes came to life in `index`. */
static inline void am_charge(uint32_t index, int64_t size) {
    am_pending *pending = &am_active.pending;
    if (AM_UNLIKELY(index != am_active.node)) {
        if (index != AM_OWN) {
            am_charge_other(index, size);
            return;
        }
        pending = &am_active.own;
    }
    pending->live_bytes += size;
    pending->live_blocks += 1;
}

/* Before a decrease: what is pending may never be as high again. */
static inline void am_pending_raise(am_pending *pending) {
    if (pending->live_bytes > pending->high_bytes) pending->high_bytes = pending->live_bytes;
    if (pending->live_blocks > pending->high_blocks) pending->high_blocks = pending->live_blocks;
}

/* Whether threads without the interpreter lock have reported anything. */
static inline int am_foreign_waits(void) {
    const uint32_t foreign = atomic_load_explicit(&am_active.foreign, memory_order_relaxed);
    return (foreign & ~AM_NO_NODE) != AM_NONE;
}

static inline int am_other_interpreters(void) {
    return (int)(atomic_load_explicit(&am_active.foreign, memory_order_relaxed) >> 31);
}

static inline int am_native_is_connected(void) {
    const uint32_t foreign = atomic_load_explicit(&am_active.foreign, memory_order_relaxed);
    return (foreign & AM_NATIVE_CONNECTED) != 0;
}

/* None of the three. */
static inline int am_is_undisturbed(void) {
    return AM_LIKELY(atomic_load_explicit(&am_active.foreign, memory_order_relaxed) == 0);
}

static inline void am_pending_credit(am_pending *pending, int64_t size) {
    am_pending_raise(pending);
    pending->live_bytes -= size;
    pending->live_blocks -= 1;
    pending->freed_bytes += size;
    pending->freed_blocks += 1;
}

/* A block of `index` was freed, by whomever. */
static inline void am_credit(uint32_t index, int64_t size) {
    if (AM_LIKELY(index == am_active.node && !am_foreign_waits()))
        am_pending_credit(&am_active.pending, size);
    else if (index == AM_OWN) am_pending_credit(&am_active.own, size);
    else am_credit_other(index, size);
}

/* `index` reallocated a block; the two halves of it were credited and charged already. */
static inline void am_count_reallocation(uint32_t index) {
    /* Charging it a moment ago made it active, unless it is our own. */
    if (AM_LIKELY(index == am_active.node)) am_active.pending.reallocations += 1;
    else if (index == AM_OWN)
        am_nodes[index].total.reallocations = ++am_nodes[index].self.reallocations;
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

static inline int64_t am_allocated_bytes(const am_counts *c) {
    return c->live_bytes + c->freed_bytes;
}

static inline int64_t am_allocated_blocks(const am_counts *c) {
    return c->live_blocks + c->freed_blocks;
}

/* How many blocks we have ever allocated for ourselves. Where own work leaves no trace here, the hooks
 * may not have seen it. */
static inline uint64_t am_own_allocations(void) {
    const am_counts *settled = &am_nodes[AM_OWN].self;
    return (uint64_t)(am_allocated_blocks(settled) + am_active.own.live_blocks + am_active.own.freed_blocks);
}

#endif
