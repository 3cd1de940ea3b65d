/* Scopes begin and end, and are recycled, while threads without the interpreter lock report blocks
 * to them. A mutex stands for the lock. */
#define _DEFAULT_SOURCE
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "selftest_counts.h"
#include "selftest_crowd.h"

enum { EVENTS = 100000, ROUNDS = 20000, FORKS = 4 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int running; /* threads without it that are not done */

/* The root before the test began. */
static struct {
    uint32_t nodes_in_use;
    am_counts all, native;
} before;

/* Not of bytes: what others report may be half there, a block's size before the block is. */
static void check_scope(uint32_t index) {
    const am_node *node = &am_nodes[index];
    am_settle();
    CHECK(node->self.live_blocks >= 0);
    CHECK(node->self.freed_blocks >= 0);
    CHECK(node->total.live_blocks >= node->self.live_blocks);
    CHECK(node->total.live_blocks >= node->native.live_blocks);
    CHECK(node->total.freed_blocks >= node->native.freed_blocks);
    CHECK(node->mark.peak_blocks >= node->total.live_blocks);
}

static void drop_scopes(void) {
    for (int at = 0; at < CROWD_SCOPES; at++) am_node_drop(crowd_scopes[at]);
}

static int is_empty(const am_foreign *foreign) {
    int64_t found = foreign->queued | foreign->pins;
    for (int domain = 0; domain < 2; domain++) {
        const am_atomic_counts *counts = &foreign->domains[domain];
        found |= counts->live_bytes | counts->live_blocks | counts->allocated_bytes;
        found |= counts->allocated_blocks | counts->reallocations;
    }
    return found == 0;
}

/* Not recycled, though nothing needs them. */
static int64_t nodes_left_over(void) {
    int64_t found = 0;
    for (uint32_t i = AM_FIRST; i < am_nodes_end; i++) {
        const am_node *node = &am_nodes[i];
        found += node->mark.node != AM_NONE && node->handles == 0 && node->children == 0 &&
                 node->self.live_blocks == 0;
    }
    return found;
}

static int64_t nodes_with_something_to_merge(void) {
    int64_t found = 0;
    for (uint32_t i = AM_ROOT; i < am_nodes_end; i++) found += !is_empty(&am_nodes[i].foreign);
    return found;
}

/* Each thread that is gone was in the midst of one block at most. */
static void check_nearly(int64_t got, int64_t wanted) {
    CHECK(got - wanted <= CROWD_WITHOUT_THE_LOCK);
    CHECK(wanted - got <= CROWD_WITHOUT_THE_LOCK);
}

static _Noreturn void go_on_as_the_child(crowd_member *self) {
    const am_counts *root = &am_nodes[AM_ROOT].total;
    am_foreign_repair();
    am_settle();
    check_nearly(nodes_with_something_to_merge(), 0);
    check_nearly(root->live_blocks, before.all.live_blocks + crowd_living_blocks());
    for (int i = 0; i < 1000; i++) crowd_event(self);
    crowd_free_all();
    drop_scopes();
    check_nearly(root->live_blocks, before.all.live_blocks);
    check_nearly(nodes_left_over(), 0);
    CHECK(!am_is_broken());
    _exit(0);
}

/* Where a thread may fork, there are events that nobody has merged. */
static void fork_in_the_midst(crowd_member *self) {
    int status;
    for (int i = 0; i < 500; i++) crowd_foreign_event(self);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) go_on_as_the_child(self);
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK_EQUAL(status, 0);
}

static void mark_some_scope(selftest_random *random, am_mark *mark) {
    if (mark->node != AM_NONE) am_mark_remove(mark);
    *mark = (am_mark){.node = crowd_scopes[selftest_below(random, CROWD_SCOPES)]};
    am_mark_add(mark);
}

static void one_turn(crowd_member *self, am_mark *mark) {
    selftest_random *random = &self->random;
    crowd_event(self);
    if (selftest_below(random, 4) == 0)
        crowd_replace_scope(random, (int)selftest_below(random, CROWD_SCOPES));
    if (selftest_below(random, 8) == 0) mark_some_scope(random, mark);
    if (selftest_below(random, 8) == 0)
        check_scope(crowd_scopes[selftest_below(random, CROWD_SCOPES)]);
}

static void *work_with_the_lock(void *argument) {
    crowd_member *self = argument;
    int forks = self == &crowd[CROWD_WITHOUT_THE_LOCK] ? FORKS : 0;
    am_mark mark = {.node = AM_NONE};
    for (int round = 1; round <= ROUNDS || atomic_load(&running) > 0; round++) {
        CHECK_EQUAL(pthread_mutex_lock(&lock), 0);
        one_turn(self, &mark);
        if (forks > 0 && round % (ROUNDS / FORKS / 2) == 0) {
            forks--;
            fork_in_the_midst(self);
        }
        CHECK_EQUAL(pthread_mutex_unlock(&lock), 0);
    }
    CHECK_EQUAL(pthread_mutex_lock(&lock), 0);
    if (mark.node != AM_NONE) am_mark_remove(&mark);
    CHECK_EQUAL(pthread_mutex_unlock(&lock), 0);
    return NULL;
}

static void *work(void *argument) {
    for (int i = 0; i < EVENTS; i++) crowd_foreign_event(argument);
    atomic_fetch_sub(&running, 1);
    return NULL;
}

static void run_all(selftest_random *random) {
    crowd_init(random);
    for (int at = 0; at < CROWD_SCOPES; at++) crowd_replace_scope(random, at);
    atomic_store(&running, CROWD_WITHOUT_THE_LOCK);
    for (int i = 0; i < CROWD; i++) {
        void *(*function)(void *) = i < CROWD_WITHOUT_THE_LOCK ? work : work_with_the_lock;
        CHECK_EQUAL(pthread_create(&crowd[i].thread, NULL, function, &crowd[i]), 0);
    }
    for (int i = 0; i < CROWD; i++) CHECK_EQUAL(pthread_join(crowd[i].thread, NULL), 0);
    am_settle();
}

static void nothing_is_negative(const am_counts *counts) {
    CHECK(counts->live_bytes >= 0);
    CHECK(counts->live_blocks >= 0);
    CHECK(counts->freed_bytes >= 0);
    CHECK(counts->freed_blocks >= 0);
}

static void the_process_lacks_nothing(void) {
    am_counts all = before.all, native = before.native;
    for (int i = 0; i < CROWD; i++) {
        counts_sum(&all, &crowd[i].python);
        counts_sum(&all, &crowd[i].native);
        counts_sum(&native, &crowd[i].native);
    }
    counts_compare(&am_nodes[AM_ROOT].total, &all);
    counts_compare(&am_nodes[AM_ROOT].native, &native);
    for (int at = 0; at < CROWD_SCOPES; at++) {
        nothing_is_negative(&am_nodes[crowd_scopes[at]].self);
        nothing_is_negative(&am_nodes[crowd_scopes[at]].total);
        nothing_is_negative(&am_nodes[crowd_scopes[at]].native);
    }
}

/* Each node that was ever made is in use, or is given out again, and empty. */
static void no_node_is_lost(void) {
    const uint32_t end = am_nodes_end, unused = end - AM_FIRST - am_nodes_in_use;
    uint32_t *nodes = malloc((unused + 1) * sizeof *nodes);
    CHECK(nodes != NULL);
    for (uint32_t i = 0; i < unused; i++) nodes[i] = core_open(AM_ROOT);
    CHECK_EQUAL(am_nodes_end, end);
    for (uint32_t i = 0; i < unused; i++) am_node_drop(nodes[i]);
    free(nodes);
    CHECK_EQUAL(nodes_with_something_to_merge(), 0);
}

/* A thread that pins a node keeps it, and gives it back even if nothing came of it. */
static void a_pin_keeps_a_node(void) {
    uint32_t node = core_open(AM_ROOT), generation = am_nodes[node].generation;
    CHECK(am_foreign_pin(node, generation));
    am_node_drop(node);
    CHECK_EQUAL(am_nodes_in_use, before.nodes_in_use + 1);
    CHECK(am_foreign_pin(node, generation));
    am_foreign_unpin(node);
    am_settle();
    CHECK_EQUAL(am_nodes_in_use, before.nodes_in_use + 1);
    am_foreign_unpin(node);
    am_settle();
    CHECK_EQUAL(am_nodes_in_use, before.nodes_in_use);
    CHECK(!am_foreign_pin(node, generation));
}

void selftest_lifetimes(selftest_random *random) {
    am_settle();
    before.nodes_in_use = am_nodes_in_use;
    before.all = am_nodes[AM_ROOT].total;
    before.native = am_nodes[AM_ROOT].native;
    a_pin_keeps_a_node();
    run_all(random);
    the_process_lacks_nothing();
    crowd_free_all();
    drop_scopes();
    CHECK_EQUAL(am_nodes[AM_ROOT].total.live_blocks, before.all.live_blocks);
    CHECK_EQUAL(am_nodes_in_use, before.nodes_in_use);
    no_node_is_lost();
}
