/* Scope nodes: the tree that figures are charged to.
 *
 * A node is a small record in one reserved table, named by its index. Index 0 is "no node"; the
 * next three are permanent. Every function here needs the interpreter lock; none allocates from
 * the heap, takes a lock, or calls Python.
 *
 * A node is recycled when nothing can name it any more: no handle (a scope object or a mark holds
 * one), no child, no living block of its own, and no thread without the lock that has pinned it
 * while it allocates. */
#ifndef AM_NODE_H
#define AM_NODE_H

#include <stdatomic.h>
#include <stdint.h>

#include "assertion.h"
#include "platform.h"

enum {
    AM_NONE = 0, /* not recorded */
    AM_ROOT = 1, /* the process: everything outside a scope, and above every scope */
    AM_OWN = 2,  /* what this library allocates for itself; not below the root */
    AM_GC = 3,   /* what finalizers allocate while the collector runs; below the root */
    AM_FIRST = 4 /* the first index given to a scope */
};

/* The ledger stores an index in 21 bits. */
#define AM_MAX_NODES (1u << 21)

/* Settling walks from a node to the root, so there is a limit to that way. */
#define AM_MAX_DEPTH 1000u

/* Signed, so that a change is of the same type as a state. Allocations are not stored: they are
 * what lives plus what was freed. */
typedef struct {
    int64_t live_bytes, live_blocks;
    int64_t freed_bytes, freed_blocks;
    int64_t reallocations;
} am_counts;

/* A high-water mark of a node's live memory, starting at a moment of its owner's choosing. */
typedef struct am_mark {
    struct am_mark *next;
    int64_t peak_bytes, peak_blocks;
    uint32_t node;
} am_mark;

/* What was freed is the difference: so a free is one change, and never half noted. */
typedef struct {
    _Atomic int64_t live_bytes, live_blocks;
    _Atomic int64_t allocated_bytes, allocated_blocks;
    _Atomic int64_t reallocations;
} am_atomic_counts;

/* Events of threads that run without the interpreter lock, waiting to be merged (account.c). */
typedef struct {
    am_atomic_counts domains[2]; /* python, native */
    _Atomic int64_t high_bytes, high_blocks;
    _Atomic uint32_t queued;
    _Atomic uint32_t pins; /* threads that are about to charge the node */
    uint32_t next;
    int64_t raised_bytes, raised_blocks; /* while merging: how far totals stand too high */
} am_foreign;

struct am_aggregate;

/* What settling needs fills two cache lines, and comes first. */
typedef struct {
    am_counts self;   /* events of this very scope */
    am_counts total;  /* and of everything nested in it, as of the last settlement */
    am_mark mark;     /* first of its marks: the peak over the node's whole life; without a node
                         while the index is given to nobody */
    struct am_aggregate *aggregate; /* where a closed, named scope was counted */
    uint32_t parent, handles;
    am_counts native;               /* the part of `total` that is of the native domain */
    int64_t closed_bytes;           /* bytes allocated in total when it closed */
    uint32_t children, depth;
    uint32_t closed_at; /* 0 while it is open; else am_coarse_time of closing */
    /* These outlast the scope: a thread without the lock may come late. */
    _Atomic uint32_t generation; /* changes when the index may be given to another scope */
    am_foreign foreign;          /* empty when it is */
} am_node;

AM_OURS am_node *am_nodes;         /* the table; am_nodes[index] */
AM_OURS uint32_t am_nodes_end;     /* one past the highest index ever given */
extern uint32_t am_nodes_in_use;  /* scopes that are open or still needed */

/* Reserves the table and makes the permanent nodes. 0, or -1 when the system has no address space
 * to give. Calling it again changes nothing. */
int am_nodes_init(void);

/* A new node with one handle, below `parent`; AM_NONE when the table is full or the tree too deep:
 * then charge the parent. Late work hangs under the outermost closed scope, so that a chain of
 * scopes that each start the next one does not grow without end. */
uint32_t am_node_open(uint32_t parent);

/* Whether the index names a node that was ever given out; and whether it is in use. */
static inline int am_node_is_known(uint32_t index) { return index - 1 < am_nodes_end - 1; }
static inline int am_node_is_in_use(uint32_t index) {
    return am_node_is_known(index) && am_nodes[index].mark.node != AM_NONE;
}

/* Takes or drops a handle; dropping the last one may recycle the node and its ancestors. */
void am_node_hold(uint32_t index);
void am_node_drop(uint32_t index);

/* Recycles the node if nothing needs it any more, then its parent likewise. */
void am_node_release_unused(uint32_t index);

/* Starts or restarts a mark at what `mark->node` holds now. */
void am_mark_set(am_mark *mark);
void am_mark_add(am_mark *mark);
void am_mark_remove(am_mark *mark);

/* Whether a living block may be the last thing that keeps the node. */
static inline int am_node_is_orphan(const am_node *node) { return node->handles == 0; }

#endif
