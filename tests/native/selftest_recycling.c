#include <string.h>

#include "selftest_core.h"

enum { CYCLES = 1000000, CHAIN = 100000, KEPT = 8 };

/* Recycled nodes are given out again, and the table grows no more once it has found its size. */
static void many_short_scopes(selftest_random *random) {
    uint32_t in_use = am_nodes_in_use, end = 0;
    selftest_block kept[KEPT];
    memset(kept, 0, sizeof kept);
    for (int cycle = 0; cycle < CYCLES; cycle++) {
        /* A block that outlives its scope keeps the scope's node, and with it the outer one. */
        selftest_block *slot = &kept[selftest_below(random, KEPT)];
        uint32_t outer = core_open(AM_ROOT), inner = core_open(outer);
        if (slot->node != AM_NONE) core_credit(*slot);
        *slot = some_block(inner, random);
        core_charge(*slot);
        core_close(inner);
        am_node_drop(inner);
        core_close(outer);
        am_node_drop(outer);
        if (cycle == 1000) end = am_nodes_end;
    }
    CHECK_EQUAL(am_nodes_end, end);
    CHECK_EQUAL(am_nodes_in_use, in_use + 2 * KEPT);
    for (int i = 0; i < KEPT; i++) core_credit(kept[i]);
    am_settle(); /* the last of them is still active */
    CHECK_EQUAL(am_nodes_in_use, in_use);
}

static void a_recycled_node_starts_empty(void) {
    uint32_t first = core_open(AM_ROOT);
    uint32_t generation = am_nodes[first].generation;
    selftest_block block = native_block(first, 1000);
    core_charge(block);
    core_credit(block);
    am_node_drop(first);
    uint32_t second = core_open(AM_ROOT);
    CHECK_EQUAL(second, first);
    CHECK(am_nodes[second].generation != generation);
    am_settle();
    CHECK_EQUAL(am_nodes[second].total.freed_bytes, 0);
    CHECK_EQUAL(am_nodes[second].native.freed_bytes, 0);
    CHECK_EQUAL(am_nodes[second].mark.peak_bytes, 0);
    am_node_drop(second);
}

/* Each scope is closed by the one that it starts, and still has a handle. */
static void a_chain_of_late_scopes_stays_short(void) {
    uint32_t in_use = am_nodes_in_use;
    uint32_t last = core_open(AM_ROOT);
    for (int i = 0; i < CHAIN; i++) {
        uint32_t next;
        core_close(last);
        next = core_open(last);
        CHECK(am_nodes[next].depth <= 3);
        am_node_drop(last);
        last = next;
    }
    CHECK(am_nodes_in_use <= in_use + 2);
    am_node_drop(last);
    CHECK_EQUAL(am_nodes_in_use, in_use);
}

static void the_tree_has_a_deepest_level(void) {
    static uint32_t path[AM_MAX_DEPTH + 1];
    uint32_t in_use = am_nodes_in_use, depth = 0;
    for (uint32_t parent = AM_ROOT; depth <= AM_MAX_DEPTH; depth++) {
        uint32_t node = am_node_open(parent);
        if (node == AM_NONE) break;
        path[depth] = parent = node;
    }
    CHECK_EQUAL(depth, AM_MAX_DEPTH);
    while (depth > 0) am_node_drop(path[--depth]);
    CHECK_EQUAL(am_nodes_in_use, in_use);
}

void selftest_recycling(selftest_random *random) {
    a_recycled_node_starts_empty();
    a_chain_of_late_scopes_stays_short();
    the_tree_has_a_deepest_level();
    many_short_scopes(random);
}
