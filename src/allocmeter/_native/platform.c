#define _DEFAULT_SOURCE
#if defined(__APPLE__)
#define _DARWIN_C_SOURCE
#endif
#include "platform.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif
#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif

void *am_reserve(size_t bytes) {
    void *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) return NULL;
#ifdef MADV_NOHUGEPAGE
    /* Sparse tables: a huge page would make 2 MiB resident for the first entry touched. */
    (void)madvise(start, bytes, MADV_NOHUGEPAGE);
#endif
    return start;
}

size_t am_address_space(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return SIZE_MAX;
    return (size_t)limit.rlim_cur;
}

uint32_t am_coarse_time(void) {
#ifdef CLOCK_MONOTONIC_COARSE
    const clockid_t clock = CLOCK_MONOTONIC_COARSE; /* to a few milliseconds, without a system call */
#else
    const clockid_t clock = CLOCK_MONOTONIC;
#endif
    struct timespec now = {0, 0};
    (void)clock_gettime(clock, &now);
    return (uint32_t)(now.tv_sec * 10 + now.tv_nsec / 100000000) + 1;
}

void am_unreserve(void *start, size_t bytes) { (void)munmap(start, bytes); }
