/* Where the allocators are is only declared for parts of the interpreter itself. */
#define Py_BUILD_CORE 1
#include <Python.h>
#if PY_VERSION_HEX >= 0x030C0000
#include <internal/pycore_runtime.h>
#endif
#undef Py_BUILD_CORE

#include <string.h>

#include "allocators.h"

/* Where the interpreter reads an allocator, or NULL: then only it can write there. */
static PyMemAllocatorEx *place_of(PyMemAllocatorDomain domain) {
#if PY_VERSION_HEX >= 0x030C0000
    PyMemAllocatorEx *place = domain == PYMEM_DOMAIN_RAW   ? &_PyRuntime.allocators.standard.raw
                              : domain == PYMEM_DOMAIN_MEM ? &_PyRuntime.allocators.standard.mem
                                                           : &_PyRuntime.allocators.standard.obj;
    /* Headers of another release than the one that runs may tell another place. */
    PyMemAllocatorEx now;
    memset(&now, 0, sizeof now);
    PyMem_GetAllocator(domain, &now);
    return memcmp(place, &now, sizeof now) == 0 ? place : NULL;
#else
    (void)domain;
    return NULL;
#endif
}

#define PUT(member) __atomic_store_n(&place->member, allocator->member, __ATOMIC_RELEASE)

void am_allocator_set(PyMemAllocatorDomain domain, const PyMemAllocatorEx *allocator) {
    PyMemAllocatorEx *place = place_of(domain);
    if (place == NULL) {
        PyMem_SetAllocator(domain, (PyMemAllocatorEx *)(uintptr_t)allocator);
        return;
    }
    PUT(ctx);
    PUT(malloc);
    PUT(calloc);
    PUT(realloc);
    PUT(free);
}
