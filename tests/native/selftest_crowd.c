#include "selftest_crowd.h"

#include <sched.h>

#include "selftest_counts.h"

enum { SHELF = 64, ADDRESSES = CROWD * CROWD_HELD + SHELF };

crowd_member crowd[CROWD];
uint32_t crowd_scopes[CROWD_SCOPES];

static _Atomic uint64_t news[CROWD_SCOPES]; /* of the scopes, for threads without the lock */
static _Atomic uint32_t shelf[SHELF];       /* where addresses change hands */
static uint32_t generations[ADDRESSES];     /* of the block's node, when it was charged */

static const void *address_of(uint32_t number) {
    return (const void *)((uintptr_t)0x630000000000 + (uintptr_t)number * 64);
}

void crowd_init(selftest_random *random) {
    for (uint32_t i = 0; i < SHELF; i++) shelf[i] = CROWD * CROWD_HELD + i;
    for (uint32_t i = 0; i < CROWD; i++) {
        crowd[i].random.state = selftest_next(random);
        for (uint32_t j = 0; j < CROWD_HELD; j++) crowd[i].addresses[j] = i * CROWD_HELD + j;
    }
}

void crowd_replace_scope(selftest_random *random, int at) {
    uint32_t ended = crowd_scopes[at];
    uint32_t around = crowd_scopes[selftest_below(random, CROWD_SCOPES)];
    if (around == AM_NONE || selftest_below(random, 2)) around = AM_ROOT;
    uint32_t node = crowd_scopes[at] = core_open(around);
    atomic_store(&news[at], (uint64_t)am_nodes[node].generation << 32 | node);
    if (ended == AM_NONE) return;
    core_close(ended);
    am_node_drop(ended);
}

static scope_known heard_of(crowd_member *self) {
    uint64_t both = atomic_load(&news[selftest_below(&self->random, CROWD_SCOPES)]);
    return (scope_known){(uint32_t)both, (uint32_t)(both >> 32)};
}

/* Other threads get to do something in the midst of it, sometimes. */
static void pause_sometimes(crowd_member *self) {
    if (selftest_below(&self->random, 64) == 0) sched_yield();
}

static uint32_t some_address(crowd_member *self) {
    uint32_t *mine = &self->addresses[selftest_below(&self->random, CROWD_HELD)];
    if (selftest_below(&self->random, 4) == 0)
        *mine = atomic_exchange(&shelf[selftest_below(&self->random, SHELF)], *mine);
    return *mine;
}

/* A block keeps its node: it is still that of the scope which was charged with the block, though the
 * generation is another one for a moment, while somebody finds out whether the node is needed. */
static selftest_block taken(uint32_t number) {
    selftest_block block = am_ledger_take(address_of(number));
    if (block.node == AM_NONE) return block;
    for (int tries = 0; tries < 1000; tries++) {
        if (am_nodes[block.node].generation == generations[number]) return block;
        sched_yield();
    }
    CHECK_EQUAL(am_nodes[block.node].generation, generations[number]);
    return block;
}

static am_counts *counts_of(crowd_member *self, selftest_block block) {
    return block.native ? &self->native : &self->python;
}

/* The generation is the caller's to know, and not asked of the node: see above. */
static selftest_block put_somewhere(crowd_member *self, uint32_t number, scope_known scope) {
    selftest_block block = some_block(scope.node, &self->random);
    generations[number] = scope.generation;
    CHECK_EQUAL(core_put(address_of(number), block), AM_PUT);
    counts_note(counts_of(self, block), block.size, 1);
    return block;
}

void crowd_event(crowd_member *self) {
    uint32_t number = some_address(self);
    selftest_block block = taken(number);
    if (block.node != AM_NONE) {
        core_credit(block);
        counts_note(counts_of(self, block), block.size, -1);
        return;
    }
    uint32_t node = crowd_scopes[selftest_below(&self->random, CROWD_SCOPES)];
    core_charge(put_somewhere(self, number, (scope_known){node, am_nodes[node].generation}));
}

/* As a hook does it: there may be no memory for the block, or it is moved at once. */
static void allocate_in(crowd_member *self, uint32_t number, scope_known scope) {
    if (selftest_below(&self->random, 16) == 0) return;
    selftest_block block = put_somewhere(self, number, scope);
    pause_sometimes(self);
    core_foreign_charge(block);
    if (selftest_below(&self->random, 10) != 0) return;
    am_foreign_count_reallocation(scope.node, (int)block.native);
    counts_of(self, block)->reallocations++;
}

void crowd_foreign_event(crowd_member *self) {
    uint32_t number = some_address(self);
    selftest_block block = taken(number);
    if (block.node != AM_NONE) {
        pause_sometimes(self);
        core_foreign_credit(block);
        counts_note(counts_of(self, block), block.size, -1);
        return;
    }
    if (selftest_below(&self->random, 32) == 0) self->scope = heard_of(self);
    const scope_known scope = self->scope;
    if (scope.node == AM_NONE || !am_foreign_pin(scope.node, scope.generation)) {
        self->scope = heard_of(self);
        allocate_in(self, number, (scope_known){AM_ROOT, am_nodes[AM_ROOT].generation});
        return;
    }
    pause_sometimes(self);
    allocate_in(self, number, scope);
    am_foreign_unpin(scope.node);
}

int64_t crowd_living_blocks(void) {
    int64_t found = 0;
    for (uint32_t number = 0; number < ADDRESSES; number++) {
        const am_entry *entry = am_ledger_find(address_of(number));
        found += entry != NULL && *entry != 0;
    }
    return found;
}

void crowd_free_all(void) {
    for (uint32_t number = 0; number < ADDRESSES; number++) {
        selftest_block block = am_ledger_take(address_of(number));
        if (block.node != AM_NONE) core_credit(block);
    }
    am_settle();
}
