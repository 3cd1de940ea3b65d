/* The contract between the preload library and the native core.
 *
 * The preload library stands before the C library in a process started with LD_PRELOAD. It knows
 * nothing of Python, so that it does no harm in a shell or a compiler that inherits the variable: it
 * passes every call of the malloc family on. The core, once it is loaded into a Python process of
 * whatever version, finds these functions by name and has the calls passed to itself instead.
 *
 * All three may be called by any thread at any time; none allocates. */
#ifndef AM_PRELOAD_H
#define AM_PRELOAD_H

#include "../platform.h"

#define AM_PRELOAD_VERSION 1

/* Each member behaves as the function of its name. reallocarray is not among them: it is realloc
 * after a multiplication. */
typedef struct {
    void *(*malloc)(size_t size);
    void *(*calloc)(size_t count, size_t each);
    void *(*realloc)(void *block, size_t size);
    void (*free)(void *block);
    void *(*memalign)(size_t alignment, size_t size);
    void *(*aligned_alloc)(size_t alignment, size_t size);
    int (*posix_memalign)(void **block, size_t alignment, size_t size);
    void *(*valloc)(size_t size);
    void *(*pvalloc)(size_t size);
} am_malloc_family;

/* To be compared before anything else is called. */
AM_API uint32_t am_preload_version(void);

/* The functions that come after the preload library, usually the C library's. Never changes. */
AM_API const am_malloc_family *am_preload_below(void);

/* From now on passes calls to `family`, which must stay valid for ever, or, if NULL, to the
 * functions below again. A call that is under way may still end in the family of before. */
AM_API void am_preload_connect(const am_malloc_family *family);

#endif
