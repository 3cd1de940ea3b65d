#include "selftest_naive.h"

enum { OPERATIONS = 400000, SCOPES = 60, BLOCKS = 3000, MARKS = 12 };

static uint32_t scopes[SCOPES]; /* open ones: each has a handle */
static uint32_t scope_count;
static selftest_block blocks[BLOCKS];
static uint32_t block_count;
static naive_mark marks[MARKS];
static uint32_t working; /* the scope that most events come from, as in a program */

static uint32_t some_scope(selftest_random *random) {
    uint32_t at = selftest_below(random, scope_count + 10);
    return at < scope_count ? scopes[at] : AM_ROOT;
}

static uint32_t some_node(selftest_random *random) {
    uint32_t choice = selftest_below(random, 100);
    if (choice < 5) return AM_OWN;
    if (choice < 8) return AM_GC;
    return choice < 75 ? working : some_scope(random);
}

static void charge(selftest_block block) {
    core_charge(block);
    naive_charged(block);
    blocks[block_count++] = block;
}

static void credit(uint32_t at) {
    selftest_block block = blocks[at];
    blocks[at] = blocks[--block_count];
    core_credit(block);
    naive_credited(block);
}

static void reallocate(uint32_t node, selftest_random *random) {
    selftest_block block = some_block(node, random);
    credit(selftest_below(random, block_count));
    charge(block);
    core_count_reallocation(node, (int)block.native);
    naive_reallocated(node, (int)block.native);
}

static void open_scope(selftest_random *random) {
    uint32_t parent = selftest_below(random, 2) ? working : some_scope(random);
    uint32_t node = core_open(parent);
    naive_opened(node, parent);
    scopes[scope_count++] = working = node;
}

static void close_scope(uint32_t at) {
    uint32_t node = scopes[at];
    scopes[at] = scopes[--scope_count];
    if (node == working) working = AM_ROOT;
    core_close(node);
    am_node_drop(node);
    naive_dropped(node);
}

static void start_mark(naive_mark *mark, uint32_t node) {
    *mark = (naive_mark){.node = node, .mark = {.node = node}};
    am_mark_add(&mark->mark);
    naive_held(node);
    naive_mark_set(mark);
}

static void end_mark(naive_mark *mark) {
    uint32_t node = mark->node;
    am_mark_remove(&mark->mark);
    mark->node = AM_NONE;
    naive_dropped(node);
}

static void turn_mark(naive_mark *mark, selftest_random *random) {
    if (mark->node == AM_NONE) {
        start_mark(mark, some_node(random));
    } else if (selftest_below(random, 3) == 0) {
        end_mark(mark);
    } else {
        am_mark_set(&mark->mark);
        naive_mark_set(mark);
    }
}

static void operate(selftest_random *random) {
    uint32_t choice = selftest_below(random, 1000);
    if (choice < 480) {
        if (block_count < BLOCKS) charge(some_block(some_node(random), random));
    } else if (choice < 940) {
        if (block_count > 0) credit(selftest_below(random, block_count));
    } else if (choice < 960) {
        if (block_count > 0) reallocate(some_node(random), random);
    } else if (choice < 972) {
        if (scope_count < SCOPES) open_scope(random);
    } else if (choice < 983) {
        if (scope_count > 0) close_scope(selftest_below(random, scope_count));
    } else if (choice < 990) {
        working = some_scope(random);
    } else if (choice < 995) {
        turn_mark(&marks[selftest_below(random, MARKS)], random);
    } else {
        am_settle();
        naive_compare();
    }
}

/* Scopes of random shape, memory freed by anybody, marks that come and go. */
void selftest_peaks(selftest_random *random) {
    uint32_t in_use = am_nodes_in_use;
    working = AM_ROOT;
    naive_start();
    naive_use_marks(marks, MARKS);
    for (int i = 0; i < OPERATIONS; i++) operate(random);
    while (scope_count > 0) close_scope(0);
    for (naive_mark *mark = marks; mark < marks + MARKS; mark++)
        if (mark->node != AM_NONE) end_mark(mark);
    am_settle();
    naive_compare();
    while (block_count > 0) credit(block_count - 1);
    am_settle();
    naive_compare();
    CHECK_EQUAL(am_nodes_in_use, in_use);
}
