#define _GNU_SOURCE
#include "repeating.h"

#ifdef __linux__

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void (*of_interpreter)(int);
static _Atomic int unheard; /* how often the handler was called since Python's ran */

/* A timer belongs to one process: a forked child needs one of its own. The functions of the C library
 * for it may allocate. */
static _Atomic pid_t owner;
static _Atomic int timer;

static void set_timer(long milliseconds) {
    const struct itimerspec when = {.it_value.tv_nsec = milliseconds * 1000000};
    (void)syscall(SYS_timer_settime, atomic_load(&timer), 0, &when, NULL);
}

static void repeat_soon(int number) {
    const pid_t process = getpid();
    if (atomic_load(&owner) != process) {
        struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = number};
        int made;
        if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &made) != 0) return;
        atomic_store(&timer, made);
        atomic_store(&owner, process);
        atomic_store(&unheard, 1);
    }
    set_timer(AM_REPEAT_EVERY);
}

static void handler(int number) {
    const int error = errno;
    if (atomic_fetch_add(&unheard, 1) < AM_REPEAT_AT_MOST) {
        repeat_soon(number);
        of_interpreter(number);
    } else {
        const struct sigaction by_default = {.sa_handler = SIG_DFL};
        (void)sigaction(number, &by_default, NULL);
        (void)kill(getpid(), number);
    }
    errno = error;
}

void am_signal_repeat(int number) {
    struct sigaction action;
    if (sigaction(number, NULL, &action) != 0 || action.sa_flags & SA_SIGINFO) return;
    if (action.sa_handler == handler || action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN)
        return;
    of_interpreter = action.sa_handler;
    action.sa_handler = handler;
    (void)sigaction(number, &action, NULL);
}

void am_signal_heard(void) {
    if (atomic_exchange(&unheard, 0) != 0 && atomic_load(&owner) == getpid()) set_timer(0);
}

#else

void am_signal_repeat(int number) { (void)number; }

void am_signal_heard(void) {}

#endif
