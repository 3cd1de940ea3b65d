/* Interposes the malloc family: see preload.h. Linux only, glibc and musl. */
#define _GNU_SOURCE
#include "preload.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* -- before the real functions are known --------------------------------------------------------
 *
 * The loader may allocate before it has found the functions below, and finding them may allocate as
 * well. Such blocks come from a small arena and are never given back; each has its size before it. */

#define ARENA_BYTES (64 * 1024)
#define HEADER 16

static _Alignas(HEADER) char arena[ARENA_BYTES];
static _Atomic size_t arena_used;

static int in_arena(const void *block) {
    return (uintptr_t)block - (uintptr_t)arena < ARENA_BYTES;
}

static void *arena_take(size_t alignment, size_t size) {
    if (alignment < HEADER) alignment = HEADER;
    if (size > ARENA_BYTES || alignment > ARENA_BYTES) {
        errno = ENOMEM;
        return NULL;
    }
    size_t room = HEADER + alignment + ((size + HEADER - 1) & ~(size_t)(HEADER - 1));
    size_t start = room <= ARENA_BYTES ? atomic_fetch_add(&arena_used, room) : ARENA_BYTES;
    if (room > ARENA_BYTES || start > ARENA_BYTES - room) {
        errno = ENOMEM;
        return NULL;
    }
    uintptr_t block = ((uintptr_t)arena + start + HEADER + alignment - 1) & ~(alignment - 1);
    memcpy((char *)block - HEADER, &size, sizeof size);
    return (void *)block; /* zeroed: it was never used before */
}

static size_t arena_size(const void *block) {
    size_t size;
    memcpy(&size, (const char *)block - HEADER, sizeof size);
    return size;
}

/* -- finding the real functions ----------------------------------------------------------------- */

static am_malloc_family below;
static const am_malloc_family *_Atomic connected;
static AM_THREAD_LOCAL int resolving;

/* The realloc that the program calls: another library's, where one stands before ours. By its name
 * alone we might call our own, as Debian has Python's libraries linked (-Bsymbolic-functions). */
static void *(*outermost_realloc)(void *block, size_t size);

static void find_from(void *place, const char *name, void *function) {
    void *symbol = dlsym(place, name);
    memcpy(function, &symbol, sizeof symbol);
}

static void find(const char *name, void *function) { find_from(RTLD_NEXT, name, function); }

/* Not every C library has this one. */
static void *pvalloc_missing(size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (size > SIZE_MAX - page) {
        errno = ENOMEM;
        return NULL;
    }
    return below.memalign(page, (size + page - 1) & ~(page - 1));
}

static am_malloc_family found(void) {
    am_malloc_family family;
    find("malloc", &family.malloc);
    find("calloc", &family.calloc);
    find("realloc", &family.realloc);
    find("free", &family.free);
    find("memalign", &family.memalign);
    find("aligned_alloc", &family.aligned_alloc);
    find("posix_memalign", &family.posix_memalign);
    find("valloc", &family.valloc);
    find("pvalloc", &family.pvalloc);
    if (family.pvalloc == NULL) family.pvalloc = pvalloc_missing;
    return family;
}

/* Threads may come here side by side before the first has published what it found. */
static const am_malloc_family *resolve(void) {
    static atomic_flag claimed = ATOMIC_FLAG_INIT;
    if (resolving) return NULL;
    resolving = 1;
    am_malloc_family family = found();
    void *(*outermost)(void *block, size_t size);
    find_from(RTLD_DEFAULT, "realloc", &outermost);
    resolving = 0;
    const am_malloc_family *none = NULL;
    if (!atomic_flag_test_and_set(&claimed)) {
        below = family;
        outermost_realloc = outermost;
        atomic_compare_exchange_strong(&connected, &none, &below);
    }
    while ((none = atomic_load_explicit(&connected, memory_order_acquire)) == NULL) sched_yield();
    return none;
}

/* What calls are passed to; NULL while this thread is looking for it. */
static inline const am_malloc_family *next(void) {
    const am_malloc_family *family = atomic_load_explicit(&connected, memory_order_acquire);
    return AM_LIKELY(family != NULL) ? family : resolve();
}

/* While the program has one thread still, if the loader has not come here before. */
__attribute__((constructor)) static void resolve_early(void) { (void)next(); }

uint32_t am_preload_version(void) { return AM_PRELOAD_VERSION; }

const am_malloc_family *am_preload_below(void) {
    (void)next();
    return &below;
}

void am_preload_connect(const am_malloc_family *family) {
    (void)next();
    atomic_store_explicit(&connected, family != NULL ? family : &below, memory_order_release);
}

/* -- the family ---------------------------------------------------------------------------------- */

AM_API void *malloc(size_t size) {
    const am_malloc_family *family = next();
    return AM_LIKELY(family != NULL) ? family->malloc(size) : arena_take(0, size);
}

AM_API void *calloc(size_t count, size_t each) {
    const am_malloc_family *family = next();
    if (AM_LIKELY(family != NULL)) return family->calloc(count, each);
    size_t size;
    if (__builtin_mul_overflow(count, each, &size)) size = SIZE_MAX;
    return arena_take(0, size);
}

AM_API void free(void *block) {
    if (AM_UNLIKELY(in_arena(block))) return;
    const am_malloc_family *family = next();
    if (AM_LIKELY(family != NULL)) family->free(block);
}

static void *arena_realloc(void *block, size_t size) {
    const am_malloc_family *family = next();
    void *moved = family != NULL ? family->malloc(size) : arena_take(0, size);
    if (moved == NULL || block == NULL) return moved;
    size_t old = arena_size(block);
    return memcpy(moved, block, old < size ? old : size);
}

AM_API void *realloc(void *block, size_t size) {
    const am_malloc_family *family = next();
    if (AM_UNLIKELY(family == NULL || in_arena(block))) return arena_realloc(block, size);
    return family->realloc(block, size);
}

AM_API void *reallocarray(void *block, size_t count, size_t each) {
    size_t size;
    if (__builtin_mul_overflow(count, each, &size)) {
        errno = ENOMEM;
        return NULL;
    }
    return AM_LIKELY(next() != NULL) ? outermost_realloc(block, size) : arena_realloc(block, size);
}

AM_API void *memalign(size_t alignment, size_t size) {
    const am_malloc_family *family = next();
    return AM_LIKELY(family != NULL) ? family->memalign(alignment, size)
                                     : arena_take(alignment, size);
}

AM_API void *aligned_alloc(size_t alignment, size_t size) {
    const am_malloc_family *family = next();
    return AM_LIKELY(family != NULL) ? family->aligned_alloc(alignment, size)
                                     : arena_take(alignment, size);
}

AM_API int posix_memalign(void **block, size_t alignment, size_t size) {
    const am_malloc_family *family = next();
    if (AM_LIKELY(family != NULL)) return family->posix_memalign(block, alignment, size);
    void *taken = arena_take(alignment, size);
    if (taken == NULL) return ENOMEM;
    *block = taken;
    return 0;
}

AM_API void *valloc(size_t size) {
    const am_malloc_family *family = next();
    return AM_LIKELY(family != NULL) ? family->valloc(size)
                                     : arena_take((size_t)sysconf(_SC_PAGESIZE), size);
}

AM_API void *pvalloc(size_t size) {
    const am_malloc_family *family = next();
    return AM_LIKELY(family != NULL) ? family->pvalloc(size)
                                     : arena_take((size_t)sysconf(_SC_PAGESIZE), size);
}
