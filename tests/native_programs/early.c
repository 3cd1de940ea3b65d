/* A library that allocates as early and as late as code can: in a constructor, in a destructor of
 * its own, and in the destructors of a thread's data. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 100 };

static void *blocks[BLOCKS];
static pthread_key_t key;
static int rounds_left = 3; /* PTHREAD_DESTRUCTOR_ITERATIONS allows four */

static int is_zero(const char *block, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (block[i] != 0) return 0;
    return 1;
}

static void at_thread_end(void *block) {
    free(block);
    free(aligned_alloc(64, 640));
    if (rounds_left-- > 0) pthread_setspecific(key, malloc(1000));
}

__attribute__((constructor)) static void begin(void) {
    for (int i = 0; i < BLOCKS; i++) {
        size_t size = (size_t)i * 50 + 1;
        char *block = calloc(1, size);
        if (block == NULL || !is_zero(block, size)) abort();
        memset(block, 'e', size);
        if (i % 3 == 1) block = realloc(block, size * 10);
        if (i % 3 == 2) {
            free(block);
            if (dlsym(RTLD_DEFAULT, "there is no such symbol") != NULL) abort();
            if (posix_memalign((void **)&block, 128, size) != 0) abort();
            memset(block, 'e', size);
        }
        if (block[size - 1] != 'e') abort();
        blocks[i] = block;
    }
    if (pthread_key_create(&key, at_thread_end) != 0) abort();
}

/* Has the calling thread allocate when it ends. */
void early_mark_thread(void) { pthread_setspecific(key, malloc(1000)); }

/* Blocks from the constructor live on. */
void *early_take(int index) {
    void *block = blocks[index];
    blocks[index] = NULL;
    return block;
}

static void *thread(void *unused) {
    early_mark_thread();
    return unused;
}

int early_run_thread(void) {
    pthread_t made;
    return pthread_create(&made, NULL, thread, NULL) || pthread_join(made, NULL);
}

__attribute__((destructor)) static void end(void) {
    for (int i = 0; i < BLOCKS; i++) free(realloc(blocks[i], 5000));
}
