#include "ledger.h"

#define LEAF_BYTES ((size_t)AM_LEAF_ENTRIES * sizeof(am_entry))
#define WINDOW_BYTES ((size_t)AM_WINDOW_ENTRIES * sizeof(am_entry))
#define EXTENSION_BITS 31
#define EXTENSION_MASK ((1u << EXTENSION_BITS) - 1)

am_entry *_Atomic am_ledger_root[AM_LEAVES];

/* No block is where a window starts that was not opened. */
am_window am_ledger_window = {NULL, UINT64_C(1) << 63};

static _Atomic uint64_t reserved_bytes;

/* Those made first, in no order: looking through the root for them would take milliseconds. */
#define KNOWN_LEAVES 4096
static am_entry *_Atomic known_leaves[KNOWN_LEAVES];
static _Atomic uint32_t leaf_count;

void am_ledger_init(void) {
    const uint64_t half = (uint64_t)AM_WINDOW_ENTRIES << AM_GRANULE_BITS >> 1;
    if (am_ledger_window.entries != NULL || !am_reserves_freely()) return;
    am_entry *entries = am_reserve(WINDOW_BYTES);
    if (entries == NULL) return;
    const uint64_t middle = (uint64_t)(uintptr_t)entries;
    /* NULL is not in it. */
    am_ledger_window = (am_window){entries, middle > half ? middle - half : 1 << AM_GRANULE_BITS};
    atomic_fetch_add_explicit(&reserved_bytes, WINDOW_BYTES, memory_order_relaxed);
}

am_entry *am_ledger_grow(const void *address) {
    uintptr_t a = (uintptr_t)address;
    if (a >> AM_ADDRESS_BITS || a & ((1u << AM_GRANULE_BITS) - 1)) return NULL;
    am_entry *leaf = am_reserve(LEAF_BYTES), *expected = NULL;
    if (leaf == NULL) return NULL;
    if (atomic_compare_exchange_strong(&am_ledger_root[a >> AM_LEAF_BITS], &expected, leaf)) {
        uint32_t number = atomic_fetch_add_explicit(&leaf_count, 1, memory_order_relaxed);
        if (number < KNOWN_LEAVES) known_leaves[number] = leaf;
        atomic_fetch_add_explicit(&reserved_bytes, LEAF_BYTES, memory_order_relaxed);
    } else {
        am_unreserve(leaf, LEAF_BYTES); /* another thread was first */
    }
    return am_ledger_find(address);
}

static am_entry *extension(const void *address, int which) {
    const void *inside = (const char *)address + ((size_t)which << AM_GRANULE_BITS);
    am_entry *entry = am_ledger_find(inside);
    return entry != NULL ? entry : am_ledger_grow(inside);
}

int am_ledger_extend(const void *address, int64_t size) {
    am_entry *low = extension(address, 1), *high = extension(address, 2);
    if (low == NULL || high == NULL) return 0;
    atomic_store_explicit(low, AM_EXTENSION | ((uint32_t)size & EXTENSION_MASK),
                          memory_order_relaxed);
    atomic_store_explicit(high, AM_EXTENSION | (uint32_t)(size >> EXTENSION_BITS),
                          memory_order_relaxed);
    return 1;
}

int64_t am_ledger_take_extended(const void *address) {
    am_entry *low = extension(address, 1), *high = extension(address, 2);
    uint32_t low_bits = atomic_load_explicit(low, memory_order_relaxed);
    uint32_t high_bits = atomic_load_explicit(high, memory_order_relaxed);
    /* The free of this block was not seen, and others live there by now: its size is lost. */
    if (!(low_bits & AM_EXTENSION) || !(high_bits & AM_EXTENSION)) return 0;
    atomic_store_explicit(low, 0, memory_order_relaxed);
    atomic_store_explicit(high, 0, memory_order_relaxed);
    return (int64_t)(high_bits & EXTENSION_MASK) << EXTENSION_BITS | (low_bits & EXTENSION_MASK);
}

uint64_t am_ledger_reserved_bytes(void) {
    return atomic_load_explicit(&reserved_bytes, memory_order_relaxed);
}

int64_t am_ledger_resident_bytes(void) {
    uint32_t leaves = atomic_load_explicit(&leaf_count, memory_order_relaxed);
    int64_t resident = 0;
    if (leaves > KNOWN_LEAVES) return -1;
    if (am_ledger_window.entries != NULL)
        resident = am_resident_bytes(am_ledger_window.entries, WINDOW_BYTES);
    if (resident < 0) return -1;
    for (uint32_t i = 0; i < leaves; i++) {
        am_entry *leaf = known_leaves[i];
        int64_t found = leaf == NULL ? 0 : am_resident_bytes(leaf, LEAF_BYTES);
        if (found < 0) return -1;
        resident += found;
    }
    return resident;
}
