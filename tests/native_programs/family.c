/* Exercises every function of the malloc family, edge cases included, and keeps its own account of
 * what it did. A program of its own, and a library whose functions a Python process calls. Linked
 * with nothing but the C library. Build it with -fno-builtin: the calls are the point. */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    int64_t allocations, deallocations, reallocations, bytes_allocated, bytes_deallocated;
    int64_t failed_checks;
} account;

static const char *_Atomic first_failure;

#define TEXT(x) #x
#define PLACE(line, what) "line " TEXT(line) ": " what
#define CHECK(what)                                             \
    do {                                                        \
        if (!(what)) {                                          \
            mine->failed_checks++;                              \
            if (first_failure == NULL) first_failure = PLACE(__LINE__, #what); \
        }                                                       \
    } while (0)

static void allocated(account *mine, size_t size) {
    mine->allocations++;
    mine->bytes_allocated += (int64_t)size;
}

static void freed(account *mine, size_t size) {
    mine->deallocations++;
    mine->bytes_deallocated += (int64_t)size;
}

static void reallocated(account *mine, size_t from, size_t to) {
    freed(mine, from);
    allocated(mine, to);
    mine->reallocations++;
}

static int is_aligned(const void *block, size_t alignment) {
    return ((uintptr_t)block & (alignment - 1)) == 0;
}

static int holds(const unsigned char *block, int byte, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (block[i] != (unsigned char)byte) return 0;
    return 1;
}

/* A block that is used up to its last byte, checked and freed. */
static void use(account *mine, void *block, size_t size, size_t alignment) {
    CHECK(block != NULL);
    if (block == NULL) return;
    allocated(mine, size);
    CHECK(is_aligned(block, alignment));
    CHECK(malloc_usable_size(block) >= size);
    memset(block, 0x5a, size);
    CHECK(holds(block, 0x5a, size));
    free(block);
    freed(mine, size);
}

static const size_t sizes[] = {0, 1, 8, 24, 510, 511, 512, 4096, 70000, 3000000};

static void plain_calls(account *mine) {
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        use(mine, malloc(sizes[i]), sizes[i], sizeof(void *));
        use(mine, valloc(sizes[i]), sizes[i], (size_t)sysconf(_SC_PAGESIZE));
#ifdef __GLIBC__
        use(mine, pvalloc(sizes[i]), sizes[i], (size_t)sysconf(_SC_PAGESIZE));
#endif
        for (size_t alignment = 16; alignment <= 8192; alignment *= 8) {
            void *block = NULL;
            use(mine, memalign(alignment, sizes[i]), sizes[i], alignment);
            use(mine, aligned_alloc(alignment, sizes[i]), sizes[i], alignment);
            CHECK(posix_memalign(&block, alignment, sizes[i]) == 0);
            use(mine, block, sizes[i], alignment);
        }
    }
    void *both[2] = {malloc(0), malloc(0)};
    CHECK(both[0] != both[1]);
    use(mine, both[0], 0, 1);
    use(mine, both[1], 0, 1);
    errno = 7;
    free(NULL);
    CHECK(errno == 7);
}

static void calloc_calls(account *mine) {
    static const size_t pairs[][2] = {{0, 8}, {8, 0}, {0, 0}, {1, 1}, {7, 73}, {4, 250000}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        size_t size = pairs[i][0] * pairs[i][1];
        unsigned char *dirty = malloc(size); /* so that what comes next has been used before */
        CHECK(dirty != NULL);
        memset(dirty, 0xff, size);
        allocated(mine, size);
        free(dirty);
        freed(mine, size);
        unsigned char *block = calloc(pairs[i][0], pairs[i][1]);
        CHECK(block != NULL && holds(block, 0, size));
        use(mine, block, size, sizeof(void *));
    }
}

static void realloc_calls(account *mine) {
    use(mine, realloc(NULL, 100), 100, sizeof(void *));
    use(mine, reallocarray(NULL, 7, 100), 700, sizeof(void *));
    for (size_t i = 1; i < sizeof sizes / sizeof *sizes; i++) {
        for (size_t j = 1; j < sizeof sizes / sizeof *sizes; j++) {
            size_t from = sizes[i], to = sizes[j];
            unsigned char *block = malloc(from);
            CHECK(block != NULL);
            allocated(mine, from);
            memset(block, (int)(i + j), from);
            block = j % 2 ? realloc(block, to) : reallocarray(block, 1, to);
            CHECK(block != NULL && holds(block, (int)(i + j), from < to ? from : to));
            reallocated(mine, from, to);
            free(block);
            freed(mine, to);
        }
    }
    void *block = malloc(100);
    allocated(mine, 100);
    block = realloc(block, 0); /* the C library's choice: freed, or a block of nothing */
    if (block == NULL) {
        freed(mine, 100);
    } else {
        reallocated(mine, 100, 0);
        free(block);
        freed(mine, 0);
    }
}

#define REFUSED(call)                             \
    do {                                          \
        errno = 0;                                \
        void *refused = (call);                   \
        CHECK(refused == NULL && errno == ENOMEM); \
    } while (0)

/* Unknown to the compiler, which would warn of a block that is used after it was passed to these. */
static void *(*volatile again)(void *, size_t) = realloc;
static void *(*volatile again_array)(void *, size_t, size_t) = reallocarray;

static void failing_calls(account *mine) {
    volatile size_t huge = SIZE_MAX / 2 - 4096, half = (size_t)1 << 33, most = SIZE_MAX;
    REFUSED(malloc(huge));
    REFUSED(calloc(1, huge));
    REFUSED(calloc(half, half));
    REFUSED(calloc(most, 2));
    REFUSED(realloc(NULL, huge));
    REFUSED(reallocarray(NULL, half, half));
    REFUSED(memalign(64, huge));
    REFUSED(aligned_alloc(64, huge));
    REFUSED(valloc(huge));
#ifdef __GLIBC__
    REFUSED(pvalloc(huge));
    REFUSED(pvalloc(most));
#endif
    void *untouched = mine;
    errno = 7;
    CHECK(posix_memalign(&untouched, 64, huge) == ENOMEM && untouched == mine);
    CHECK(posix_memalign(&untouched, 24, 100) == EINVAL && untouched == mine);
    CHECK(posix_memalign(&untouched, 4, 100) == EINVAL && untouched == mine);
    CHECK(posix_memalign(&untouched, 0, 100) == EINVAL && untouched == mine);
    for (size_t size = 50; size < 5000000; size *= 100) { /* the old block stays as it is */
        unsigned char *block = malloc(size);
        CHECK(block != NULL);
        memset(block, 0x3c, size);
        REFUSED(again(block, huge));
        REFUSED(again_array(block, half, half));
        CHECK(holds(block, 0x3c, size));
        use(mine, block, size, sizeof(void *));
    }
}

/* Blocks of random sizes come, grow, shrink and go in a random order. */
static void mixed_calls(account *mine, unsigned seed, int count) {
    enum { SLOTS = 64 };
    struct { unsigned char *block; size_t size; int byte; } slots[SLOTS] = {{0}};
    for (int i = 0; i < count + SLOTS; i++) {
        seed = seed * 1664525u + 1013904223u;
        size_t size = seed >> 29 ? (seed >> 8) % 700 : (seed >> 8) % 40000;
        int at = i < count ? (int)(seed >> 24) % SLOTS : i - count, byte = (int)(seed >> 16) & 255;
        if (slots[at].block == NULL) {
            if (i >= count) continue;
            unsigned char *block = seed & 1024 ? malloc(size) : calloc(size, 1);
            CHECK(block != NULL);
            allocated(mine, size);
            slots[at].block = memset(block, byte, size);
        } else if (i < count && seed & 2048 && size > 0) {
            unsigned char *block = realloc(slots[at].block, size);
            size_t kept = size < slots[at].size ? size : slots[at].size;
            CHECK(block != NULL && holds(block, slots[at].byte, kept));
            reallocated(mine, slots[at].size, size);
            slots[at].block = memset(block, byte, size);
        } else {
            CHECK(holds(slots[at].block, slots[at].byte, slots[at].size));
            free(slots[at].block);
            freed(mine, slots[at].size);
            slots[at].block = NULL;
            continue;
        }
        slots[at].size = size;
        slots[at].byte = byte;
    }
}

/* Everything once, on this thread; adds to the account. */
void family_exercise(account *mine, unsigned seed, int mixed) {
    plain_calls(mine);
    calloc_calls(mine);
    realloc_calls(mine);
    failing_calls(mine);
    mixed_calls(mine, seed, mixed);
}

const char *family_first_failure(void) { return first_failure; }

/* Threads that wait, so that making and ending them can be kept out of what is counted. */
#define MAX_THREADS 16

static struct {
    pthread_t threads[MAX_THREADS];
    account accounts[MAX_THREADS];
    int count, mixed, ending;
    pthread_barrier_t begin, end;
} crew;

static void *member(void *argument) {
    unsigned index = (unsigned)(uintptr_t)argument;
    for (;;) {
        pthread_barrier_wait(&crew.begin);
        if (crew.ending) return NULL;
        family_exercise(&crew.accounts[index], index + 1, crew.mixed);
        pthread_barrier_wait(&crew.end);
    }
}

int family_threads_start(int count) {
    crew.count = count;
    crew.ending = 0;
    pthread_barrier_init(&crew.begin, NULL, (unsigned)count + 1);
    pthread_barrier_init(&crew.end, NULL, (unsigned)count + 1);
    for (int i = 0; i < count; i++)
        if (pthread_create(&crew.threads[i], NULL, member, (void *)(uintptr_t)i) != 0) return -1;
    return 0;
}

/* Everything once on each of them; returns when they all wait again. */
void family_threads_run(account *all, int mixed) {
    crew.mixed = mixed;
    memset(crew.accounts, 0, sizeof crew.accounts);
    pthread_barrier_wait(&crew.begin);
    pthread_barrier_wait(&crew.end);
    memset(all, 0, sizeof *all);
    for (int i = 0; i < crew.count; i++) {
        const account *one = &crew.accounts[i];
        all->allocations += one->allocations;
        all->deallocations += one->deallocations;
        all->reallocations += one->reallocations;
        all->bytes_allocated += one->bytes_allocated;
        all->bytes_deallocated += one->bytes_deallocated;
        all->failed_checks += one->failed_checks;
    }
}

void family_threads_stop(void) {
    crew.ending = 1;
    pthread_barrier_wait(&crew.begin);
    for (int i = 0; i < crew.count; i++) pthread_join(crew.threads[i], NULL);
}

int main(void) {
    account all;
    if (family_threads_start(8) != 0) return 2;
    family_threads_run(&all, 20000);
    family_threads_stop();
    if (first_failure != NULL) fprintf(stderr, "%s\n", first_failure);
    printf("%lld allocated, %lld freed, %lld reallocated\n", (long long)all.allocations,
           (long long)all.deallocations, (long long)all.reallocations);
    return all.failed_checks != 0 || all.bytes_allocated != all.bytes_deallocated;
}
