#include "sizes.h"

#include "account.h"

_Atomic uint32_t am_sizes_node;

static const void *counted; /* the scope that is counted, or was last */
static struct {
    _Atomic int64_t blocks, bytes;
} classes[AM_SIZE_CLASSES];

static int class_of(int64_t size) {
    return size <= 0 ? 0 : 64 - __builtin_clzll((unsigned long long)size);
}

static int is_within(uint32_t index, uint32_t outer) {
    while (index != AM_NONE && index != outer) index = am_nodes[index].parent;
    return index == outer;
}

void am_sizes_begin(uint32_t node, const void *scope) {
    if (atomic_load(&am_sizes_node) != AM_NONE) return;
    for (int i = 0; i < AM_SIZE_CLASSES; i++) {
        atomic_store(&classes[i].blocks, 0);
        atomic_store(&classes[i].bytes, 0);
    }
    counted = scope;
    am_active.short_sizes = 0;
    atomic_store(&am_sizes_node, node);
}

void am_sizes_end(const void *scope) {
    if (scope != counted) return;
    atomic_store(&am_sizes_node, AM_NONE);
    am_active.short_sizes = AM_SHORT_SIZES;
}

void am_sizes_forget(const void *scope) {
    am_sizes_end(scope);
    if (scope == counted) counted = NULL;
}

int am_sizes_read(const void *scope, am_size_class out[AM_SIZE_CLASSES]) {
    if (scope != counted) return -1;
    for (int i = 0; i < AM_SIZE_CLASSES; i++)
        out[i] = (am_size_class){atomic_load(&classes[i].blocks), atomic_load(&classes[i].bytes)};
    return 0;
}

void am_sizes_count(uint32_t node, int64_t size) {
    if (!is_within(node, atomic_load_explicit(&am_sizes_node, memory_order_relaxed))) return;
    const int at = class_of(size);
    atomic_fetch_add_explicit(&classes[at].blocks, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&classes[at].bytes, size, memory_order_relaxed);
}
