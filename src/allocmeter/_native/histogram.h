/* A log-linear histogram of 64-bit integers: 32 equal steps in every power of two, so a value is
 * known to within 1/32 of itself, and within half of that when the middle of its step stands for it
 * (the scheme of HdrHistogram). Memory grows with the number of powers of two seen, not with the
 * number of values. Not safe from two threads at once: callers hold the interpreter lock. */
#ifndef AM_HISTOGRAM_H
#define AM_HISTOGRAM_H

#include <stdint.h>

#define AM_STEP_BITS 5
#define AM_STEPS (1 << AM_STEP_BITS)
#define AM_OCTAVES (64 - AM_STEP_BITS)

typedef struct {
    uint64_t *octaves[AM_OCTAVES]; /* NULL, or AM_STEPS counts */
    uint64_t count, sum, min, max;
} am_histogram;

/* A step of a histogram: `count` values from `lower` up to, not including, `upper`. */
typedef struct {
    uint64_t lower, upper, count;
} am_bucket;

/* Counts a value; negative ones count as 0. 0, or -1 when there is no memory for a new octave:
 * then the value is in count, sum, min and max only. */
int am_histogram_add(am_histogram *histogram, int64_t value);

/* The value at quantile q (0 to 1), within 1/64 of itself and never outside [min, max]. */
uint64_t am_histogram_quantile(const am_histogram *histogram, double q);

/* Copies up to `room` non-empty buckets in ascending order; returns how many there are. */
uint32_t am_histogram_buckets(const am_histogram *histogram, am_bucket *out, uint32_t room);

void am_histogram_clear(am_histogram *histogram);

/* Heap bytes held by all histograms. */
uint64_t am_histogram_bytes(void);

#endif
