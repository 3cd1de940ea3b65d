/* Compiled for each target, and never run: what the interpreter's pyconfig.h says of the machine
 * that compiles is true of the target too. */
#include <pyconfig.h>
#include <stddef.h>
#include <stdint.h>
#include <wchar.h>

_Static_assert(SIZEOF_INT == sizeof(int), "int");
_Static_assert(SIZEOF_LONG == sizeof(long), "long");
_Static_assert(SIZEOF_LONG_LONG == sizeof(long long), "long long");
_Static_assert(SIZEOF_SIZE_T == sizeof(size_t), "size_t");
_Static_assert(SIZEOF_VOID_P == sizeof(void *), "void *");
_Static_assert(SIZEOF_WCHAR_T == sizeof(wchar_t), "wchar_t");
_Static_assert(SIZEOF_UINTPTR_T == sizeof(uintptr_t), "uintptr_t");
