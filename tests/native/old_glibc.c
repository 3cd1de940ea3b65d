/* A C library that has `mallinfo` and not yet `mallinfo2`, with a figure that a test sets. */
#include <stddef.h>

struct mallinfo {
    int arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};

static size_t in_arenas, mapped;
static char block[1 << 16];

void old_glibc_set(size_t new_in_arenas, size_t new_mapped);
struct mallinfo mallinfo(void);
void *malloc(size_t size);
void free(void *address);

void old_glibc_set(size_t new_in_arenas, size_t new_mapped) {
    in_arenas = new_in_arenas;
    mapped = new_mapped;
}

struct mallinfo mallinfo(void) {
    struct mallinfo info = {-1, -1, -1, -1, (int)mapped, -1, -1, (int)in_arenas, -1, -1};
    return info;
}

void *malloc(size_t size) {
    if (size > sizeof block) return NULL;
    in_arenas += sizeof block;
    return block;
}

void free(void *address) {
    if (address != NULL) in_arenas -= sizeof block;
}
