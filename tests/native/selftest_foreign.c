#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "selftest_core.h"
#include "selftest_counts.h"

enum { THREADS = 8, WITH_THE_LOCK = THREADS, WORKERS };
enum { EVENTS = 200000, SCOPES = 12, HELD = 64, LEAVES = 64 };

static uint32_t scopes[SCOPES]; /* scope i is below scope (i - 1) / 2: a binary tree */
static am_counts expected[WORKERS][SCOPES], expected_native[WORKERS][SCOPES];
static selftest_block left[THREADS][HELD]; /* what a thread does not free itself */
static selftest_random seeds[THREADS];
static _Atomic int running; /* threads not yet done */
static _Atomic int arrived; /* threads that came to a meeting, all meetings counted */

/* Waits until all threads have come here, for the `number`th time. */
static void meet(int number) {
    atomic_fetch_add(&arrived, 1);
    while (atomic_load(&arrived) < number * THREADS) sched_yield();
}

static void count(int thread, uint32_t at, selftest_block block, int sign) {
    counts_note(&expected[thread][at], block.size, sign);
    if (block.native) counts_note(&expected_native[thread][at], block.size, sign);
}

/* Addresses that no other thread uses, in one leaf. */
static const void *address_of(int thread, int slot) {
    return (const void *)((uintptr_t)0x610000000000 + ((uintptr_t)thread * HELD + slot) * 64);
}

static void one_event(int thread, selftest_random *random) {
    /* Mostly the same scope, so that they meet in its counters. */
    uint32_t at = selftest_below(random, 4) == 0 ? selftest_below(random, SCOPES) : 0;
    int slot = (int)selftest_below(random, HELD);
    selftest_block *held = &left[thread][slot];
    if (held->node == AM_NONE) {
        *held = some_block(scopes[at], random);
        core_foreign_charge(*held);
        CHECK_EQUAL(core_put(address_of(thread, slot), *held), AM_PUT);
        count(thread, at, *held, 1);
        return;
    }
    selftest_block found = am_ledger_take(address_of(thread, slot));
    CHECK_EQUAL(found.node, held->node);
    CHECK_EQUAL(found.native, held->native);
    CHECK_EQUAL(found.size, held->size);
    core_foreign_credit(found);
    for (at = 0; scopes[at] != found.node; at++) {}
    count(thread, at, found, -1);
    if (selftest_below(random, 10) == 0) {
        am_foreign_count_reallocation(found.node, (int)found.native);
        expected[thread][at].reallocations++;
        expected_native[thread][at].reallocations += found.native;
    }
    *held = python_block(AM_NONE, 0);
}

static void *work(void *argument) {
    int thread = (int)((selftest_random *)argument - seeds);
    meet(1);
    for (int i = 0; i < EVENTS; i++) one_event(thread, argument);
    atomic_fetch_sub(&running, 1);
    return NULL;
}

static void *walk_through_leaves(void *argument) {
    uintptr_t thread = (uintptr_t)((selftest_random *)argument - seeds);
    for (int leaf = 0; leaf < LEAVES; leaf++) {
        const void *address = (const void *)((uintptr_t)0x620000000000 +
                                             ((uintptr_t)leaf << AM_LEAF_BITS) + thread * 64);
        meet(leaf + 1); /* so that the leaf is missing for several of them */
        CHECK_EQUAL(core_put(address, native_block(AM_ROOT, 9)), AM_PUT);
        CHECK_EQUAL(am_ledger_take(address).size, 9);
    }
    return NULL;
}

static void start(pthread_t *threads, void *(*function)(void *)) {
    atomic_store(&running, THREADS);
    atomic_store(&arrived, 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQUAL(pthread_create(&threads[i], NULL, function, &seeds[i]), 0);
}

static void join(pthread_t *threads) {
    for (int i = 0; i < THREADS; i++) CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
}

/* All threads find the same leaves missing, and one of them gets to add each. */
static void a_leaf_is_added_once(void) {
    pthread_t threads[THREADS];
    uint64_t reserved = am_ledger_reserved_bytes();
    start(threads, walk_through_leaves);
    join(threads);
    CHECK_EQUAL(am_ledger_reserved_bytes() - reserved,
                LEAVES * AM_LEAF_ENTRIES * sizeof(am_entry));
}

/* What holds the interpreter lock goes on meanwhile, and merges what the others report. */
static void work_with_the_lock(selftest_random *random) {
    while (atomic_load(&running) > 0) {
        uint32_t at = selftest_below(random, SCOPES);
        selftest_block block = some_block(scopes[at], random);
        core_charge(block);
        core_credit(block);
        count(WITH_THE_LOCK, at, block, 1);
        count(WITH_THE_LOCK, at, block, -1);
        if (selftest_below(random, 50) == 0) am_settle();
    }
}

static void compare_all(void) {
    am_counts totals[SCOPES], native[SCOPES];
    memset(totals, 0, sizeof totals);
    memset(native, 0, sizeof native);
    for (int at = SCOPES - 1; at >= 0; at--) {
        const am_node *node = &am_nodes[scopes[at]];
        am_counts self = {0};
        for (int worker = 0; worker < WORKERS; worker++) {
            counts_sum(&self, &expected[worker][at]);
            counts_sum(&native[at], &expected_native[worker][at]);
        }
        counts_sum(&totals[at], &self);
        counts_compare(&node->self, &self);
        counts_compare(&node->total, &totals[at]);
        counts_compare(&node->native, &native[at]);
        CHECK(node->mark.peak_bytes >= totals[at].live_bytes);
        CHECK(node->mark.peak_blocks >= totals[at].live_blocks);
        /* An event in the midst of a merge may count on both sides of it. */
        CHECK(node->mark.peak_blocks <= 2 * THREADS * HELD + 1);
        if (at == 0) break;
        counts_sum(&totals[(at - 1) / 2], &totals[at]);
        counts_sum(&native[(at - 1) / 2], &native[at]);
    }
}

static void threads_without_the_lock_lose_nothing(selftest_random *random) {
    pthread_t threads[THREADS];
    for (int i = 0; i < SCOPES; i++) scopes[i] = core_open(i == 0 ? AM_ROOT : scopes[(i - 1) / 2]);
    for (int i = 0; i < THREADS; i++) seeds[i].state = selftest_next(random);
    start(threads, work);
    work_with_the_lock(random);
    join(threads);
    am_settle();
    compare_all();
}

/* The blocks that threads have left keep the nodes of scopes that are gone. */
static void what_they_left_goes_like_any_block(uint32_t in_use) {
    for (int i = 0; i < SCOPES; i++) am_node_drop(scopes[i]);
    CHECK(am_nodes_in_use > in_use);
    for (int i = 0; i < THREADS * HELD; i++) {
        selftest_block block = left[i / HELD][i % HELD];
        if (block.node == AM_NONE) continue;
        if (i % 2) core_foreign_credit(block);
        else core_credit(block);
    }
    am_settle();
    CHECK_EQUAL(am_nodes_in_use, in_use);
}

/* What rises and falls between two settlements counts as if it had met the others' peak. */
static void a_peak_holds_what_no_settlement_saw(void) {
    uint32_t node = core_open(AM_ROOT);
    selftest_block mine = python_block(node, 100), theirs = native_block(node, 1000);
    selftest_block also_theirs = python_block(node, 10);
    core_charge(mine);
    core_foreign_charge(also_theirs);
    core_foreign_charge(theirs);
    core_foreign_credit(theirs);
    core_foreign_credit(also_theirs);
    am_settle();
    CHECK_EQUAL(am_nodes[node].mark.peak_bytes, 1110);
    CHECK_EQUAL(am_nodes[node].mark.peak_blocks, 3);
    CHECK_EQUAL(am_nodes[node].total.live_bytes, 100);
    core_credit(mine);
    am_node_drop(node);
}

/* A forked child may find a node marked as queued by a thread that is gone, and no such node in the
 * queue. */
static void a_forked_child_finds_what_was_about_to_be_queued(void) {
    uint32_t node = core_open(AM_ROOT);
    core_foreign_charge(native_block(node, 300));
    atomic_store(&am_active.foreign, AM_NONE);
    am_settle();
    CHECK_EQUAL(am_nodes[node].total.live_bytes, 0);
    am_foreign_repair();
    am_settle();
    CHECK_EQUAL(am_nodes[node].total.live_bytes, 300);
    core_credit(native_block(node, 300));
    am_node_drop(node);
}

void selftest_foreign(selftest_random *random) {
    uint32_t in_use = am_nodes_in_use;
    a_peak_holds_what_no_settlement_saw();
    a_forked_child_finds_what_was_about_to_be_queued();
    a_leaf_is_added_once();
    threads_without_the_lock_lose_nothing(random);
    what_they_left_goes_like_any_block(in_use);
}
