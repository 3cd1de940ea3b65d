/* What must hold inside the core, checked where that costs next to nothing.
 *
 * The core runs in other people's processes, mostly inside an allocator: an error of its own is no
 * reason to end one. So a check that fails aborts nothing, allocates nothing, takes no lock and calls
 * no Python. It notes which it was (the first one stays) and has counting switched off, once and for
 * the life of the process: hooks only pass calls on, nodes are not touched any more, and blocks are
 * freed as ever. Figures that are final stay as they are; others are refused. Whoever holds the
 * interpreter lock next tells the user (scope.c, backend.py).
 *
 * Any thread may call these, with or without the lock, also in a signal handler. A check that holds
 * costs its condition and a branch. */
#ifndef AM_ASSERTION_H
#define AM_ASSERTION_H

#include <stdatomic.h>
#include <stdint.h>

#include "platform.h"

typedef enum {
    AM_SOUND = 0,
    AM_NODE_IN_USE,      /* an index names a node that is in use */
    AM_FREE_NODE_FREE,   /* the list of free nodes holds nodes that nobody uses */
    AM_HANDLES_COUNTED,  /* no handle is dropped that was not taken */
    AM_CHILDREN_COUNTED, /* no parent has fewer children than none */
    AM_BLOCKS_COUNTED,   /* no node frees more blocks than it allocated */
    AM_HOLDERS_COUNTED,  /* no aggregate is held less than not at all */
    AM_SCOPES_COUNTED,   /* no scope is closed that was not open */
    AM_SECTION_BEGUN,    /* no own section ends that did not begin */
    AM_MARK_LISTED,      /* a mark is among those of its node */
    AM_INVARIANTS
} am_invariant;

/* The first that did not hold, or AM_SOUND; and how often one did not. */
AM_OURS _Atomic uint32_t am_broken_invariant;
extern _Atomic uint64_t am_assertion_failures;

/* Switches counting off, called at the first failure. It may do what an allocator's hook may. */
extern void (*am_assertion_on_failure)(void);

/* Counting is switched off. */
static inline int am_is_broken(void) {
    return atomic_load_explicit(&am_broken_invariant, memory_order_relaxed) != AM_SOUND;
}

/* Always 0. */
AM_COLD int am_assertion_fail(am_invariant invariant);

/* Whether the condition holds; if not, counting is off, and the caller leaves what it was about to do. */
#define AM_HOLDS(condition, invariant) (AM_LIKELY(condition) || am_assertion_fail(invariant))

/* As the end of a sentence; NULL while all hold. */
const char *am_assertion_text(void);

#endif
