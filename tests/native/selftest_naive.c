#include "selftest_naive.h"

#include <string.h>

typedef struct {
    am_counts self, total, native;
    int64_t peak_bytes, peak_blocks;
    uint32_t parent, handles, children;
    int in_use;
} naive_node;

static naive_node nodes[NAIVE_NODES];
static naive_mark *marks;
static uint32_t mark_count;
static uint32_t others_in_use; /* what other parts of the self-test have left behind */

void naive_start(void) {
    am_settle();
    memset(nodes, 0, sizeof nodes);
    for (uint32_t i = AM_ROOT; i < AM_FIRST; i++)
        nodes[i] = (naive_node){
            .self = am_nodes[i].self, .total = am_nodes[i].total,
            .native = am_nodes[i].native,
            .peak_bytes = am_nodes[i].mark.peak_bytes, .peak_blocks = am_nodes[i].mark.peak_blocks,
            .parent = am_nodes[i].parent, .handles = 1, .children = am_nodes[i].children,
            .in_use = 1};
    others_in_use = am_nodes_in_use;
    mark_count = 0;
}

void naive_use_marks(naive_mark *all, uint32_t count) {
    marks = all;
    mark_count = count;
}

void naive_opened(uint32_t node, uint32_t parent) {
    CHECK(node < NAIVE_NODES);
    CHECK(!nodes[node].in_use);
    nodes[node] = (naive_node){.parent = parent, .handles = 1, .in_use = 1};
    nodes[parent].children++;
}

void naive_held(uint32_t node) { nodes[node].handles++; }

static void recycle_unused(uint32_t i) {
    while (i != AM_NONE && nodes[i].handles == 0 && nodes[i].children == 0 &&
           nodes[i].self.live_blocks == 0) {
        nodes[i].in_use = 0;
        i = nodes[i].parent;
        nodes[i].children--;
    }
}

void naive_dropped(uint32_t node) {
    nodes[node].handles--;
    recycle_unused(node);
}

static void add(am_counts *to, am_counts change) {
    to->live_bytes += change.live_bytes;
    to->live_blocks += change.live_blocks;
    to->freed_bytes += change.freed_bytes;
    to->freed_blocks += change.freed_blocks;
    to->reallocations += change.reallocations;
}

static void event(uint32_t node, int native, am_counts change) {
    add(&nodes[node].self, change);
    for (uint32_t i = node; i != AM_NONE; i = nodes[i].parent) {
        am_counts *total = &nodes[i].total;
        add(total, change);
        if (native) add(&nodes[i].native, change);
        if (total->live_bytes > nodes[i].peak_bytes) nodes[i].peak_bytes = total->live_bytes;
        if (total->live_blocks > nodes[i].peak_blocks) nodes[i].peak_blocks = total->live_blocks;
        for (naive_mark *mark = marks; mark < marks + mark_count; mark++) {
            if (mark->node != i) continue;
            if (total->live_bytes > mark->peak_bytes) mark->peak_bytes = total->live_bytes;
            if (total->live_blocks > mark->peak_blocks) mark->peak_blocks = total->live_blocks;
        }
    }
}

void naive_charged(selftest_block block) {
    event(block.node, (int)block.native,
          (am_counts){.live_bytes = block.size, .live_blocks = 1});
}

void naive_credited(selftest_block block) {
    event(block.node, (int)block.native,
          (am_counts){.live_bytes = -block.size, .live_blocks = -1,
                      .freed_bytes = block.size, .freed_blocks = 1});
    recycle_unused(block.node);
}

void naive_reallocated(uint32_t node, int native) {
    event(node, native, (am_counts){.reallocations = 1});
}

void naive_mark_set(naive_mark *mark) {
    mark->peak_bytes = nodes[mark->node].total.live_bytes;
    mark->peak_blocks = nodes[mark->node].total.live_blocks;
}

static void compare_counts(const am_counts *got, const am_counts *wanted) {
    CHECK_EQUAL(got->live_bytes, wanted->live_bytes);
    CHECK_EQUAL(got->live_blocks, wanted->live_blocks);
    CHECK_EQUAL(got->freed_bytes, wanted->freed_bytes);
    CHECK_EQUAL(got->freed_blocks, wanted->freed_blocks);
    CHECK_EQUAL(got->reallocations, wanted->reallocations);
}

static void compare_node(uint32_t i) {
    compare_counts(&am_nodes[i].self, &nodes[i].self);
    compare_counts(&am_nodes[i].total, &nodes[i].total);
    compare_counts(&am_nodes[i].native, &nodes[i].native);
    CHECK_EQUAL(am_nodes[i].mark.peak_bytes, nodes[i].peak_bytes);
    CHECK_EQUAL(am_nodes[i].mark.peak_blocks, nodes[i].peak_blocks);
    CHECK_EQUAL(am_nodes[i].parent, nodes[i].parent);
}

void naive_compare(void) {
    uint32_t in_use = 0;
    for (uint32_t i = AM_ROOT; i < am_nodes_end; i++) {
        if (!nodes[i].in_use) continue;
        compare_node(i);
        in_use += i >= AM_FIRST;
    }
    CHECK_EQUAL(am_nodes_in_use, others_in_use + in_use);
    for (naive_mark *mark = marks; mark < marks + mark_count; mark++) {
        if (mark->node == AM_NONE) continue;
        CHECK_EQUAL(mark->mark.peak_bytes, mark->peak_bytes);
        CHECK_EQUAL(mark->mark.peak_blocks, mark->peak_blocks);
    }
}
