/* The hooks on the interpreter's allocators: raw, mem and obj, all three or none.
 *
 * They are put in place once and stay. The allocators found below them are written before the hooks
 * become visible and never change while the hooks are in place, and the hooks keep the context
 * pointer of the allocator below, so that a thread which reads half of each still calls a function
 * with the context it expects. Everything here needs the interpreter lock. */
#ifndef AM_PYMEM_H
#define AM_PYMEM_H

enum {
    AM_NOT_INSTALLED = 0,
    AM_ON_TOP = 1,  /* the interpreter calls our hooks first */
    AM_WRAPPED = 2, /* another hook was put over ours and passes calls on */
    AM_REMOVED = 3  /* another tool restored what it had found, and ours are no longer called */
};

/* Puts the hooks in place, on top of whatever is there. Does nothing while they are reachable, and
 * never wraps a hook that wraps ours. 1 if they were put in place now, 0 if they were there, -1 after
 * 64 installations over as many different allocators. */
int am_hooks_install(void);

/* Takes them away if they are on top: 0; else -1 and nothing is changed. */
int am_hooks_uninstall(void);

/* One of the states above; finds out by making one call through each allocator. */
int am_hooks_position(void);

/* What the interpreter calls first in place of our hooks: a function of the first domain that has
 * another; NULL if ours are on top of all three. */
void *am_hooks_displacer(void);

/* How often the hooks were found to be unreachable. */
extern unsigned am_hooks_losses;

/* Grows by one whenever blocks may have gone by unseen: a scope open across such a moment does not
 * know its figures. */
extern _Atomic unsigned am_hooks_gaps; /* a thread without the lock may find no room for a block */

/* The same, after a look at whether the hooks are still reached. */
unsigned am_gaps_now(void);

/* Notes that the hooks were found to be unreachable, and calls am_hooks_on_loss, if set. */
void am_hooks_lose(void);
extern void (*am_hooks_on_loss)(void);

/* Whether the hooks were put in place and not taken away by us. */
extern int am_hooks_wanted;

#endif
