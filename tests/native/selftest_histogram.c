#include <stdlib.h>

#include "histogram.h"
#include "selftest.h"

enum { VALUES = 5000, SHAPES = 5 };

static int ascending(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* Narrow, wide and skewed ones. */
static uint64_t value_of_shape(int shape, selftest_random *random) {
    uint64_t bits = selftest_next(random);
    switch (shape) {
    case 0: return bits % 20;
    case 1: return 1000 + bits % 200;
    case 2: return bits >> (1 + selftest_below(random, 63));
    case 3: return bits % 100 == 0 ? 1 << 30 : 64;
    default: return bits % (1 << 24);
    }
}

static void compare_quantiles(const am_histogram *histogram, const uint64_t *sorted) {
    for (int permille = 0; permille <= 1000; permille += 5) {
        double q = permille / 1000.0;
        uint64_t exact = sorted[(size_t)(q * (VALUES - 1))];
        uint64_t got = am_histogram_quantile(histogram, q);
        uint64_t error = got > exact ? got - exact : exact - got;
        CHECK((double)error <= 0.016 * (double)exact);
        CHECK(got >= sorted[0] && got <= sorted[VALUES - 1]);
    }
}

static void compare_buckets(const am_histogram *histogram, const uint64_t *sorted) {
    static am_bucket buckets[AM_OCTAVES * AM_STEPS];
    uint32_t count = am_histogram_buckets(histogram, buckets, AM_OCTAVES * AM_STEPS);
    size_t next = 0;
    CHECK_EQUAL(am_histogram_buckets(histogram, NULL, 0), count);
    for (uint32_t i = 0; i < count; i++) {
        size_t first = next;
        CHECK(buckets[i].lower < buckets[i].upper);
        CHECK(i == 0 || buckets[i].lower >= buckets[i - 1].upper);
        while (next < VALUES && sorted[next] < buckets[i].upper) next++;
        CHECK(sorted[first] >= buckets[i].lower);
        CHECK_EQUAL(buckets[i].count, next - first);
    }
    CHECK_EQUAL(next, VALUES);
}

static void a_shape_is_kept(int shape, selftest_random *random) {
    static uint64_t values[VALUES];
    am_histogram histogram = {0};
    uint64_t sum = 0;
    for (int i = 0; i < VALUES; i++) {
        values[i] = value_of_shape(shape, random);
        sum += values[i];
        CHECK_EQUAL(am_histogram_add(&histogram, (int64_t)values[i]), 0);
    }
    qsort(values, VALUES, sizeof values[0], ascending);
    CHECK_EQUAL(histogram.count, VALUES);
    CHECK_EQUAL(histogram.sum, sum);
    CHECK_EQUAL(histogram.min, values[0]);
    CHECK_EQUAL(histogram.max, values[VALUES - 1]);
    compare_quantiles(&histogram, values);
    compare_buckets(&histogram, values);
    am_histogram_clear(&histogram);
    CHECK_EQUAL(histogram.count, 0);
}

static void the_ends_of_the_range_are_kept(void) {
    am_histogram histogram = {0};
    CHECK_EQUAL(am_histogram_quantile(&histogram, 0.5), 0);
    CHECK_EQUAL(am_histogram_add(&histogram, -5), 0);
    CHECK_EQUAL(am_histogram_add(&histogram, INT64_MAX), 0);
    CHECK_EQUAL(histogram.min, 0);
    CHECK_EQUAL(histogram.max, INT64_MAX);
    CHECK_EQUAL(am_histogram_quantile(&histogram, 0), 0);
    CHECK(am_histogram_quantile(&histogram, 1) >= (uint64_t)INT64_MAX / 64 * 63);
    am_histogram_clear(&histogram);
}

void selftest_histogram(selftest_random *random) {
    the_ends_of_the_range_are_kept();
    for (int shape = 0; shape < SHAPES; shape++) a_shape_is_kept(shape, random);
    CHECK_EQUAL(am_histogram_bytes(), 0);
}
