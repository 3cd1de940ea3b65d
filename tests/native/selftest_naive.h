/* The figures of nodes, kept in the obvious way: every event goes to the node and all its ancestors
 * at once. What the core settles late must come out the same. */
#ifndef SELFTEST_NAIVE_H
#define SELFTEST_NAIVE_H

#include "selftest_core.h"

/* More than the blocks and scopes of the test can keep in use at once. */
enum { NAIVE_NODES = 1 << 14 };

typedef struct {
    uint32_t node; /* AM_NONE: not in use */
    int64_t peak_bytes, peak_blocks;
    am_mark mark; /* the core's own, for the same */
} naive_mark;

/* Starts with the permanent nodes as they stand in the core. */
void naive_start(void);

void naive_opened(uint32_t node, uint32_t parent);
void naive_held(uint32_t node);
void naive_dropped(uint32_t node);
void naive_charged(selftest_block block);
void naive_credited(selftest_block block);
void naive_reallocated(uint32_t node, int native);

/* A mark whose figures are kept from now on, starting at what is alive. */
void naive_mark_set(naive_mark *mark);

/* The marks that events must raise. */
void naive_use_marks(naive_mark *marks, uint32_t count);

/* Compares every node and mark with the core, which must have settled. */
void naive_compare(void);

#endif
