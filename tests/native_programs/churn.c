/* Blocks that change hands: each round of any owner makes a block and swaps it for one that is lying
 * in a place shared by all, which it frees or reallocates. Keeps the account of every owner, and how
 * much was alive at the highest moment. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define OWNERS 64
#define PLACES 512

typedef struct {
    int64_t allocations, deallocations, reallocations, bytes_allocated, bytes_deallocated;
} account;

typedef struct { uint32_t owner, size; } block;

static struct {
    _Atomic int64_t allocations, deallocations, reallocations, bytes_allocated, bytes_deallocated;
} accounts[OWNERS];

static block *_Atomic places[PLACES];
static _Atomic int64_t live, highest;

/* Counted after a block is there and before it goes, so `highest` is never too high. */
static void came(block *which, uint32_t owner, uint32_t size) {
    *which = (block){owner, size};
    accounts[owner].allocations++;
    accounts[owner].bytes_allocated += size;
    int64_t now = live += size, seen = highest;
    while (now > seen && !__atomic_compare_exchange_n((int64_t *)&highest, &seen, now, 1,
                                                      __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
    }
}

static void goes(const block *which) {
    accounts[which->owner].deallocations++;
    accounts[which->owner].bytes_deallocated += which->size;
    live -= which->size;
}

static void put_down(block *mine, uint32_t at) {
    block *other = __atomic_exchange_n((block **)&places[at], mine, __ATOMIC_SEQ_CST);
    if (other == NULL) return;
    goes(other);
    free(other);
}

int churn(uint32_t owner, long rounds, uint32_t seed) {
    for (long i = 0; i < rounds; i++) {
        seed = seed * 1664525u + 1013904223u;
        uint32_t size = 16 + (seed >> 8) % (seed >> 30 ? 600 : 60000), at = (seed >> 16) % PLACES;
        block *mine = seed & 512 ? malloc(size) : calloc(1, size);
        if (mine == NULL) return -1;
        came(mine, owner, size);
        if (seed & 256) { /* grow or shrink a block of somebody's */
            block *other = __atomic_exchange_n((block **)&places[at], NULL, __ATOMIC_SEQ_CST);
            if (other != NULL) {
                goes(other);
                uint32_t wanted = size / 2 + 16;
                other = realloc(other, wanted);
                if (other == NULL) return -1;
                came(other, owner, wanted);
                accounts[owner].reallocations++;
                put_down(other, at);
            }
        }
        put_down(mine, (at + 1) % PLACES);
    }
    return 0;
}

void churn_end(void) {
    for (uint32_t at = 0; at < PLACES; at++) put_down(NULL, at);
}

int64_t churn_highest(void) { return highest; }

void churn_account(uint32_t owner, account *out) {
    *out = (account){accounts[owner].allocations, accounts[owner].deallocations,
                     accounts[owner].reallocations, accounts[owner].bytes_allocated,
                     accounts[owner].bytes_deallocated};
}
