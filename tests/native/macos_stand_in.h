/* What Apple's headers declare of the functions that the macOS back end calls, written down anew
 * with names of its own, so that it can stand beside those headers: macos_layout.c compares the
 * two. */
#ifndef MACOS_STAND_IN_H
#define MACOS_STAND_IN_H

#include <stddef.h>
#include <stdint.h>

enum { STAND_IN_SUCCESS = 0, STAND_IN_INVALID_ARGUMENT = 4, STAND_IN_BASIC_INFO = 20 };

#pragma pack(push, 4)
typedef struct {
    uint64_t virtual_size;
    uint64_t resident_size;
    uint64_t resident_size_max;
    struct {
        int seconds, microseconds;
    } user_time, system_time;
    int policy;
    int suspend_count;
} stand_in_basic_info;
#pragma pack(pop)

typedef struct {
    unsigned blocks_in_use;
    size_t size_in_use;
    size_t max_size_in_use;
    size_t size_allocated;
} stand_in_statistics;

#endif
