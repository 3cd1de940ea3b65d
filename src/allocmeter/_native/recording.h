/* What a hook does with a block, whichever layer it belongs to: pymem.c is the python domain,
 * malloc.c the native one. `exclusive`: this thread is attached to the interpreter, so the plain
 * counters may be used. */
#ifndef AM_RECORDING_H
#define AM_RECORDING_H

#include "context.h" /* first: Python.h sets feature macros */
#include "ledger.h"
#include "pymem.h"
#include "sizes.h"

enum { AM_PYTHON_DOMAIN = 0, AM_NATIVE_DOMAIN = 1 };

AM_HOT void am_record_charge(uint32_t node, int native, int64_t size, int exclusive) {
    am_sizes_note(node, size);
    if (AM_UNLIKELY(!exclusive)) am_foreign_charge(node, size, native);
    else if (native) am_charge_native(node, size);
    else am_charge(node, size);
}

AM_HOT void am_record_credit(am_owner owner, int exclusive) {
    if (AM_UNLIKELY(!exclusive)) am_foreign_credit(owner.node, owner.size, (int)owner.native);
    else if (owner.native) am_credit_native(owner.node, owner.size);
    else am_credit(owner.node, owner.size);
}

static inline void am_record_reallocation(uint32_t node, int native, int exclusive) {
    if (AM_UNLIKELY(!exclusive)) am_foreign_count_reallocation(node, native);
    else if (native) am_count_native_reallocation(node);
    else am_count_reallocation(node);
}

/* A block came to life. */
AM_HOT void am_record(const void *block, uint32_t node, int native, int64_t size,
                             int exclusive) {
    int put = am_ledger_put(block, node, native, size);
    if (AM_UNLIKELY(put == AM_OCCUPIED)) {
        am_record_credit(am_ledger_take(block), exclusive);
        put = am_ledger_put(block, node, native, size);
    }
    if (AM_LIKELY(put == AM_PUT)) am_record_charge(node, native, size, exclusive);
    else am_hooks_gaps++; /* no room in the ledger: figures with this block in them are refused */
}

/* A reallocation has failed: the block is as it was. */
static inline void am_record_restore(const void *block, am_owner owner) {
    if (owner.node != AM_NONE)
        (void)am_ledger_put(block, owner.node, (int)owner.native, owner.size);
}

/* Which node a new block belongs to, AM_NONE if nothing is to be recorded. `locked`: the caller is
 * known to hold the lock of its interpreter. */
AM_HOT uint32_t am_recorded_node(int locked, int *exclusive) {
    *exclusive = 1;
    return am_is_idle() ? AM_NONE : am_current(locked, exclusive);
}

/* The block is recorded, or there is none: the node may be recycled again. */
AM_HOT void am_recorded(uint32_t node, int exclusive) {
    if (AM_UNLIKELY(!exclusive)) am_foreign_unpin(node);
}

/* The same question for a free, which needs no node. */
AM_HOT int am_free_is_exclusive(int locked) {
    if (AM_LIKELY(locked && !am_other_interpreters())) return 1;
    const PyThreadState *state = am_thread_state();
#if PY_VERSION_HEX >= 0x030C0000
    /* Before 3.12 the answer is the process's, and may be a new state where ours was freed. */
    if (state == am_thread.state) return 1;
#endif
    return am_is_attached(state, locked);
}

/* What nearly every free of the interpreter's is: of a small block of the python domain, by a thread
 * that holds the lock, while its owner is active, or of one of ours, and nothing disturbs
 * (am_is_undisturbed). Takes it off the books; 0 and nothing done if it is another. */
AM_HOT int am_record_free(am_entry *entry, uint32_t code) {
    am_pending *pending = &am_active.pending;
    uint32_t size = code ^ am_active.code; /* if all but the size is equal */
    if (AM_UNLIKELY(size >= AM_SIZE_EXTENDED)) {
        size = code ^ am_ledger_code(AM_OWN);
        if (size >= AM_SIZE_EXTENDED) return 0;
        pending = &am_active.own;
    }
    atomic_store_explicit(entry, 0, memory_order_relaxed);
    am_pending_credit(pending, (int64_t)size);
    return 1;
}

/* What nearly every allocation is: a small block of the python domain, for the active node or for
 * ourselves, where the ledger has room and nothing stands, while no size classes are counted. 0 and nothing done if not, or if there
 * is no block. */
AM_HOT int am_record_small(const void *block, size_t size, uint32_t node) {
    am_pending *pending = &am_active.pending;
    uint32_t code = am_active.code;
    if (AM_UNLIKELY(node != am_active.node)) {
        if (node != AM_OWN) return 0;
        pending = &am_active.own;
        code = am_ledger_code(AM_OWN);
    }
    if (AM_UNLIKELY(size >= am_active.short_sizes)) return 0;
    am_entry *entry = am_ledger_find(block);
    if (AM_UNLIKELY(entry == NULL)) return 0;
    if (AM_UNLIKELY(atomic_load_explicit(entry, memory_order_relaxed) != 0)) return 0;
    atomic_store_explicit(entry, code | (uint32_t)size, memory_order_relaxed);
    pending->live_bytes += (int64_t)size;
    pending->live_blocks += 1;
    return 1;
}

/* What nearly every reallocation is: by the owner of the old block, which is active or ourselves,
 * while no thread without the lock has reported anything. Puts the new block on the books, the old
 * one of `old` bytes having been taken from the ledger; 0 and nothing done if it is another. */
AM_HOT int am_record_moved(const void *block, int64_t size, uint32_t node, int64_t old) {
    am_pending *pending = &am_active.pending;
    if (AM_UNLIKELY(node != am_active.node)) {
        if (node != AM_OWN) return 0;
        pending = &am_active.own;
    }
    if (AM_UNLIKELY(am_foreign_waits())) return 0;
    if (AM_UNLIKELY(am_ledger_put(block, node, AM_PYTHON_DOMAIN, size) != AM_PUT)) return 0;
    am_sizes_note(node, size);
    am_pending_credit(pending, old);
    pending->live_bytes += size;
    pending->live_blocks += 1;
    pending->reallocations += 1;
    return 1;
}

#endif
