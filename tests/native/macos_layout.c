/* Compiled for macOS only, and never run: the stand-in is like what Apple's headers declare. */
#include <mach/mach.h>
#include <malloc/malloc.h>

#include "macos_stand_in.h"

#define SAME_MEMBER(a, b, member) \
    _Static_assert(offsetof(a, member) == offsetof(b, member) && \
                       sizeof(((a *)0)->member) == sizeof(((b *)0)->member), #member)
#define SAME_INFO(member) SAME_MEMBER(stand_in_basic_info, mach_task_basic_info_data_t, member)
#define SAME_STATISTICS(member) SAME_MEMBER(stand_in_statistics, malloc_statistics_t, member)

SAME_INFO(virtual_size);
SAME_INFO(resident_size);
SAME_INFO(resident_size_max);
SAME_INFO(user_time);
SAME_INFO(system_time);
SAME_INFO(policy);
SAME_INFO(suspend_count);
_Static_assert(sizeof(stand_in_basic_info) == sizeof(mach_task_basic_info_data_t), "size");
_Static_assert(sizeof(stand_in_basic_info) / 4 == MACH_TASK_BASIC_INFO_COUNT, "count");
_Static_assert(STAND_IN_BASIC_INFO == MACH_TASK_BASIC_INFO, "flavor");
_Static_assert(STAND_IN_SUCCESS == KERN_SUCCESS, "success");
_Static_assert(STAND_IN_INVALID_ARGUMENT == KERN_INVALID_ARGUMENT, "invalid argument");

SAME_STATISTICS(blocks_in_use);
SAME_STATISTICS(size_in_use);
SAME_STATISTICS(max_size_in_use);
SAME_STATISTICS(size_allocated);
_Static_assert(sizeof(stand_in_statistics) == sizeof(malloc_statistics_t), "size");

/* The kinds of the arguments: these do not compile if a type differs. */
int (*const info)(uint32_t, uint32_t, int *, uint32_t *) = task_info;
uint32_t *const self = &mach_task_self_;

/* malloc/malloc.h leaves the declaration out for some users. */
extern void malloc_zone_statistics(malloc_zone_t *zone, malloc_statistics_t *stats);
void (*const statistics)(malloc_zone_t *, malloc_statistics_t *) = malloc_zone_statistics;
