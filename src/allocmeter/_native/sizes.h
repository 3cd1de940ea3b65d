/* The size classes of one scope: how many blocks it asks for, and bytes, by powers of two.
 *
 * Of one scope at a time, for a report on what allocates too much. What is charged to the scope and to
 * everything nested in it counts until it closes, a reallocated block once more: so the sums are
 * those of the scope's figures. Meanwhile every allocation takes the long way through its hook, and
 * at all other times none is slower for it. */
#ifndef AM_SIZES_H
#define AM_SIZES_H

#include <stdatomic.h>
#include <stdint.h>

#include "platform.h"

/* Class k holds the sizes of k binary digits. */
enum { AM_SIZE_CLASSES = 64 };

typedef struct {
    int64_t blocks, bytes;
} am_size_class;

/* The node that is counted, or AM_NONE. */
AM_OURS _Atomic uint32_t am_sizes_node;

/* Begins with no counts; nothing if another scope is being counted. `scope` is only compared. Like the
 * others that take a scope, with the interpreter lock. */
void am_sizes_begin(uint32_t node, const void *scope);

/* Ends counting if it is this scope that is counted; what was counted can be read until the next one
 * begins. Forgetting a scope makes it unreadable. */
void am_sizes_end(const void *scope);
void am_sizes_forget(const void *scope);

/* 0, or -1 if this scope was not counted, or another one since. */
int am_sizes_read(const void *scope, am_size_class out[AM_SIZE_CLASSES]);

/* A block was charged to a node, by any thread, with or without the lock. */
AM_COLD void am_sizes_count(uint32_t node, int64_t size);

static inline void am_sizes_note(uint32_t node, int64_t size) {
    if (AM_UNLIKELY(atomic_load_explicit(&am_sizes_node, memory_order_relaxed) != 0))
        am_sizes_count(node, size);
}

#endif
