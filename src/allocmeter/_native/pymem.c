#include "recording.h"

#include <string.h>

#include "allocators.h"
#include "malloc.h"

/* The allocators below ours. A new layer is made at each installation and never written again: a
 * thread inside a hook may still be reading the one before. */
typedef struct {
    PyMemAllocatorEx raw, mem, obj;
} layer_t;

#define MAX_LAYERS 64

static layer_t layers[MAX_LAYERS];
static unsigned layer_count;
static const layer_t *_Atomic layer; /* the one in use */

_Atomic unsigned am_hooks_gaps;
int am_hooks_wanted;
unsigned am_hooks_losses;
void (*am_hooks_on_loss)(void);

AM_HOT void record(const void *block, size_t size, uint32_t node, int exclusive) {
    am_record(block, node, AM_PYTHON_DOMAIN, (int64_t)size, exclusive);
}

/* Each function that follows first does what nearly every call needs, or says that this is not such
 * a call to the second half of it, which knows every case. */

/* The obj and mem domains may pass a call on to raw, where it must not be counted again. Where
 * nothing is to be recorded that domain comes to the same answer by itself, unless this thread is
 * not attached: raw could not tell then whose work it is. */
static AM_SELDOM void *allocate_anyhow(const PyMemAllocatorEx *below, size_t size, int raw) {
    if (am_thread.state == AM_MUTED) return below->malloc(below->ctx, size);
    int exclusive;
    uint32_t node = am_recorded_node(!raw, &exclusive);
    if (node == AM_NONE && AM_LIKELY(exclusive)) return below->malloc(below->ctx, size);
    const PyThreadState *state = am_mute();
    void *block = below->malloc(below->ctx, size);
    am_unmute(state);
    if (AM_LIKELY(block != NULL && node != AM_NONE)) record(block, size, node, exclusive);
    am_recorded(node, exclusive);
    return block;
}

/* The allocator below ours of one domain, which is told by its place in a layer. */
AM_HOT const PyMemAllocatorEx *allocator_at(size_t at) {
    const layer_t *below = atomic_load_explicit(&layer, memory_order_acquire);
    return (const PyMemAllocatorEx *)((const char *)below + at);
}

static AM_SELDOM void *recorded_anyhow(void *block, size_t size) {
    if (AM_LIKELY(block != NULL)) record(block, size, am_thread.node, 1);
    return block;
}

/* Little is needed again after the call of the allocator below, so that little has to be saved. */
AM_HOT void *allocate_listening(size_t at, size_t size, int raw) {
    const PyThreadState *state = am_thread_state();
    const PyMemAllocatorEx *below = allocator_at(at);
    int known = am_is_remembered(state) || (!raw && am_catch_up(state));
    if (AM_UNLIKELY(!known || *am_collecting)) return allocate_anyhow(below, size, raw);
    if (am_thread.node == AM_ROOT && !am_records_root()) return below->malloc(below->ctx, size);
    (void)am_mute();
    void *block = below->malloc(below->ctx, size);
    am_unmute(state);
    return AM_LIKELY(am_record_small(block, size, am_thread.node)) ? block
                                                                   : recorded_anyhow(block, size);
}

static AM_SELDOM void *allocate_zeroed_anyhow(const PyMemAllocatorEx *below, size_t count,
                                              size_t each, int raw) {
    if (am_thread.state == AM_MUTED) return below->calloc(below->ctx, count, each);
    int exclusive;
    uint32_t node = am_recorded_node(!raw, &exclusive);
    if (node == AM_NONE && AM_LIKELY(exclusive)) return below->calloc(below->ctx, count, each);
    const PyThreadState *state = am_mute();
    void *block = below->calloc(below->ctx, count, each);
    am_unmute(state);
    if (AM_LIKELY(block != NULL && node != AM_NONE))
        record(block, count * each, node, exclusive);
    am_recorded(node, exclusive);
    return block;
}

AM_HOT void *allocate_zeroed(size_t at, size_t count, size_t each, int raw) {
    const PyThreadState *state = am_thread_state();
    const PyMemAllocatorEx *below = allocator_at(at);
    if (AM_UNLIKELY(!am_is_remembered(state) || *am_collecting))
        return allocate_zeroed_anyhow(below, count, each, raw);
    if (am_thread.node == AM_ROOT && !am_records_root())
        return below->calloc(below->ctx, count, each);
    (void)am_mute();
    void *block = below->calloc(below->ctx, count, each);
    am_unmute(state);
    return AM_LIKELY(am_record_small(block, count * each, am_thread.node))
               ? block
               : recorded_anyhow(block, count * each);
}

/* `old` is what the ledger had of the block. */
static AM_SELDOM void *reallocated_anyhow(const void *block, am_owner old, void *moved, size_t size,
                                          uint32_t node, int exclusive) {
    if (AM_UNLIKELY(moved == NULL)) {
        am_record_restore(block, old);
        return NULL;
    }
    if (old.node != AM_NONE) am_record_credit(old, exclusive);
    if (node != AM_NONE) {
        record(moved, size, node, exclusive);
        am_record_reallocation(node, AM_PYTHON_DOMAIN, exclusive);
    }
    return moved;
}

static AM_SELDOM void *reallocate_anyhow(const PyMemAllocatorEx *below, void *block, size_t size,
                                         int raw) {
    int exclusive;
    uint32_t node = am_recorded_node(!raw, &exclusive);
    am_owner old = am_ledger_take(block);
    if (node == AM_NONE && old.node == AM_NONE && AM_LIKELY(exclusive))
        return below->realloc(below->ctx, block, size);
    if (node == AM_NONE) exclusive = am_free_is_exclusive(!raw);
    const PyThreadState *state = am_mute();
    void *moved = below->realloc(below->ctx, block, size);
    am_unmute(state);
    moved = reallocated_anyhow(block, old, moved, size, node, exclusive);
    am_recorded(node, exclusive);
    return moved;
}

AM_HOT void *reallocate(size_t at, void *block, size_t size, int raw) {
    const PyThreadState *state = am_thread_state();
    const PyMemAllocatorEx *below = allocator_at(at);
    if (AM_UNLIKELY(!am_is_remembered(state) || *am_collecting))
        return reallocate_anyhow(below, block, size, raw);
    am_entry *entry = am_ledger_find(block);
    /* No more than a size if all but the size is equal. */
    const uint32_t code = am_ledger_read(entry) ^ am_ledger_code(am_thread.node);
    if (code > AM_SIZE_EXTENDED || (am_thread.node == AM_ROOT && !am_records_root()))
        return reallocate_anyhow(below, block, size, raw);
    const int64_t old = am_ledger_take_known(entry, code, block);
    (void)am_mute();
    void *moved = below->realloc(below->ctx, block, size);
    am_unmute(state);
    const uint32_t node = am_thread.node;
    if (AM_LIKELY(moved != NULL && am_record_moved(moved, (int64_t)size, node, old))) return moved;
    return reallocated_anyhow(block, (am_owner){node, AM_PYTHON_DOMAIN, old}, moved, size, node, 1);
}

/* Whether nothing is recorded of this call, nor of the block: idle, or inside a hook. */
AM_HOT int passes(const void *block) {
    return (am_is_idle() || am_thread.state == AM_MUTED) &&
           am_ledger_read(am_ledger_find(block)) == 0;
}

static AM_SELDOM void release_anyhow(const PyMemAllocatorEx *below, void *block, int raw) {
    am_owner owner = am_ledger_take(block);
    if (owner.node != AM_NONE) am_record_credit(owner, am_free_is_exclusive(!raw));
    if (AM_LIKELY(!am_native_is_connected())) {
        below->free(below->ctx, block);
        return;
    }
    /* tracemalloc, below ours, may ask malloc for a new table when a trace goes. */
    const PyThreadState *state = am_mute();
    below->free(below->ctx, block);
    am_unmute(state);
}

/* Whether the block is off the books, or was never on them. */
AM_HOT int is_released(const void *block, int raw) {
    if (AM_UNLIKELY(!am_is_undisturbed())) return 0;
    am_entry *entry = am_ledger_find(block);
    const uint32_t code = am_ledger_read(entry);
    return code == 0 || (!raw && am_record_free(entry, code));
}

AM_HOT void release(size_t at, void *block, int raw) {
    const int released = is_released(block, raw);
    const PyMemAllocatorEx *below = allocator_at(at);
    if (AM_LIKELY(released)) below->free(below->ctx, block);
    else release_anyhow(below, block, raw);
}

#define BELOW(domain) allocator_at(offsetof(layer_t, domain))

/* `context` is that of the allocator below: see the header. */
#define DEFINE_HOOKS(domain, is_raw)                                                    \
    static AM_SELDOM void *domain##_listening(void *context, size_t size) {             \
        (void)context;                                                                  \
        return allocate_listening(offsetof(layer_t, domain), size, is_raw);             \
    }                                                                                   \
    static void *domain##_malloc(void *context, size_t size) {                          \
        if (!am_is_idle()) return domain##_listening(context, size);                    \
        const PyMemAllocatorEx *below = BELOW(domain);                                  \
        return below->malloc(below->ctx, size);                                         \
    }                                                                                   \
    static AM_SELDOM void *domain##_zeroing(size_t count, size_t each) {                \
        return allocate_zeroed(offsetof(layer_t, domain), count, each, is_raw);         \
    }                                                                                   \
    static void *domain##_calloc(void *context, size_t count, size_t each) {            \
        (void)context;                                                                  \
        if (!am_is_idle()) return domain##_zeroing(count, each);                        \
        const PyMemAllocatorEx *below = BELOW(domain);                                  \
        return below->calloc(below->ctx, count, each);                                  \
    }                                                                                   \
    static AM_SELDOM void *domain##_reallocating(void *block, size_t size) {            \
        return reallocate(offsetof(layer_t, domain), block, size, is_raw);              \
    }                                                                                   \
    static void *domain##_realloc(void *context, void *block, size_t size) {            \
        if (block == NULL) return domain##_malloc(context, size);                       \
        if (!passes(block)) return domain##_reallocating(block, size);                  \
        const PyMemAllocatorEx *below = BELOW(domain);                                  \
        return below->realloc(below->ctx, block, size);                                 \
    }                                                                                   \
    static void domain##_free(void *context, void *block) {                             \
        (void)context;                                                                  \
        release(offsetof(layer_t, domain), block, is_raw);                              \
    }                                                                                   \
    static PyMemAllocatorEx domain##_hooks(const PyMemAllocatorEx *below) {             \
        return (PyMemAllocatorEx){below->ctx, domain##_malloc, domain##_calloc,         \
                                  domain##_realloc, domain##_free};                     \
    }

DEFINE_HOOKS(raw, 1)
DEFINE_HOOKS(mem, 0)
DEFINE_HOOKS(obj, 0)

void *am_hooks_displacer(void) {
    const PyMemAllocatorDomain domains[] = {PYMEM_DOMAIN_OBJ, PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_RAW};
    void *(*const ours[])(void *, size_t) = {obj_malloc, mem_malloc, raw_malloc};
    for (int i = 0; i < 3; i++) {
        PyMemAllocatorEx found;
        PyMem_GetAllocator(domains[i], &found);
        if (found.malloc != ours[i]) return (void *)(uintptr_t)found.malloc;
    }
    return NULL;
}

static int reachable(void) {
    am_own_begin();
    uint64_t before = am_own_watch();
    PyMem_RawFree(PyMem_RawMalloc(1));
    PyMem_Free(PyMem_Malloc(1));
    PyObject_Free(PyObject_Malloc(1));
    uint64_t calls = am_own_watched(before);
    am_own_end();
    return calls >= 3;
}

int am_hooks_position(void) {
    if (!am_hooks_wanted) return AM_NOT_INSTALLED;
    if (am_hooks_displacer() == NULL) return AM_ON_TOP;
    return reachable() ? AM_WRAPPED : AM_REMOVED;
}

/* The layer for what is installed now: made at the first time, found again later. */
static const layer_t *layer_found(void) {
    layer_t now;
    memset(&now, 0, sizeof now);
    PyMem_GetAllocator(PYMEM_DOMAIN_RAW, &now.raw);
    PyMem_GetAllocator(PYMEM_DOMAIN_MEM, &now.mem);
    PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &now.obj);
    for (unsigned i = 0; i < layer_count; i++)
        if (memcmp(&layers[i], &now, sizeof now) == 0) return &layers[i];
    if (layer_count == MAX_LAYERS) return NULL;
    layers[layer_count] = now;
    return &layers[layer_count++];
}

int am_hooks_install(void) {
    if (am_is_broken()) return 0;
    int position = am_hooks_position();
    if (position == AM_ON_TOP || position == AM_WRAPPED) return 0;
    if (position == AM_REMOVED) am_hooks_lose();
    if (am_hooks_displacer() == NULL) { /* around themselves they would never end */
        am_hooks_wanted = 1;
        return 1;
    }
    const layer_t *below = layer_found();
    if (below == NULL) return -1;
    atomic_store_explicit(&layer, below, memory_order_release);
    PyMemAllocatorEx raw = raw_hooks(&below->raw);
    PyMemAllocatorEx mem = mem_hooks(&below->mem);
    PyMemAllocatorEx obj = obj_hooks(&below->obj);
    am_allocator_set(PYMEM_DOMAIN_RAW, &raw);
    am_allocator_set(PYMEM_DOMAIN_MEM, &mem);
    am_allocator_set(PYMEM_DOMAIN_OBJ, &obj);
    am_hooks_wanted = 1;
    return 1;
}

int am_hooks_uninstall(void) {
    if (!am_hooks_wanted) return 0;
    if (am_hooks_displacer() != NULL) return -1;
    layer_t below = *atomic_load_explicit(&layer, memory_order_relaxed);
    am_allocator_set(PYMEM_DOMAIN_RAW, &below.raw);
    am_allocator_set(PYMEM_DOMAIN_MEM, &below.mem);
    am_allocator_set(PYMEM_DOMAIN_OBJ, &below.obj);
    am_hooks_wanted = 0;
    am_hooks_gaps++;
    return 0;
}

void am_hooks_lose(void) {
    am_hooks_wanted = 0;
    am_hooks_gaps++;
    am_hooks_losses++;
    if (am_hooks_on_loss != NULL) am_hooks_on_loss();
}

unsigned am_gaps_now(void) {
    if (am_hooks_position() == AM_REMOVED) am_hooks_lose();
    return am_hooks_gaps;
}
