#include "selftest_core.h"

#define NODES 8u
#define LEAF_BYTES ((uintptr_t)1 << AM_LEAF_BITS)
/* From `base`: what is before it and what is after it have entries in different places. */
#define BORDER (8 * LEAF_BYTES)

#define WINDOW_BYTES ((uintptr_t)AM_WINDOW_ENTRIES << AM_GRANULE_BITS)

/* Nothing is ever read or written there. */
static uintptr_t base;

static const void *at(uintptr_t offset) { return (const void *)(base + offset); }

static const selftest_block nothing = {0, 0, 0};

static void put(uintptr_t offset, selftest_block block) {
    CHECK_EQUAL(core_put(at(offset), block), AM_PUT);
}

static void expect(uintptr_t offset, selftest_block block) {
    selftest_block found = am_ledger_take(at(offset));
    CHECK_EQUAL(found.node, block.node);
    CHECK_EQUAL(found.native, block.native);
    CHECK_EQUAL(found.size, block.size);
}

static void round_trip(uintptr_t offset, uint32_t node, int64_t size) {
    for (uint32_t native = 0; native < 2; native++) {
        selftest_block block = {node, native, size};
        put(offset, block);
        expect(offset, block);
        expect(offset, nothing);
    }
}

static void sizes_come_back(void) {
    static const int powers[] = {8, 9, 10, 20, 31, 32, 40, 47};
    for (int64_t size = 0; size <= 2000; size++)
        round_trip((uintptr_t)size * 4096, AM_ROOT + (uint32_t)size % NODES, size);
    for (size_t i = 0; i < sizeof powers / sizeof powers[0]; i++)
        for (int64_t near = -1; near <= 1; near++)
            round_trip(0, AM_FIRST, ((int64_t)1 << powers[i]) + near);
    for (uint32_t node = AM_ROOT; node < AM_MAX_NODES; node = node * 2 + 1)
        round_trip(0, node, 2000);
}

static void an_occupied_address_keeps_its_block(void) {
    put(0, native_block(AM_FIRST, 70));
    CHECK_EQUAL(core_put(at(0), python_block(AM_ROOT, 5000)), AM_OCCUPIED);
    expect(0, native_block(AM_FIRST, 70));
    round_trip(0, AM_ROOT, 5000);
}

static void an_address_that_cannot_be_recorded_is_refused(void) {
    static const uintptr_t beyond = (uintptr_t)1 << AM_ADDRESS_BITS;
    const void *last = (const void *)(beyond - 16), *after = (const void *)beyond;
    for (uintptr_t odd = 1; odd < 16; odd++)
        CHECK_EQUAL(core_put(at(odd), python_block(AM_FIRST, 70)), AM_REFUSED);
    CHECK_EQUAL(core_put(NULL, python_block(AM_FIRST, 70)), AM_REFUSED);
    CHECK_EQUAL(core_put(after, python_block(AM_FIRST, 70)), AM_REFUSED);
    CHECK_EQUAL(core_put(last, python_block(AM_FIRST, 5000)), AM_REFUSED);
    CHECK_EQUAL(am_ledger_take(after).node, AM_NONE);
    CHECK_EQUAL(am_ledger_take(last).node, AM_NONE);
    expect(0, nothing);
}

/* The two entries after that of a large block hold its size. */
static void a_large_size_is_no_block(void) {
    const selftest_block large = native_block(AM_FIRST, ((int64_t)1 << 40) + 3);
    static const uintptr_t offsets[] = {3 * LEAF_BYTES / 2, BORDER - 16, BORDER - 32};
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        uintptr_t offset = offsets[i];
        put(offset, large);
        expect(offset + 16, nothing);
        expect(offset + 32, nothing);
        expect(offset, large);
        /* Where its free was not seen, another block may have come to live on such an entry. */
        put(offset, large);
        put(offset + 16, python_block(AM_ROOT, 7));
        expect(offset, native_block(AM_FIRST, 0));
        expect(offset + 16, python_block(AM_ROOT, 7));
    }
}

enum { SLOTS = 4096, ROUNDS = 200000 };

/* Against an array that says what stands in each slot. Slots are 64 bytes apart, so that a large
 * block ends before the next one starts. */
static void many_blocks_stay_apart(selftest_random *random) {
    selftest_block blocks[SLOTS] = {{0, 0, 0}};
    for (int round = 0; round < ROUNDS + SLOTS; round++) {
        const int ending = round >= ROUNDS;
        uint32_t slot = ending ? (uint32_t)(round - ROUNDS) : selftest_below(random, SLOTS);
        uintptr_t offset = BORDER - 64 * SLOTS / 2 + 64 * (uintptr_t)slot;
        if (ending || blocks[slot].node != AM_NONE) {
            expect(offset, blocks[slot]);
            blocks[slot] = nothing;
        } else {
            blocks[slot] = some_block(1 + selftest_below(random, AM_MAX_NODES - 1), random);
            put(offset, blocks[slot]);
        }
    }
}

static void blocks_far_apart_stay_apart(void) {
    for (int bits = AM_GRANULE_BITS; (uintptr_t)1 << bits <= BORDER; bits++)
        put((uintptr_t)1 << bits, python_block(AM_FIRST, bits));
    for (int bits = AM_GRANULE_BITS; (uintptr_t)1 << bits <= BORDER; bits++)
        expect((uintptr_t)1 << bits, python_block(AM_FIRST, bits));
}

static uint64_t reserved_for_many_blocks(selftest_random *random) {
    sizes_come_back();
    an_occupied_address_keeps_its_block();
    an_address_that_cannot_be_recorded_is_refused();
    uint64_t before = am_ledger_reserved_bytes();
    many_blocks_stay_apart(random);
    a_large_size_is_no_block();
    uint64_t reserved = am_ledger_reserved_bytes() - before;
    blocks_far_apart_stay_apart();
    return reserved;
}

/* In both of its ends, and right beside it. */
static void a_window_is_like_the_rest(selftest_random *random) {
    uint64_t before = am_ledger_reserved_bytes();
    for (int i = 0; i < 2; i++) am_ledger_init();
    if (am_ledger_window.entries == NULL) return; /* this system limits address space */
    CHECK_EQUAL(am_ledger_reserved_bytes() - before, AM_WINDOW_ENTRIES * sizeof(am_entry));
    base = am_ledger_window.start + WINDOW_BYTES - BORDER;
    CHECK(reserved_for_many_blocks(random) <= 2 * AM_LEAF_ENTRIES * sizeof(am_entry));
    base = am_ledger_window.start - BORDER;
    if (am_ledger_window.start > BORDER) /* not under valgrind, which gives out low addresses */
        CHECK(reserved_for_many_blocks(random) <= 3 * AM_LEAF_ENTRIES * sizeof(am_entry));
    CHECK(am_ledger_resident_bytes() > 0);
}

void selftest_ledger(selftest_random *random) {
    base = (uintptr_t)0x5a0000000000;
    /* Both sides of one border between leaves, and the leaf of the one large block. */
    CHECK_EQUAL(reserved_for_many_blocks(random), 3 * AM_LEAF_ENTRIES * sizeof(am_entry));
    a_window_is_like_the_rest(random);
}
