/* The macOS functions that read the memory of a process, with figures that a test sets. Members
 * that nobody should read hold other figures, and wrong arguments are refused as the kernel
 * does. */
#include <string.h>

#include "macos_stand_in.h"

uint32_t mach_task_self_ = 0x103;

static uint64_t resident, resident_max;
static size_t in_use;
static uint32_t own_task = 0x103;

void stand_in_set(uint64_t new_resident, uint64_t new_resident_max, size_t new_in_use);
void stand_in_fork(void);
int task_info(uint32_t task, uint32_t flavor, int *out, uint32_t *count);
void malloc_zone_statistics(void *zone, stand_in_statistics *out);

void stand_in_set(uint64_t new_resident, uint64_t new_resident_max, size_t new_in_use) {
    resident = new_resident;
    resident_max = new_resident_max;
    in_use = new_in_use;
}

/* A forked child has another task, and libSystem gives it another name. */
void stand_in_fork(void) { mach_task_self_ = own_task = 0x2407; }

int task_info(uint32_t task, uint32_t flavor, int *out, uint32_t *count) {
    const uint32_t words = sizeof(stand_in_basic_info) / sizeof(uint32_t);
    stand_in_basic_info info;
    if (task != own_task || flavor != STAND_IN_BASIC_INFO || *count < words)
        return STAND_IN_INVALID_ARGUMENT;
    memset(&info, 0x5A, sizeof info);
    info.resident_size = resident;
    info.resident_size_max = resident_max;
    memcpy(out, &info, sizeof info);
    *count = words;
    return STAND_IN_SUCCESS;
}

void malloc_zone_statistics(void *zone, stand_in_statistics *out) {
    memset(out, 0x5A, sizeof *out);
    /* Of a single zone, the test has no figure. */
    if (zone == NULL) out->size_in_use = in_use;
}
