/* Signals that come at moments when the interpreter cannot learn of them, or not for long. */
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>

static int in_children;

/* As if it had come right before the interpreter began to wait: 0 when another one ends the wait. */
int raise_and_wait(int number) {
    sem_t never;
    sem_init(&never, 0, 0);
    raise(number);
    return sem_wait(&never) == 0;
}

/* A computation that does not end, and asks for no signals. */
void raise_and_stay(int number) {
    while (!raise_and_wait(number)) number = 0;
}

static void raise_in_child(void) { raise(in_children); }

/* From now on, in every forked child, before the interpreter has settled there. */
int raise_in_children(int number) {
    in_children = number;
    return pthread_atfork(NULL, NULL, raise_in_child);
}
