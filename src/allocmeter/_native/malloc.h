/* The native domain: what extension modules ask of malloc themselves.
 *
 * Seen only where the preload library (preload/preload.h) is in the process: it passes the malloc
 * family on to the hooks here. They charge the same scopes and keep the same ledger as those of the
 * python domain. What the interpreter's own allocators ask of malloc is counted there, once. Hooks
 * run on any thread, with and without the interpreter lock, also on threads that never saw Python;
 * everything else here needs the lock. */
#ifndef AM_MALLOC_H
#define AM_MALLOC_H

enum {
    AM_NATIVE_ABSENT = 0,    /* the process was started without the preload library */
    AM_NATIVE_READY = 1,     /* it is there, and the hooks are not installed */
    AM_NATIVE_SEEN = 2,      /* calls of the malloc family come to our hooks */
    AM_NATIVE_BYPASSED = 3,  /* they do not: another malloc stands before the preload library */
    AM_NATIVE_MISMATCHED = 4 /* the preload library is one of another version */
};

/* Has calls passed to our hooks, where that is possible (am_native_is_connected). */
void am_native_connect(void);

/* No more. */
void am_native_disconnect(void);

/* One of the states above; finds out by making one call, when it has to. */
int am_native_state(void);

#endif
