#include "node.h"

#include <string.h>

#include "account.h"
#include "aggregate.h"

am_node *am_nodes;
uint32_t am_nodes_end;
uint32_t am_nodes_in_use;

#define MIN_NODES (1u << 14)

static uint32_t capacity;
static uint32_t free_list; /* linked through `parent` */

static void node_init(uint32_t index, uint32_t parent) {
    am_node *node = &am_nodes[index];
    memset(node, 0, offsetof(am_node, generation)); /* see there */
    node->mark.node = index;
    node->handles = 1;
    node->parent = parent;
    if (parent != AM_NONE) {
        am_nodes[parent].children++;
        node->depth = am_nodes[parent].depth + 1;
    }
}

int am_nodes_init(void) {
    if (am_nodes != NULL) return 0;
    /* A limit on address space is no reason to fail, nor to leave the program without: a smaller
     * table serves as well. */
    const size_t share = am_address_space() / 32;
    for (capacity = AM_MAX_NODES; capacity >= MIN_NODES; capacity /= 2) {
        const size_t bytes = (size_t)capacity * sizeof(am_node);
        if (bytes > share && capacity > MIN_NODES) continue;
        am_nodes = am_reserve(bytes);
        if (am_nodes != NULL) break;
    }
    if (am_nodes == NULL) return -1;
    am_nodes_end = AM_FIRST;
    node_init(AM_ROOT, AM_NONE);
    node_init(AM_OWN, AM_NONE);
    node_init(AM_GC, AM_ROOT);
    return 0;
}

static uint32_t late_parent(uint32_t index) {
    while (am_nodes[index].closed_at && am_nodes[am_nodes[index].parent].closed_at)
        index = am_nodes[index].parent;
    return index;
}

uint32_t am_node_open(uint32_t parent) {
    uint32_t index = free_list;
    if (am_is_broken() || !AM_HOLDS(am_node_is_known(parent), AM_NODE_IN_USE)) return AM_NONE;
    parent = late_parent(parent);
    if (am_nodes[parent].depth >= AM_MAX_DEPTH) return AM_NONE;
    if (index != AM_NONE) {
        int is_free = index < am_nodes_end && !am_node_is_in_use(index);
        if (!AM_HOLDS(is_free, AM_FREE_NODE_FREE)) return AM_NONE;
        free_list = am_nodes[index].parent;
    } else {
        if (am_nodes_end == capacity) return AM_NONE;
        index = am_nodes_end++;
    }
    node_init(index, parent);
    am_nodes_in_use++;
    return index;
}

void am_node_hold(uint32_t index) {
    if (AM_HOLDS(am_node_is_known(index), AM_NODE_IN_USE)) am_nodes[index].handles++;
}

void am_node_drop(uint32_t index) {
    if (am_is_broken() || !AM_HOLDS(am_node_is_known(index), AM_NODE_IN_USE)) return;
    am_node *node = &am_nodes[index];
    if (node->handles > 1) {
        node->handles--;
        return;
    }
    if (!AM_HOLDS(node->handles == 1, AM_HANDLES_COUNTED)) return;
    /* Settling may recycle orphans, so this one becomes an orphan only afterwards. */
    am_deactivate(index);
    node->handles = 0;
    am_node_release_unused(index);
}

void am_node_release_unused(uint32_t index) {
    while (index != AM_NONE) {
        am_node *node = &am_nodes[index];
        if (node->handles != 0 || node->children != 0 || node->self.live_blocks != 0) return;
        /* A thread without the lock has just reported something: merging it comes back here. */
        if (atomic_load_explicit(&node->foreign.queued, memory_order_relaxed)) return;
        /* A thread that pins it meanwhile either sees the new generation, or is seen here: then it
         * queues the node when it is done. One that has given its pin back since the question above
         * may have reported something before, so it is asked again. */
        node->generation++;
        if (node->foreign.pins != 0 ||
            atomic_load_explicit(&node->foreign.queued, memory_order_relaxed)) {
            node->generation--;
            return;
        }
        if (node->aggregate != NULL)
            am_aggregate_leave(node->aggregate,
                               am_allocated_bytes(&node->total) - node->closed_bytes);
        uint32_t parent = node->parent;
        if (parent != AM_NONE &&
            !(AM_HOLDS(am_node_is_known(parent), AM_NODE_IN_USE) &&
              AM_HOLDS(am_nodes[parent].children != 0, AM_CHILDREN_COUNTED)))
            return;
        node->aggregate = NULL;
        node->mark.node = AM_NONE;
        node->parent = free_list;
        free_list = index;
        am_nodes_in_use--;
        if (parent != AM_NONE) am_nodes[parent].children--;
        index = parent;
    }
}

void am_mark_set(am_mark *mark) {
    am_settle();
    mark->peak_bytes = am_nodes[mark->node].total.live_bytes;
    mark->peak_blocks = am_nodes[mark->node].total.live_blocks;
}

void am_mark_add(am_mark *mark) {
    am_mark *first = &am_nodes[mark->node].mark;
    am_node_hold(mark->node);
    am_mark_set(mark);
    mark->next = first->next;
    first->next = mark;
}

void am_mark_remove(am_mark *mark) {
    if (am_is_broken()) return; /* nobody looks at the list any more */
    am_mark *at = &am_nodes[mark->node].mark;
    while (at->next != mark && AM_HOLDS(at->next != NULL, AM_MARK_LISTED)) at = at->next;
    if (at->next == NULL) return;
    at->next = mark->next;
    am_node_drop(mark->node);
}
