/* Putting functions into the interpreter's allocators while threads without the lock run through
 * them: the raw domain may be called by any thread at any time.
 *
 * PyMem_SetAllocator copies a structure, as the compiler likes: some builds of CPython copy it by
 * four bytes at a time (`rep movsl`, seen in Debian's 3.14 and 3.15), so that a thread calls an
 * address that is half one function's and half another's. */
#ifndef AM_ALLOCATORS_H
#define AM_ALLOCATORS_H

#include <Python.h>

/* As PyMem_SetAllocator, but pointer by pointer, where the structure is known: from 3.12 on. Under
 * the interpreter lock. */
void am_allocator_set(PyMemAllocatorDomain domain, const PyMemAllocatorEx *allocator);

#endif
