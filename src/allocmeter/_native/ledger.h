/* The ledger: which node owns the block at an address, how large it is, and which layer saw it.
 *
 * Four bytes for every 16 bytes of address space: for one window of addresses, where nearly all blocks
 * are, in one piece, elsewhere in leaves of 32 MiB that are reserved when first needed. Pages nobody
 * writes cost nothing. No header is put before a block, so size classes and alignment stay as they
 * are. An entry is written after the real allocation and cleared before the real free, so an address
 * is never ambiguous; different blocks have different entries, so no lock is needed. A size that does
 * not fit is kept in the two entries after the block's own, which lie inside that block.
 *
 *   entry      = node index (21 bits) | native (1 bit) | size (9 bits)
 *                size 511: see the two extensions
 *   extension  = top bit set | 31 bits of the size
 *
 * Any thread may call these, with or without the interpreter lock; none allocates from the heap. */
#ifndef AM_LEDGER_H
#define AM_LEDGER_H

#include <stdatomic.h>
#include <stdint.h>

#include "platform.h"

typedef _Atomic uint32_t am_entry;

#define AM_GRANULE_BITS 4
#define AM_LEAF_BITS 25
#define AM_ADDRESS_BITS 48
#define AM_LEAF_ENTRIES (1u << (AM_LEAF_BITS - AM_GRANULE_BITS))
#define AM_LEAVES (1u << (AM_ADDRESS_BITS - AM_LEAF_BITS))
#define AM_SIZE_BITS 9
#define AM_NODE_SHIFT (AM_SIZE_BITS + 1)
#define AM_SIZE_EXTENDED ((1u << AM_SIZE_BITS) - 1)
#define AM_EXTENSION (1u << 31)

AM_OURS am_entry *_Atomic am_ledger_root[AM_LEAVES];

/* An entry of the window is found without a look at the root. */
#define AM_WINDOW_ENTRIES (1u << 30)

typedef struct {
    am_entry *entries;
    uint64_t start; /* the first address */
} am_window;

AM_OURS am_window am_ledger_window;

/* Opens the window, of 16 GiB around the addresses that the system gives out at present. Called before
 * anything is recorded; once more changes nothing. Where address space is not free there is none. */
void am_ledger_init(void);

/* The entry of a block of this node, of the python domain, as far as it does not depend on the size. */
static inline uint32_t am_ledger_code(uint32_t node) { return node << AM_NODE_SHIFT; }

/* The owner and size that one entry stands for. */
typedef struct {
    uint32_t node;   /* AM_NONE: the address is not in the ledger */
    uint32_t native; /* asked of malloc, not of the interpreter's allocators */
    int64_t size;
} am_owner;

/* The number of a granule. What is no multiple is turned round to a number that is too high: so one
 * comparison finds both. */
AM_HOT uint64_t am_granule(uint64_t address) {
    return address >> AM_GRANULE_BITS | address << (64 - AM_GRANULE_BITS);
}

/* The address of an entry, or NULL when its leaf does not exist, or cannot; of NULL there is none. */
AM_HOT am_entry *am_ledger_find(const void *address) {
    const uint64_t inside = am_granule((uintptr_t)address - am_ledger_window.start);
    if (AM_LIKELY(inside < AM_WINDOW_ENTRIES)) {
        am_entry *entry = &am_ledger_window.entries[inside];
        if (entry == NULL) __builtin_unreachable(); /* so nobody asks again */
        return entry;
    }
    const uint64_t granule = am_granule((uintptr_t)address);
    const uint64_t at = granule >> (AM_LEAF_BITS - AM_GRANULE_BITS);
    if (AM_UNLIKELY(at >= AM_LEAVES || address == NULL)) return NULL;
    am_entry *leaf = atomic_load_explicit(&am_ledger_root[at], memory_order_acquire);
    if (AM_UNLIKELY(leaf == NULL)) return NULL;
    return &leaf[granule & (AM_LEAF_ENTRIES - 1)];
}

/* What stands there; 0: nothing, as where there is no entry. */
AM_HOT uint32_t am_ledger_read(const am_entry *entry) {
    return entry == NULL ? 0 : atomic_load_explicit(entry, memory_order_relaxed);
}

/* The slow halves: a leaf to be made (NULL if it cannot), a size that needs extensions. */
AM_COLD am_entry *am_ledger_grow(const void *address);
AM_COLD int am_ledger_extend(const void *address, int64_t size);
AM_COLD int64_t am_ledger_take_extended(const void *address);

/* Removes a block, given what stands there, and returns its size. */
AM_HOT int64_t am_ledger_take_known(am_entry *entry, uint32_t value, const void *address) {
    const int64_t size = value & AM_SIZE_EXTENDED;
    atomic_store_explicit(entry, 0, memory_order_relaxed);
    return AM_LIKELY(size != AM_SIZE_EXTENDED) ? size : am_ledger_take_extended(address);
}

/* Removes the block at `address` and returns what stood there. */
static inline am_owner am_ledger_take(const void *address) {
    am_owner owner = {0, 0, 0};
    am_entry *entry = am_ledger_find(address);
    uint32_t value = am_ledger_read(entry);
    if (value == 0 || AM_UNLIKELY(value & AM_EXTENSION)) return owner;
    owner.node = value >> AM_NODE_SHIFT;
    owner.native = value >> AM_SIZE_BITS & 1;
    owner.size = am_ledger_take_known(entry, value, address);
    return owner;
}

enum { AM_PUT, AM_REFUSED, AM_OCCUPIED };

/* Writes a block. AM_REFUSED when it cannot be recorded: an address that is not a multiple of 16 or
 * beyond 48 bits, or no address space for a leaf. AM_OCCUPIED, and nothing written, when an entry
 * still stands there: it belongs to a block whose free was not seen; take it and put again. */
static inline int am_ledger_put(const void *address, uint32_t node, int native, int64_t size) {
    am_entry *entry = am_ledger_find(address);
    if (AM_UNLIKELY(entry == NULL) && (entry = am_ledger_grow(address)) == NULL) return AM_REFUSED;
    uint32_t code = atomic_load_explicit(entry, memory_order_relaxed);
    if (AM_UNLIKELY(code != 0 && !(code & AM_EXTENSION))) return AM_OCCUPIED;
    code = (uint32_t)size;
    if (AM_UNLIKELY(size >= AM_SIZE_EXTENDED)) {
        if (!am_ledger_extend(address, size)) return AM_REFUSED;
        code = AM_SIZE_EXTENDED;
    }
    code |= am_ledger_code(node) | (uint32_t)native << AM_SIZE_BITS;
    atomic_store_explicit(entry, code, memory_order_relaxed);
    return AM_PUT;
}

/* Bytes of address space reserved for all of it; only touched pages are resident. */
uint64_t am_ledger_reserved_bytes(void);

/* Bytes of these that are resident, to the page; -1 where the system does not say. Takes the better
 * part of a millisecond. */
int64_t am_ledger_resident_bytes(void);

#endif
