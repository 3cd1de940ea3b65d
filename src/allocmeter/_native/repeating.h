/* Repeating a signal until its handler in Python has come to run.
 *
 * The interpreter notes a signal and runs the handler between two instructions of the main thread.
 * A signal that comes right before that thread begins to wait in C ends no wait, and a forked child
 * forgets those that came before it ran on: such a signal is lost, which the default disposition,
 * for which a handler of ours stands in, would not have let happen. So it is sent anew every now and
 * then; and where the main thread does not come back from C for long, the default is in force again.
 * Only Linux has the timers for it; elsewhere these functions do nothing.
 *
 * The C handler takes no lock, allocates nothing, and makes system calls only. */
#ifndef AM_REPEATING_H
#define AM_REPEATING_H

#include "platform.h"

/* Milliseconds from one to the next, and how many there are before the default is in force. */
#define AM_REPEAT_EVERY 50
#define AM_REPEAT_AT_MOST 100

/* Stands before the handler that the interpreter has just set for this signal, which is the same one
 * at every call. Setting another handler ends that. */
AM_API void am_signal_repeat(int number);

/* The handler in Python runs, or is about to be replaced: no more of that signal. */
AM_API void am_signal_heard(void);

#endif
