/* What differs between compilers and systems, in one place. */
#ifndef AM_PLATFORM_H
#define AM_PLATFORM_H

#include <stddef.h>
#include <stdint.h>

#define AM_API __attribute__((visibility("default")))
/* For a variable of ours that the hooks look at: without it the compiler would have the linker find
 * the variable's address, one instruction more for each look. */
#define AM_OURS extern __attribute__((visibility("hidden")))
#define AM_LIKELY(x) __builtin_expect(!!(x), 1)
#define AM_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define AM_COLD __attribute__((cold, noinline))
/* For the few steps that every allocation takes: a call costs as much as they do. */
#define AM_HOT static inline __attribute__((always_inline))
#define AM_SELDOM __attribute__((noinline))

/* The initial-exec model reads a thread's state without a call. The dynamic model would allocate
 * on a thread's first access, inside the very allocator we stand in. Only glibc grants a library
 * that is opened late a place in the static block; elsewhere the default model is right. */
#if defined(__GLIBC__)
#define AM_THREAD_LOCAL __thread __attribute__((tls_model("initial-exec")))
#else
#define AM_THREAD_LOCAL __thread
#endif

/* Address space without memory behind it: pages cost nothing until they are touched. NULL when the
 * system refuses. Never called from a signal handler; never returns memory twice. */
void *am_reserve(size_t bytes);

/* How much address space a process may have; SIZE_MAX without a limit. */
size_t am_address_space(void);

/* Whether it may also reserve gigabytes that it never touches: there is no limit, and the system does
 * not count them as memory. */
int am_reserves_freely(void);

/* Tenths of a second since some moment before the process began; never 0, never less than before. */
uint32_t am_coarse_time(void);

/* How much of it is resident, in bytes; -1 if the system does not say. */
int64_t am_resident_bytes(void *start, size_t bytes);

/* Gives back what am_reserve returned. */
void am_unreserve(void *start, size_t bytes);

#endif
