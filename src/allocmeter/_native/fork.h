/* What a forked child must repair. A C handler, not one of Python's: those run in a child in which
 * the hooks are already counting. Counters, nodes and the ledger are private memory, so open scopes
 * simply go on in both processes, independently. */
#ifndef AM_FORK_H
#define AM_FORK_H

/* Registers the handler once. 0, or an errno value. */
int am_fork_init(void);

#endif
