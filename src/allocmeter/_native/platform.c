#define _DEFAULT_SOURCE
#if defined(__APPLE__)
#define _DARWIN_C_SOURCE
#endif
#include "platform.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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

#if defined(__APPLE__)
typedef char am_page_state;
#else
typedef unsigned char am_page_state;
#endif

enum { PAGES_AT_ONCE = 16384, GROUP = 64 };

/* Most of a sparse table is not there, and passed over in groups. */
static int64_t resident_pages(const am_page_state *pages, size_t count) {
    static const am_page_state none[GROUP];
    int64_t resident = 0;
    for (size_t at = 0; at < count; at += GROUP) {
        const size_t group = count - at < GROUP ? count - at : GROUP;
        if (memcmp(pages + at, none, group) == 0) continue;
        for (size_t i = 0; i < group; i++) resident += pages[at + i] & 1;
    }
    return resident;
}

int64_t am_resident_bytes(void *start, size_t bytes) {
    am_page_state pages[PAGES_AT_ONCE];
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), step = sizeof pages * page;
    int64_t resident = 0;
    for (size_t at = 0; at < bytes; at += step) {
        const size_t part = bytes - at < step ? bytes - at : step;
        if (mincore((char *)start + at, part, pages) != 0) return -1;
        resident += resident_pages(pages, part / page) * (int64_t)page;
    }
    return resident;
}

size_t am_address_space(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return SIZE_MAX;
    return (size_t)limit.rlim_cur;
}

int am_reserves_freely(void) {
    char accounting = '0';
    int file = open("/proc/sys/vm/overcommit_memory", O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        if (read(file, &accounting, 1) != 1) accounting = '0';
        (void)close(file);
    }
    return accounting != '2' && am_address_space() == SIZE_MAX;
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
