#include "account.h"

#include <string.h>

#include "aggregate.h"

am_active_t am_active = {.short_sizes = AM_SHORT_SIZES};

static void merge_foreign(void);

/* In a forked child: a thread that is gone may have noted a block and not charged it. */
static int may_lack_charges;

/* Whether a node has freed no more blocks than it allocated. Where a thread is about to queue it, the
 * allocation of what was freed may not have been merged. */
static int is_counted(const am_node *node) {
    return AM_HOLDS(node->self.live_blocks >= 0 || may_lack_charges ||
                        atomic_load_explicit(&node->foreign.queued, memory_order_relaxed),
                    AM_BLOCKS_COUNTED);
}

static inline void counts_add(am_counts *to, const am_counts *change) {
    to->live_bytes += change->live_bytes;
    to->live_blocks += change->live_blocks;
    to->freed_bytes += change->freed_bytes;
    to->freed_blocks += change->freed_blocks;
    to->reallocations += change->reallocations;
}

/* The node alone; its ancestors have the same coming. */
static inline void total_add(am_node *node, const am_counts *change) {
    counts_add(&node->total, change);
    if (AM_UNLIKELY(node->aggregate != NULL)) am_aggregate_follow(node->aggregate, change);
}

static inline void marks_raise(am_node *node, int64_t bytes, int64_t blocks) {
    for (am_mark *mark = &node->mark; mark != NULL; mark = mark->next) {
        if (bytes > mark->peak_bytes) mark->peak_bytes = bytes;
        if (blocks > mark->peak_blocks) mark->peak_blocks = blocks;
    }
}

static void settle_pending(uint32_t index, am_pending *pending) {
    if (!(pending->live_blocks | pending->freed_blocks | pending->reallocations)) return;
    am_pending_raise(pending);
    const am_counts change = {
        .live_bytes = pending->live_bytes,
        .live_blocks = pending->live_blocks,
        .freed_bytes = pending->freed_bytes,
        .freed_blocks = pending->freed_blocks,
        .reallocations = pending->reallocations,
    };
    counts_add(&am_nodes[index].self, &change);
    for (uint32_t i = index; i != AM_NONE; i = am_nodes[i].parent) {
        am_node *node = &am_nodes[i];
        marks_raise(node, node->total.live_bytes + pending->high_bytes,
                    node->total.live_blocks + pending->high_blocks);
        total_add(node, &change);
    }
    memset(pending, 0, sizeof *pending);
}

static void make_active(uint32_t index) {
    am_active.node = index;
    am_active.code = am_ledger_code(index);
}

static void settle_active(void) {
    const uint32_t index = am_active.node;
    if (index == AM_NONE) return;
    settle_pending(index, &am_active.pending);
    if (am_active.native_changed) {
        for (uint32_t i = index; i != AM_NONE; i = am_nodes[i].parent)
            counts_add(&am_nodes[i].native, &am_active.native);
        memset(&am_active.native, 0, sizeof am_active.native);
        am_active.native_changed = 0;
    }
    if (!is_counted(&am_nodes[index]) || AM_LIKELY(!am_node_is_orphan(&am_nodes[index]))) return;
    /* Its last blocks were being freed. */
    make_active(AM_NONE);
    am_node_release_unused(index);
}

/* Whether what is credited to a node, or charged in the native domain, can have been its own. */
static int may_change(uint32_t index) {
    if (am_is_broken()) return 0;
    if (AM_LIKELY(am_node_is_in_use(index))) return 1;
    return may_lack_charges ? 0 : AM_HOLDS(0, AM_NODE_IN_USE);
}

void am_settle(void) {
    if (am_is_broken()) return;
    settle_active();
    settle_pending(AM_OWN, &am_active.own);
    if (AM_UNLIKELY(am_foreign_waits())) merge_foreign();
}

static void activate(uint32_t index) {
    if (am_is_broken()) return;
    settle_active();
    if (AM_UNLIKELY(am_foreign_waits())) merge_foreign();
    make_active(index);
}

void am_deactivate(uint32_t index) {
    if (am_active.node == index) activate(AM_NONE);
}

void am_charge_other(uint32_t index, int64_t size) {
    if (!AM_HOLDS(am_node_is_in_use(index), AM_NODE_IN_USE)) return;
    activate(index);
    am_active.pending.live_bytes = size;
    am_active.pending.live_blocks = 1;
}

/* Whoever frees one block that another scope has left behind often frees them all. */
void am_credit_other(uint32_t index, int64_t size) {
    if (!may_change(index)) return;
    activate(index);
    am_pending_credit(&am_active.pending, size);
}

/* No mark is kept of the native share, so it may be noted at any time before it is read. */
static void native_add(uint32_t index, const am_counts *change) {
    if (index == am_active.node) {
        counts_add(&am_active.native, change);
        am_active.native_changed = 1;
        return;
    }
    if (!may_change(index)) return;
    for (uint32_t i = index; i != AM_NONE; i = am_nodes[i].parent)
        counts_add(&am_nodes[i].native, change);
}

void am_charge_native(uint32_t index, int64_t size) {
    const am_counts change = {.live_bytes = size, .live_blocks = 1};
    am_charge(index, size);
    native_add(index, &change);
}

void am_credit_native(uint32_t index, int64_t size) {
    const am_counts change = {.live_bytes = -size, .live_blocks = -1, .freed_bytes = size,
                              .freed_blocks = 1};
    native_add(index, &change); /* first: the credit may recycle the node */
    am_credit(index, size);
}

void am_count_native_reallocation(uint32_t index) {
    const am_counts change = {.reallocations = 1};
    am_count_reallocation(index);
    native_add(index, &change);
}

static void foreign_queue_push(uint32_t index) {
    am_foreign *foreign = &am_nodes[index].foreign;
    if (atomic_exchange_explicit(&foreign->queued, 1, memory_order_acq_rel)) return;
    uint32_t head = atomic_load_explicit(&am_active.foreign, memory_order_relaxed);
    do foreign->next = head & ~AM_NO_NODE;
    while (!atomic_compare_exchange_weak_explicit(
        &am_active.foreign, &head, index | (head & AM_NO_NODE), memory_order_release,
        memory_order_relaxed));
}

static void raise_high(_Atomic int64_t *high, int64_t value) {
    int64_t seen = atomic_load_explicit(high, memory_order_relaxed);
    while (value > seen && !atomic_compare_exchange_weak_explicit(
                               high, &seen, value, memory_order_relaxed, memory_order_relaxed)) {
    }
}

static inline int64_t atomic_add(_Atomic int64_t *to, int64_t value) {
    return atomic_fetch_add_explicit(to, value, memory_order_relaxed) + value;
}

static inline int64_t atomic_get(const _Atomic int64_t *from) {
    return atomic_load_explicit(from, memory_order_relaxed);
}

static inline int64_t atomic_take(_Atomic int64_t *from) {
    return atomic_exchange_explicit(from, 0, memory_order_relaxed);
}

void am_foreign_charge(uint32_t index, int64_t size, int native) {
    am_foreign *foreign = &am_nodes[index].foreign;
    am_atomic_counts *counts = &foreign->domains[native], *others = &foreign->domains[!native];
    (void)atomic_add(&counts->allocated_bytes, size);
    (void)atomic_add(&counts->allocated_blocks, 1);
    raise_high(&foreign->high_bytes,
               atomic_add(&counts->live_bytes, size) + atomic_get(&others->live_bytes));
    /* Whoever sees the block sees that it was allocated. */
    int64_t before = atomic_fetch_add_explicit(&counts->live_blocks, 1, memory_order_release);
    raise_high(&foreign->high_blocks, before + 1 + atomic_get(&others->live_blocks));
    foreign_queue_push(index);
}

void am_foreign_credit(uint32_t index, int64_t size, int native) {
    am_atomic_counts *counts = &am_nodes[index].foreign.domains[native];
    (void)atomic_add(&counts->live_bytes, -size);
    /* Last: whoever sees that the block is gone may recycle the node. */
    (void)atomic_fetch_sub_explicit(&counts->live_blocks, 1, memory_order_release);
    foreign_queue_push(index);
}

void am_foreign_count_reallocation(uint32_t index, int native) {
    (void)atomic_add(&am_nodes[index].foreign.domains[native].reallocations, 1);
    foreign_queue_push(index);
}

int am_foreign_pin(uint32_t index, uint32_t generation) {
    if (index < AM_FIRST) return 1;
    atomic_fetch_add(&am_nodes[index].foreign.pins, 1);
    if (atomic_load(&am_nodes[index].generation) == generation) return 1;
    am_foreign_unpin(index);
    return 0;
}

void am_foreign_unpin(uint32_t index) {
    if (index < AM_FIRST) return;
    atomic_fetch_sub(&am_nodes[index].foreign.pins, 1);
    foreign_queue_push(index); /* the pin may have kept the node from being recycled */
}

static am_counts take_counts(am_atomic_counts *from) {
    am_counts taken;
    /* First: the rest of every event in it is seen then, the allocations of its blocks too. */
    taken.live_blocks = atomic_exchange_explicit(&from->live_blocks, 0, memory_order_acquire);
    taken.live_bytes = atomic_take(&from->live_bytes);
    taken.freed_blocks = atomic_take(&from->allocated_blocks) - taken.live_blocks;
    taken.freed_bytes = atomic_take(&from->allocated_bytes) - taken.live_bytes;
    taken.reallocations = atomic_take(&from->reallocations);
    return taken;
}

/* The first half of merging: what was highest of one node counts together with that of all others. */
static void raise_by_high(uint32_t index) {
    am_foreign *foreign = &am_nodes[index].foreign;
    if (am_nodes[index].mark.node == AM_NONE) return; /* see merge_one */
    foreign->raised_bytes = atomic_take(&foreign->high_bytes);
    foreign->raised_blocks = atomic_take(&foreign->high_blocks);
    for (uint32_t i = index; i != AM_NONE; i = am_nodes[i].parent) {
        am_counts *total = &am_nodes[i].total;
        total->live_bytes += foreign->raised_bytes;
        total->live_blocks += foreign->raised_blocks;
        marks_raise(&am_nodes[i], total->live_bytes, total->live_blocks);
    }
}

static void merge_one(uint32_t index) {
    am_foreign *foreign = &am_nodes[index].foreign;
    /* Open the queue to this node again before taking: an event in between queues it anew. An
     * exchange, not a store: whoever found it queued still has its event seen below. */
    (void)atomic_exchange_explicit(&foreign->queued, 0, memory_order_acq_rel);
    /* Between giving back its pin and queueing the node, a thread may lose it: nothing is in there. */
    if (am_nodes[index].mark.node == AM_NONE) return;
    int64_t high_bytes = atomic_take(&foreign->high_bytes); /* since the first half */
    int64_t high_blocks = atomic_take(&foreign->high_blocks);
    am_counts change = take_counts(&foreign->domains[0]);
    const am_counts native = take_counts(&foreign->domains[1]);
    counts_add(&change, &native);
    /* An event in the midst of being reported may not have raised them yet. */
    if (change.live_bytes > high_bytes) high_bytes = change.live_bytes;
    if (change.live_blocks > high_blocks) high_blocks = change.live_blocks;
    counts_add(&am_nodes[index].self, &change);
    /* What is pending of our own node may not be settled. */
    if (index != AM_OWN && !is_counted(&am_nodes[index])) return;
    for (uint32_t i = index; i != AM_NONE; i = am_nodes[i].parent) {
        am_node *node = &am_nodes[i];
        node->total.live_bytes -= foreign->raised_bytes;
        node->total.live_blocks -= foreign->raised_blocks;
        marks_raise(node, node->total.live_bytes + high_bytes,
                    node->total.live_blocks + high_blocks);
        total_add(node, &change);
        counts_add(&node->native, &native);
    }
    foreign->raised_bytes = foreign->raised_blocks = 0;
    if (am_node_is_orphan(&am_nodes[index])) am_node_release_unused(index);
}

/* Empties the queue, and returns the first of it. */
static uint32_t foreign_queue_take(void) {
    return atomic_fetch_and_explicit(&am_active.foreign, AM_NO_NODE,
                                     memory_order_acquire) & ~AM_NO_NODE;
}

static void merge_foreign(void) {
    const uint32_t first = foreign_queue_take();
    for (uint32_t i = first; i != AM_NONE; i = am_nodes[i].foreign.next) raise_by_high(i);
    for (uint32_t index = first; index != AM_NONE;) {
        uint32_t next = am_nodes[index].foreign.next;
        merge_one(index);
        index = next;
    }
}

void am_foreign_repair(void) {
    if (am_is_broken()) return;
    may_lack_charges = 1;
    (void)foreign_queue_take();
    for (uint32_t i = AM_ROOT; i < am_nodes_end; i++) {
        if (am_nodes[i].foreign.pins != 0) am_nodes[i].foreign.pins = 0; /* their threads are gone */
        if (!atomic_load_explicit(&am_nodes[i].foreign.queued, memory_order_relaxed)) continue;
        atomic_store_explicit(&am_nodes[i].foreign.queued, 0, memory_order_relaxed);
        foreign_queue_push(i);
    }
}
