/* A stand-in for a scope that was left in another context than it was entered in.
 *
 * The context where it was entered still holds the scope, marked as left. If a generator is resumed
 * after that, in yet another context, the mark must stay; so from then on a stand-in is made
 * current in the scope's place, a new one for every time that this happens. */
#ifndef AM_STANDIN_H
#define AM_STANDIN_H

#include "scope.h"

typedef struct am_standin {
    am_holder holder;
    am_scope *scope; /* not owned; NULL once the scope object is gone */
} am_standin;

extern PyTypeObject am_standin_type;

int am_standin_init(void);

/* What to make current for a scope: itself, or its stand-in. Makes a stand-in if what there is was
 * left elsewhere. Borrowed; NULL with an exception set without memory. */
am_holder *am_standin_for_entering(am_scope *scope);

/* What is current for a scope if the scope is. Borrowed. */
am_holder *am_standin_entered(am_scope *scope);

/* The scope object goes. */
void am_standin_abandon(am_scope *scope);

#endif
