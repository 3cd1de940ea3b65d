#include "aggregate.h"

#include <stdlib.h>
#include <string.h>

#include "account.h"

const uint32_t am_age_limits[] = {100, 600, 6000}; /* 10 seconds, 1 minute, 10 minutes */

static uint64_t refresh_number;

am_aggregate *am_aggregate_new(void) {
    am_aggregate *aggregate = calloc(1, sizeof *aggregate);
    if (aggregate != NULL) aggregate->holders = 1;
    return aggregate;
}

void am_aggregate_drop(am_aggregate *aggregate) {
    if (!AM_HOLDS(aggregate->holders != 0, AM_HOLDERS_COUNTED)) return;
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
    am_aggregate_follow(aggregate, &node->total);
    am_retention_add(&aggregate->retention,
                     (am_retention_sample){aggregate->count, aggregate->retained.bytes,
                                           aggregate->retained.blocks});
    node->closed_bytes = figures[AM_BYTES_ALLOCATED];
}

void am_aggregate_leave(am_aggregate *aggregate, int64_t late_bytes) {
    aggregate->late_bytes += late_bytes;
    am_aggregate_drop(aggregate);
}

static int age_band(uint32_t age) {
    int band = 0;
    while (band < AM_AGE_BANDS - 1 && age >= am_age_limits[band]) band++;
    return band;
}

void am_aggregates_refresh(void) {
    const uint32_t now = am_coarse_time();
    if (am_is_broken()) return; /* what was found before stands */
    am_settle();
    refresh_number++;
    for (uint32_t i = AM_FIRST; i < am_nodes_end; i++) {
        const am_node *node = &am_nodes[i];
        am_aggregate *aggregate = node->aggregate;
        if (aggregate == NULL) continue;
        if (aggregate->refreshed != refresh_number) {
            aggregate->refreshed = refresh_number;
            memset(aggregate->by_age, 0, sizeof aggregate->by_age);
            aggregate->late_bytes_alive = 0;
        }
        am_retained *retained = &aggregate->by_age[age_band(now - node->closed_at)];
        retained->bytes += node->total.live_bytes;
        retained->blocks += node->total.live_blocks;
        aggregate->late_bytes_alive += am_allocated_bytes(&node->total) - node->closed_bytes;
    }
}

int am_aggregate_is_fresh(const am_aggregate *aggregate) {
    return aggregate->refreshed == refresh_number;
}
