/* Another malloc, standing in for jemalloc and the like: a heap of its own, the latest freed block of
 * a size handed out first, and blocks of up to 8 bytes aligned to no more than 8, unless
 * TINY_ALIGNMENT says otherwise. Never gives memory back to the system. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#ifndef TINY_ALIGNMENT
#define TINY_ALIGNMENT 8
#endif

#define HEAP_BYTES ((size_t)8 << 30)
#define CLASSES 48
#define MAGIC 0x616c6c6f636d7472u

typedef struct { uint64_t magic; size_t size; } header; /* stands right before a block */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *heap, *at;
static void *freed[CLASSES];
static _Atomic long calls;

long second_malloc_calls(void) { return calls; }

static int size_class(size_t size) {
    int class = 4;
    while (((size_t)1 << class) < size) class++;
    return class;
}

static header *header_of(void *block) {
    header *found = (header *)block - 1;
    if (found->magic != MAGIC) __builtin_trap(); /* a block of somebody else's */
    return found;
}

static void *take(size_t alignment, size_t size) {
    calls++;
    if (size >= HEAP_BYTES) {
        errno = ENOMEM;
        return NULL;
    }
    int tiny = size <= 8 && alignment <= TINY_ALIGNMENT && TINY_ALIGNMENT == 8, class = size_class(size);
    size_t room = ((size_t)1 << class) + (alignment > 16 ? alignment : 16) + 2 * sizeof(header);
    char *block = NULL;
    pthread_mutex_lock(&lock);
    if (heap == NULL) {
        heap = mmap(NULL, HEAP_BYTES, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (heap == MAP_FAILED) __builtin_trap();
        at = heap;
    }
    if (alignment <= 16 && !tiny && freed[class] != NULL) {
        block = freed[class];
        memcpy(&freed[class], block, sizeof(void *));
    } else if (room < (size_t)(heap + HEAP_BYTES - at)) {
        uintptr_t start = (uintptr_t)at + sizeof(header);
        uintptr_t mask = (alignment > 16 ? alignment : 16) - 1;
        block = (char *)(((start + mask) & ~mask) + (tiny ? 8 : 0));
        at += (room + 15) & ~(size_t)15;
    }
    pthread_mutex_unlock(&lock);
    if (block == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    ((header *)block)[-1] = (header){MAGIC, size};
    return block;
}

void *malloc(size_t size) { return take(8, size); }

void *calloc(size_t count, size_t each) {
    size_t size;
    if (__builtin_mul_overflow(count, each, &size)) size = SIZE_MAX;
    void *block = take(8, size);
    return block == NULL ? NULL : memset(block, 0, size);
}

void free(void *block) {
    if (block == NULL) return;
    header *found = header_of(block);
    int class = size_class(found->size);
    found->magic = 0;
    if (((uintptr_t)block & 15) != 0) return;
    pthread_mutex_lock(&lock);
    memcpy(block, &freed[class], sizeof(void *));
    freed[class] = block;
    pthread_mutex_unlock(&lock);
}

void *realloc(void *block, size_t size) {
    void *moved = take(8, size);
    if (moved == NULL || block == NULL) return moved;
    size_t old = header_of(block)->size;
    memcpy(moved, block, old < size ? old : size);
    free(block);
    return moved;
}

void *memalign(size_t alignment, size_t size) { return take(alignment, size); }
void *aligned_alloc(size_t alignment, size_t size) { return take(alignment, size); }
void *valloc(size_t size) { return take(4096, size); }
void *pvalloc(size_t size) { return take(4096, size); }

int posix_memalign(void **block, size_t alignment, size_t size) {
    if (alignment < sizeof(void *) || (alignment & (alignment - 1)) != 0) return EINVAL;
    void *taken = take(alignment, size);
    if (taken == NULL) return ENOMEM;
    *block = taken;
    return 0;
}

size_t malloc_usable_size(void *block) { return block == NULL ? 0 : header_of(block)->size; }
