#include "aggregate.h"

#include <stdlib.h>

#include "account.h"

static uint64_t refresh_number;

am_aggregate *am_aggregate_new(void) {
    am_aggregate *aggregate = calloc(1, sizeof *aggregate);
    if (aggregate != NULL) aggregate->holders = 1;
    return aggregate;
}

void am_aggregate_drop(am_aggregate *aggregate) {
    if (--aggregate->holders != 0) return;
    for (int i = 0; i < AM_QUANTITIES; i++) am_histogram_clear(&aggregate->quantities[i]);
    free(aggregate);
}

void am_aggregate_enter(am_aggregate *aggregate, uint32_t index, int outcome) {
    am_node *node = &am_nodes[index];
    const int64_t figures[AM_QUANTITIES] = {
        [AM_BYTES_ALLOCATED] = am_allocated_bytes(&node->total),
        [AM_ALLOCATIONS] = am_allocated_blocks(&node->total),
        [AM_PEAK_BYTES] = node->mark.peak_bytes,
        [AM_RETAINED_BYTES] = node->total.live_bytes,
    };
    aggregate->count++;
    aggregate->errors += outcome == AM_FAILED;
    aggregate->cancelled += outcome == AM_CANCELLED;
    for (int i = 0; i < AM_QUANTITIES; i++)
        (void)am_histogram_add(&aggregate->quantities[i], figures[i]);
    aggregate->native_bytes += am_allocated_bytes(&node->native);
    aggregate->native_blocks += am_allocated_blocks(&node->native);
    aggregate->holders++;
    node->aggregate = aggregate;
    node->closed_bytes = figures[AM_BYTES_ALLOCATED];
}

void am_aggregate_leave(am_aggregate *aggregate, int64_t late_bytes) {
    aggregate->late_bytes += late_bytes;
    am_aggregate_drop(aggregate);
}

void am_aggregates_refresh(void) {
    am_settle();
    refresh_number++;
    for (uint32_t i = AM_FIRST; i < am_nodes_end; i++) {
        const am_node *node = &am_nodes[i];
        am_aggregate *aggregate = node->aggregate;
        if (aggregate == NULL) continue;
        if (aggregate->refreshed != refresh_number) {
            aggregate->refreshed = refresh_number;
            aggregate->retained_bytes = aggregate->retained_blocks = 0;
            aggregate->late_bytes_alive = 0;
        }
        aggregate->retained_bytes += node->total.live_bytes;
        aggregate->retained_blocks += node->total.live_blocks;
        aggregate->late_bytes_alive += am_allocated_bytes(&node->total) - node->closed_bytes;
    }
}

int am_aggregate_is_fresh(const am_aggregate *aggregate) {
    return aggregate->refreshed == refresh_number;
}
