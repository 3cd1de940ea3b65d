/* The preload library before it knows the functions below: it is part of this program, and its
 * dlsym calls the malloc family in the most awkward way. Built with -I to the core's sources. */
#define dlsym look_up
#include "preload/preload.c"
#undef dlsym

#include <stdio.h>

void *dlsym(void *restrict, const char *restrict);

static const char *failure;
static void *survivor;

#define CHECK(what) (failure == NULL && !(what) ? (void)(failure = #what) : (void)0)

static int is_inside(const void *block, size_t size) {
    return in_arena(block) && (const char *)block + size <= arena + ARENA_BYTES;
}

static int is_zero(const char *block, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (block[i] != 0) return 0;
    return 1;
}

static void allocate_awkwardly(void) {
    const size_t too_much[] = {ARENA_BYTES - 31, ARENA_BYTES - 16, ARENA_BYTES, ARENA_BYTES + 1,
                               SIZE_MAX / 2, SIZE_MAX};
    for (size_t i = 0; i < sizeof too_much / sizeof *too_much; i++) {
        errno = 0;
        CHECK(malloc(too_much[i]) == NULL && errno == ENOMEM);
        CHECK(calloc(1, too_much[i]) == NULL && errno == ENOMEM);
        CHECK(aligned_alloc(64, too_much[i]) == NULL);
    }
    volatile size_t many = SIZE_MAX / 2; /* or the compiler would warn */
    CHECK(calloc(many, 4) == NULL && errno == ENOMEM);
    CHECK(memalign(2 * ARENA_BYTES, 1) == NULL && errno == ENOMEM);
    for (size_t size = 0; size < 3000; size = size * 2 + 1) {
        char *first = malloc(size), *second = calloc(3, size), *third = NULL;
        CHECK(is_inside(first, size) && is_inside(second, 3 * size) && first != second);
        CHECK(((uintptr_t)first & 15) == 0 && is_zero(second, 3 * size));
        memset(first, 'f', size);
        first = realloc(first, size + 100);
        CHECK(is_inside(first, size + 100) && (size == 0 || first[size - 1] == 'f'));
        CHECK(posix_memalign((void **)&third, 256, size) == 0 && is_inside(third, size));
        CHECK(((uintptr_t)third & 255) == 0);
        free(first);
        free(second);
        free(third);
    }
    survivor = memset(malloc(300), 's', 300);
    for (int i = 0; i < 100; i++) { /* until nothing is left, and beyond */
        char *block = malloc(3000);
        CHECK(block == NULL || is_inside(block, 3000));
    }
    CHECK(malloc(3000) == NULL);
}

void *look_up(void *handle, const char *name) {
    static int done;
    if (!done++) allocate_awkwardly();
    return dlsym(handle, name);
}

int main(void) {
    free(malloc(100));
    CHECK(survivor != NULL);
    char *moved = realloc(survivor, 500);
    CHECK(moved != NULL && !in_arena(moved) && moved[0] == 's' && moved[299] == 's');
    free(moved);
    free(survivor); /* from the arena: nothing happens */
    if (failure != NULL) fprintf(stderr, "%s\n", failure);
    return failure != NULL;
}
