#define _GNU_SOURCE
#include "recording.h"

#include <dlfcn.h>
#include <stdlib.h>

#include "malloc.h"
#include "preload/preload.h"

/* The functions below the hooks: written once, before the hooks are connected. */
static am_malloc_family below;

static inline void record(const void *block, size_t size, uint32_t node, int exclusive) {
    am_record(block, node, AM_NATIVE_DOMAIN, (int64_t)size, exclusive);
}

/* The call below may pass through the family again, where it must not be counted again. Where
 * nothing is to be recorded, that call comes to the same answer by itself. */
#define RECORD_NEW(block, size, call)                                          \
    do {                                                                       \
        int exclusive;                                                         \
        uint32_t node = am_recorded_node(0, &exclusive);                       \
        if (node == AM_NONE) return (call);                                    \
        const PyThreadState *state = am_mute();                                \
        (block) = (call);                                                      \
        am_unmute(state);                                                      \
        if (AM_LIKELY((block) != NULL)) record(block, size, node, exclusive);  \
        am_recorded(node, exclusive);                                          \
        return block;                                                          \
    } while (0)

/* The ledger tells blocks apart that begin 16 bytes apart. Those of the C library do; jemalloc and
 * others put blocks of up to 8 bytes closer together, unless they are asked for more. */
#define APART 16

static inline size_t apart(size_t size) { return size < APART ? APART : size; }

static void *native_malloc(size_t size) {
    void *block;
    RECORD_NEW(block, size, below.malloc(apart(size)));
}

static void *native_calloc(size_t count, size_t each) {
    void *block;
    size_t size;
    if (AM_UNLIKELY(__builtin_mul_overflow(count, each, &size))) return below.calloc(count, each);
    RECORD_NEW(block, size, below.calloc(1, apart(size)));
}

static void *native_memalign(size_t alignment, size_t size) {
    void *block;
    RECORD_NEW(block, size, below.memalign(alignment, apart(size)));
}

static void *native_aligned_alloc(size_t alignment, size_t size) {
    void *block;
    RECORD_NEW(block, size, below.aligned_alloc(alignment, apart(size)));
}

static void *native_valloc(size_t size) {
    void *block;
    RECORD_NEW(block, size, below.valloc(size));
}

static void *native_pvalloc(size_t size) {
    void *block;
    RECORD_NEW(block, size, below.pvalloc(size));
}

static int native_posix_memalign(void **block, size_t alignment, size_t size) {
    int exclusive;
    uint32_t node = am_recorded_node(0, &exclusive);
    if (node == AM_NONE) return below.posix_memalign(block, alignment, apart(size));
    const PyThreadState *state = am_mute();
    int error = below.posix_memalign(block, alignment, apart(size));
    am_unmute(state);
    if (AM_LIKELY(error == 0 && *block != NULL)) record(*block, size, node, exclusive);
    am_recorded(node, exclusive);
    return error;
}

static void *native_realloc(void *block, size_t size) {
    if (block == NULL) return native_malloc(size);
    int exclusive;
    uint32_t node = am_recorded_node(0, &exclusive);
    am_owner old = am_ledger_take(block);
    const size_t wanted = size == 0 ? 0 : apart(size);
    if (node == AM_NONE && old.node == AM_NONE) return below.realloc(block, wanted);
    if (node == AM_NONE) exclusive = am_free_is_exclusive(0);
    const PyThreadState *state = am_mute();
    void *moved = below.realloc(block, wanted);
    am_unmute(state);
    if (AM_UNLIKELY(moved == NULL && size != 0)) {
        am_record_restore(block, old);
        am_recorded(node, exclusive);
        return NULL;
    }
    if (old.node != AM_NONE) am_record_credit(old, exclusive);
    /* No new block where a size of 0 has freed the old one. */
    if (node != AM_NONE && moved != NULL) {
        record(moved, size, node, exclusive);
        am_record_reallocation(node, AM_NATIVE_DOMAIN, exclusive);
    }
    am_recorded(node, exclusive);
    return moved;
}

static void native_free(void *block) {
    if (block == NULL) return;
    am_owner owner = am_ledger_take(block);
    if (owner.node != AM_NONE) am_record_credit(owner, am_free_is_exclusive(0));
    below.free(block);
}

static const am_malloc_family hooks = {
    .malloc = native_malloc,
    .calloc = native_calloc,
    .realloc = native_realloc,
    .free = native_free,
    .memalign = native_memalign,
    .aligned_alloc = native_aligned_alloc,
    .posix_memalign = native_posix_memalign,
    .valloc = native_valloc,
    .pvalloc = native_pvalloc,
};

/* The preload library is in the process's global scope, or not there at all. */
static void *preloaded(const char *name) { return dlsym(RTLD_DEFAULT, name); }

#define PRELOADED(type, name) ((type)(uintptr_t)preloaded(name))

typedef uint32_t version_function(void);
typedef const am_malloc_family *below_function(void);
typedef void connect_function(const am_malloc_family *);

static int preload_state(void) {
    version_function *version = PRELOADED(version_function *, "am_preload_version");
    if (version == NULL) return AM_NATIVE_ABSENT;
    return version() == AM_PRELOAD_VERSION ? AM_NATIVE_READY : AM_NATIVE_MISMATCHED;
}

static void connect_to(const am_malloc_family *family) {
    PRELOADED(connect_function *, "am_preload_connect")(family);
    if (family != NULL) atomic_fetch_or(&am_active.foreign, AM_NATIVE_CONNECTED);
    else atomic_fetch_and(&am_active.foreign, ~AM_NATIVE_CONNECTED);
}

void am_native_connect(void) {
    if (am_native_is_connected() || preload_state() != AM_NATIVE_READY) return;
    /* Once: a call may still be under way from the last time. */
    if (below.malloc == NULL) below = *PRELOADED(below_function *, "am_preload_below")();
    connect_to(&hooks);
}

void am_native_disconnect(void) {
    if (am_native_is_connected()) connect_to(NULL);
}

static int reached(void) {
    void *(*volatile allocate)(size_t) = malloc; /* or the compiler would leave the pair out */
    am_own_begin();
    uint64_t before = am_own_watch();
    free(allocate(1));
    uint64_t calls = am_own_watched(before);
    am_own_end();
    return calls != 0;
}

int am_native_state(void) {
    if (!am_native_is_connected()) return preload_state();
    return reached() ? AM_NATIVE_SEEN : AM_NATIVE_BYPASSED;
}
