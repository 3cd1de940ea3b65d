/* What a self-test has done itself, to be compared with what the core says. */
#ifndef SELFTEST_COUNTS_H
#define SELFTEST_COUNTS_H

#include "node.h"
#include "selftest.h"

/* A block comes to life, or, if `sign` is -1, goes. */
static inline void counts_note(am_counts *counts, int64_t size, int sign) {
    counts->live_bytes += sign * size;
    counts->live_blocks += sign;
    if (sign > 0) return;
    counts->freed_bytes += size;
    counts->freed_blocks += 1;
}

static inline void counts_sum(am_counts *to, const am_counts *change) {
    to->live_bytes += change->live_bytes;
    to->live_blocks += change->live_blocks;
    to->freed_bytes += change->freed_bytes;
    to->freed_blocks += change->freed_blocks;
    to->reallocations += change->reallocations;
}

static inline void counts_compare(const am_counts *got, const am_counts *wanted) {
    CHECK_EQUAL(got->live_bytes, wanted->live_bytes);
    CHECK_EQUAL(got->live_blocks, wanted->live_blocks);
    CHECK_EQUAL(got->freed_bytes, wanted->freed_bytes);
    CHECK_EQUAL(got->freed_blocks, wanted->freed_blocks);
    CHECK_EQUAL(got->reallocations, wanted->reallocations);
}

#endif
