/* Threads that allocate and free blocks side by side, some of them with the interpreter lock. They
 * hand blocks to each other and free what others have allocated; the ledger alone tells what is
 * where. The scopes that they charge come and go meanwhile. */
#ifndef SELFTEST_CROWD_H
#define SELFTEST_CROWD_H

#include <pthread.h>

#include "selftest_core.h"

enum { CROWD_WITHOUT_THE_LOCK = 8, CROWD_WITH_IT = 2 };
enum { CROWD = CROWD_WITHOUT_THE_LOCK + CROWD_WITH_IT, CROWD_SCOPES = 16, CROWD_HELD = 32 };

/* What a thread without the lock remembers of the scope that it works in. */
typedef struct {
    uint32_t node, generation;
} scope_known;

typedef struct {
    selftest_random random;
    pthread_t thread;
    uint32_t addresses[CROWD_HELD]; /* its share of all, with a block at each or without */
    scope_known scope;
    am_counts python, native; /* what it did */
} crowd_member;

extern crowd_member crowd[CROWD];

/* The scopes, with a handle each: under the lock. */
extern uint32_t crowd_scopes[CROWD_SCOPES];

/* Gives each member its addresses. */
void crowd_init(selftest_random *random);

/* Opens a scope, in place of another one if there is one, which ends. Others may remember that one
 * for long. Under the lock. */
void crowd_replace_scope(selftest_random *random, int at);

/* A block comes to life or goes. The first under the lock, the second without it. */
void crowd_event(crowd_member *self);
void crowd_foreign_event(crowd_member *self);

/* How many blocks are alive; and all of them go, under the lock and while nobody else works. */
int64_t crowd_living_blocks(void);
void crowd_free_all(void);

#endif
