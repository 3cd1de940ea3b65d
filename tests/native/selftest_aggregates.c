#include "aggregate.h"
#include "selftest_core.h"

enum { SCOPES = 2000 };

static selftest_block blocks[2 * SCOPES];

/* Scope `i` allocates two blocks and frees one; the other outlives it. */
static void finish_one(am_aggregate *aggregate, int i, selftest_random *random) {
    uint32_t node = core_open(AM_ROOT);
    selftest_block freed = native_block(node, 5000);
    selftest_block kept = python_block(node, selftest_size(random));
    core_charge(freed);
    core_credit(freed);
    core_charge(kept);
    core_close(node);
    am_aggregate_enter(aggregate, node, i % 10 == 0 ? AM_FAILED
                                        : i % 10 == 1 ? AM_CANCELLED : AM_SUCCEEDED);
    blocks[2 * i] = kept;
    blocks[2 * i + 1] = native_block(node, i % 7);
    /* Late work of a context that outlives the scope. */
    core_charge(blocks[2 * i + 1]);
    am_node_drop(node);
}

void selftest_aggregates(selftest_random *random) {
    am_aggregate *aggregate = am_aggregate_new(), *unused = am_aggregate_new();
    int64_t kept = 0, late = 0;
    uint32_t in_use = am_nodes_in_use;
    CHECK(aggregate != NULL && unused != NULL);
    for (int i = 0; i < SCOPES; i++) {
        finish_one(aggregate, i, random);
        kept += blocks[2 * i].size;
        late += blocks[2 * i + 1].size;
    }
    CHECK_EQUAL(aggregate->count, SCOPES);
    CHECK_EQUAL(aggregate->errors, SCOPES / 10);
    CHECK_EQUAL(aggregate->cancelled, SCOPES / 10);
    CHECK_EQUAL(aggregate->quantities[AM_BYTES_ALLOCATED].sum, kept + SCOPES * 5000);
    CHECK_EQUAL(aggregate->quantities[AM_ALLOCATIONS].max, 2);
    CHECK_EQUAL(aggregate->native_bytes, SCOPES * 5000);
    CHECK_EQUAL(aggregate->native_blocks, SCOPES);
    CHECK_EQUAL(aggregate->quantities[AM_RETAINED_BYTES].sum, kept);
    CHECK(aggregate->quantities[AM_PEAK_BYTES].min >= 5000);

    am_aggregates_refresh();
    CHECK(am_aggregate_is_fresh(aggregate) && !am_aggregate_is_fresh(unused));
    CHECK_EQUAL(aggregate->retained.bytes, kept + late);
    CHECK_EQUAL(aggregate->retained.blocks, 2 * SCOPES);
    CHECK_EQUAL(aggregate->by_age[0].bytes, kept + late);
    CHECK_EQUAL(aggregate->by_age[0].blocks, 2 * SCOPES);
    CHECK_EQUAL(aggregate->by_age[1].blocks, 0);
    CHECK_EQUAL(aggregate->late_bytes_alive, late);
    CHECK_EQUAL(aggregate->late_bytes, 0);

    for (int i = 0; i < 2 * SCOPES; i++) core_credit(blocks[i]);
    am_settle(); /* the last of them is still active */
    CHECK_EQUAL(am_nodes_in_use, in_use);
    CHECK_EQUAL(aggregate->retained.bytes, 0);
    CHECK_EQUAL(aggregate->retained.blocks, 0);
    CHECK_EQUAL(aggregate->late_bytes, late);
    CHECK_EQUAL(aggregate->holders, 1);
    am_aggregates_refresh();
    CHECK(!am_aggregate_is_fresh(aggregate));
    am_aggregate_drop(aggregate);
    am_aggregate_drop(unused);
    CHECK_EQUAL(am_histogram_bytes(), 0);
}
