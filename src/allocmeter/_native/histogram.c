#include "histogram.h"

#include <stdlib.h>
#include <string.h>

static uint64_t heap_bytes;

/* Values below AM_STEPS fill octave 0 one by one; octave n > 0 covers [32, 64) << (n - 1). */
static void locate(uint64_t value, int *octave, int *step) {
    int bits = value < AM_STEPS ? 0 : 64 - __builtin_clzll(value) - AM_STEP_BITS;
    *octave = bits;
    *step = (int)(bits == 0 ? value : (value >> (bits - 1)) - AM_STEPS);
}

static am_bucket bucket_at(const am_histogram *histogram, int octave, int step) {
    uint64_t width = octave == 0 ? 1 : (uint64_t)1 << (octave - 1);
    uint64_t lower = octave == 0 ? (uint64_t)step : (uint64_t)(AM_STEPS + step) * width;
    return (am_bucket){lower, lower + width, histogram->octaves[octave][step]};
}

int am_histogram_add(am_histogram *histogram, int64_t signed_value) {
    uint64_t value = signed_value < 0 ? 0 : (uint64_t)signed_value;
    int octave, step;
    locate(value, &octave, &step);
    if (histogram->count == 0 || value < histogram->min) histogram->min = value;
    if (value > histogram->max) histogram->max = value;
    histogram->count++;
    histogram->sum += value;
    uint64_t **counts = &histogram->octaves[octave];
    if (*counts == NULL) {
        *counts = calloc(AM_STEPS, sizeof **counts);
        if (*counts == NULL) return -1;
        heap_bytes += AM_STEPS * sizeof **counts;
    }
    (*counts)[step]++;
    return 0;
}

uint64_t am_histogram_quantile(const am_histogram *histogram, double q) {
    double rank = q * (double)(histogram->count - 1);
    uint64_t seen = 0;
    if (histogram->count == 0) return 0;
    for (int octave = 0; octave < AM_OCTAVES; octave++) {
        for (int step = 0; histogram->octaves[octave] != NULL && step < AM_STEPS; step++) {
            am_bucket bucket = bucket_at(histogram, octave, step);
            seen += bucket.count;
            if (bucket.count == 0 || (double)seen <= rank) continue;
            uint64_t middle = bucket.lower + (bucket.upper - bucket.lower - 1) / 2;
            if (middle < histogram->min) return histogram->min;
            return middle > histogram->max ? histogram->max : middle;
        }
    }
    return histogram->max;
}

uint32_t am_histogram_buckets(const am_histogram *histogram, am_bucket *out, uint32_t room) {
    uint32_t found = 0;
    for (int octave = 0; octave < AM_OCTAVES; octave++) {
        for (int step = 0; histogram->octaves[octave] != NULL && step < AM_STEPS; step++) {
            if (histogram->octaves[octave][step] == 0) continue;
            if (found < room) out[found] = bucket_at(histogram, octave, step);
            found++;
        }
    }
    return found;
}

void am_histogram_clear(am_histogram *histogram) {
    for (int octave = 0; octave < AM_OCTAVES; octave++) {
        if (histogram->octaves[octave] == NULL) continue;
        free(histogram->octaves[octave]);
        heap_bytes -= AM_STEPS * sizeof(uint64_t);
    }
    memset(histogram, 0, sizeof *histogram);
}

uint64_t am_histogram_bytes(void) { return heap_bytes; }
