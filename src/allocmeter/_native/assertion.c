#include "assertion.h"

#include <stddef.h>

_Atomic uint32_t am_broken_invariant;
_Atomic uint64_t am_assertion_failures;
void (*am_assertion_on_failure)(void);

static const char *const texts[AM_INVARIANTS] = {
    [AM_NODE_IN_USE] = "a block or scope belongs to a node that is not in use",
    [AM_FREE_NODE_FREE] = "a node that should be free is in use",
    [AM_HANDLES_COUNTED] = "a node was released more often than it was held",
    [AM_CHILDREN_COUNTED] = "a node has lost more children than it had",
    [AM_BLOCKS_COUNTED] = "a scope has freed more blocks than it allocated",
    [AM_HOLDERS_COUNTED] = "the figures of a name were released more often than they were held",
    [AM_SCOPES_COUNTED] = "more scopes were closed than opened",
    [AM_SECTION_BEGUN] = "a section of the library's own work has ended without a beginning",
    [AM_MARK_LISTED] = "a high-water mark is not among those of its node",
};

int am_assertion_fail(am_invariant invariant) {
    uint32_t sound = AM_SOUND;
    atomic_fetch_add_explicit(&am_assertion_failures, 1, memory_order_relaxed);
    if (atomic_compare_exchange_strong(&am_broken_invariant, &sound, (uint32_t)invariant) &&
        am_assertion_on_failure != NULL)
        am_assertion_on_failure();
    return 0;
}

const char *am_assertion_text(void) {
    uint32_t broken = atomic_load_explicit(&am_broken_invariant, memory_order_relaxed);
    return broken < AM_INVARIANTS ? texts[broken] : "an unknown check has failed";
}
