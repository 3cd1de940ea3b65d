/* The core as the self-test calls it. */
#ifndef SELFTEST_CORE_H
#define SELFTEST_CORE_H

#include "account.h"
#include "ledger.h"
#include "selftest.h"

/* A block as the self-test remembers it, in one of the two domains. */
typedef am_owner selftest_block;

static inline selftest_block python_block(uint32_t node, int64_t size) {
    return (selftest_block){.node = node, .native = 0, .size = size};
}

static inline selftest_block native_block(uint32_t node, int64_t size) {
    return (selftest_block){.node = node, .native = 1, .size = size};
}

static inline selftest_block some_block(uint32_t node, selftest_random *random) {
    return (selftest_block){
        .node = node, .native = selftest_below(random, 2), .size = selftest_size(random)};
}

static inline int core_put(const void *address, selftest_block block) {
    return am_ledger_put(address, block.node, (int)block.native, block.size);
}

static inline void core_charge(selftest_block block) {
    if (block.native) am_charge_native(block.node, block.size);
    else am_charge(block.node, block.size);
}

static inline void core_credit(selftest_block block) {
    if (block.native) am_credit_native(block.node, block.size);
    else am_credit(block.node, block.size);
}

static inline void core_count_reallocation(uint32_t node, int native) {
    if (native) am_count_native_reallocation(node);
    else am_count_reallocation(node);
}

static inline void core_foreign_charge(selftest_block block) {
    am_foreign_charge(block.node, block.size, (int)block.native);
}

static inline void core_foreign_credit(selftest_block block) {
    am_foreign_credit(block.node, block.size, (int)block.native);
}

static inline uint32_t core_open(uint32_t parent) {
    uint32_t node = am_node_open(parent);
    CHECK(node != AM_NONE);
    return node;
}

/* What closing a scope does to its node; the scope object still has its handle. */
static inline void core_close(uint32_t node) {
    am_settle();
    am_nodes[node].closed_at = am_coarse_time();
}

#endif
