/* A test of the parts of the native core that need no interpreter, for every target that the core
 * is compiled for: selftest.c says how it is run. */
#ifndef SELFTEST_H
#define SELFTEST_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

/* Ends the program with one line on stderr unless the two are equal, or the condition holds. */
#define CHECK_EQUAL(got, wanted) \
    selftest_check_equal(__FILE__, __LINE__, #got, (int64_t)(got), (int64_t)(wanted))
#define CHECK(condition) \
    do { \
        if (!(condition)) selftest_fail(__FILE__, __LINE__, #condition); \
    } while (0)

_Noreturn void selftest_fail(const char *file, int line, const char *what);
void selftest_check_equal(const char *file, int line, const char *what, int64_t got,
                          int64_t wanted);

/* Numbers that look random and are the same on every machine (splitmix64). */
typedef struct {
    uint64_t state;
} selftest_random;

uint64_t selftest_next(selftest_random *random);

/* From 0 up to, not including, `end`. */
static inline uint32_t selftest_below(selftest_random *random, uint32_t end) {
    return (uint32_t)(selftest_next(random) % end);
}

/* A requested size in bytes: mostly small, as a program's blocks are, sometimes 0 or large. */
int64_t selftest_size(selftest_random *random);

/* The parts, in the order in which they run. */
void selftest_ledger(selftest_random *random);
void selftest_histogram(selftest_random *random);
void selftest_peaks(selftest_random *random);
void selftest_recycling(selftest_random *random);
void selftest_aggregates(selftest_random *random);
void selftest_foreign(selftest_random *random);
void selftest_lifetimes(selftest_random *random);

#endif
