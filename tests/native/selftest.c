/* Usage: selftest [-s SEED] [PART...], all parts by default. Exit code 0 and one line `ok ...` on
 * stdout; or 1 and one line on stderr that says what was found instead of what. */
#include "selftest.h"

#include <stdlib.h>
#include <string.h>

#include "node.h"

static const struct {
    const char *name;
    void (*run)(selftest_random *random);
} parts[] = {
    {"ledger", selftest_ledger},         {"histogram", selftest_histogram},
    {"peaks", selftest_peaks},           {"recycling", selftest_recycling},
    {"aggregates", selftest_aggregates}, {"foreign", selftest_foreign},
    {"lifetimes", selftest_lifetimes},
};
enum { PARTS = sizeof parts / sizeof parts[0] };

static uint64_t seed = 20240229;
static const char *running = "start";
static char passed[256];

void selftest_fail(const char *file, int line, const char *what) {
    fprintf(stderr, "FAILED %s (seed %" PRIu64 "): %s:%d: %s\n", running, seed, file, line, what);
    exit(1);
}

void selftest_check_equal(const char *file, int line, const char *what, int64_t got,
                          int64_t wanted) {
    char text[256];
    if (got == wanted) return;
    snprintf(text, sizeof text, "%s is %" PRId64 " and should be %" PRId64, what, got, wanted);
    selftest_fail(file, line, text);
}

uint64_t selftest_next(selftest_random *random) {
    uint64_t z = random->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

int64_t selftest_size(selftest_random *random) {
    switch (selftest_below(random, 20)) {
    case 0: return 0;
    case 1: return selftest_below(random, 1u << 20);
    case 2: return (int64_t)selftest_below(random, 1u << 10) << 24;
    default: return 1 + selftest_below(random, 600);
    }
}

static void run(int part) {
    /* Each part has numbers of its own: run alone, it does what it does among the others. */
    selftest_random random = {seed + (uint64_t)part};
    running = parts[part].name;
    parts[part].run(&random);
    if (am_is_broken()) selftest_fail(__FILE__, __LINE__, am_assertion_text());
    size_t length = strlen(passed);
    snprintf(passed + length, sizeof passed - length, " %s", running);
}

static int find(const char *name) {
    for (int part = 0; part < PARTS; part++)
        if (strcmp(parts[part].name, name) == 0) return part;
    fprintf(stderr, "no part %s in the self-test\n", name);
    exit(2);
}

int main(int count, char **arguments) {
    int next = 1;
    if (count > 2 && strcmp(arguments[1], "-s") == 0) {
        seed = strtoull(arguments[2], NULL, 10);
        next = 3;
    }
    if (am_nodes_init() != 0) selftest_fail(__FILE__, __LINE__, "no address space for the nodes");
    if (next == count)
        for (int part = 0; part < PARTS; part++) run(part);
    for (; next < count; next++) run(find(arguments[next]));
    printf("ok seed %" PRIu64 ":%s\n", seed, passed);
    return 0;
}
