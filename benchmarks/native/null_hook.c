/* Hooks that forward every call and do nothing else: the floor of what hooks of any kind can cost.
 * They are installed the way those of allocmeter are, with the allocator below found in a table and
 * not in the context, and built with the same flags. */
#include <Python.h>

typedef struct {
    PyMemAllocatorEx raw, mem, obj;
} layer_t;

static layer_t layer;

#define DEFINE_HOOKS(domain)                                                            \
    static void *domain##_malloc(void *context, size_t size) {                          \
        (void)context;                                                                  \
        return layer.domain.malloc(layer.domain.ctx, size);                             \
    }                                                                                   \
    static void *domain##_calloc(void *context, size_t count, size_t each) {            \
        (void)context;                                                                  \
        return layer.domain.calloc(layer.domain.ctx, count, each);                      \
    }                                                                                   \
    static void *domain##_realloc(void *context, void *block, size_t size) {            \
        (void)context;                                                                  \
        return layer.domain.realloc(layer.domain.ctx, block, size);                     \
    }                                                                                   \
    static void domain##_free(void *context, void *block) {                             \
        (void)context;                                                                  \
        layer.domain.free(layer.domain.ctx, block);                                     \
    }                                                                                   \
    static void domain##_hook(PyMemAllocatorDomain which) {                             \
        PyMem_GetAllocator(which, &layer.domain);                                       \
        PyMemAllocatorEx hooks = {NULL, domain##_malloc, domain##_calloc,               \
                                  domain##_realloc, domain##_free};                     \
        PyMem_SetAllocator(which, &hooks);                                              \
    }

DEFINE_HOOKS(raw)
DEFINE_HOOKS(mem)
DEFINE_HOOKS(obj)

/* Whether the hooks are those in use. */
__attribute__((visibility("default"))) int null_hook_installed(void) {
    PyMemAllocatorEx now;
    PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &now);
    return now.malloc == obj_malloc;
}

/* Install the hooks, once. Call with the interpreter lock held. */
__attribute__((visibility("default"))) void null_hook_install(void) {
    if (null_hook_installed()) return;
    raw_hook(PYMEM_DOMAIN_RAW);
    mem_hook(PYMEM_DOMAIN_MEM);
    obj_hook(PYMEM_DOMAIN_OBJ);
}
