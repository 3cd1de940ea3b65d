/* Threads made by C code that attach to the interpreter, detach, and go on allocating. The
 * interpreter's functions come from the process that loads this library. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>

typedef struct _object object;

int PyContext_Enter(object *context);
int PyContext_Exit(object *context);
int PyGILState_Ensure(void);
void PyGILState_Release(int state);
void *PyThreadState_Get(void);
void *PyObject_Malloc(size_t size);
void PyObject_Free(void *block);

typedef struct {
    int (*attached)(void *); /* called with the lock; may be NULL */
    void *argument;
    long count;              /* how many blocks of `size` bytes are made before attaching, */
    size_t size;             /* and while detached again */
    int keep;                /* leave the latter behind */
} plan;

static void churn(long count, size_t size) {
    for (long i = 0; i < count; i++) free(malloc(size));
}

static void *run(void *argument) {
    const plan *p = argument;
    churn(p->count, p->size);
    int state = PyGILState_Ensure();
    if (p->attached != NULL) p->attached(p->argument);
    PyGILState_Release(state);
    for (long i = 0; i < p->count; i++) {
        void *block = malloc(p->size);
        if (!p->keep) free(block);
    }
    return NULL;
}

/* Runs the plan on a thread of its own, to the end. Call it without the lock. */
int attach_run(plan *p) {
    pthread_t thread;
    return pthread_create(&thread, NULL, run, p) || pthread_join(thread, NULL);
}

/* Two threads whose thread states have the same address, one after the other, if malloc hands out
 * the latest freed block first: one of them frees `count` blocks without the lock while the other
 * has it, and allocates and frees as many. */
static struct {
    pthread_barrier_t barrier;
    void **blocks;
    long count;
    void *states[2];
} pair;

static void *first(void *unused) {
    pthread_barrier_wait(&pair.barrier); /* the other thread is there: making it allocates */
    int state = PyGILState_Ensure();
    pair.states[0] = PyThreadState_Get();
    PyObject_Free(PyObject_Malloc(100));
    PyGILState_Release(state);
    pthread_barrier_wait(&pair.barrier);
    pthread_barrier_wait(&pair.barrier);
    for (long i = 0; i < pair.count; i++) free(pair.blocks[i]);
    return unused;
}

static void *second(void *unused) {
    pthread_barrier_wait(&pair.barrier);
    pthread_barrier_wait(&pair.barrier);
    int state = PyGILState_Ensure();
    pair.states[1] = PyThreadState_Get();
    PyObject_Free(PyObject_Malloc(100));
    pthread_barrier_wait(&pair.barrier);
    churn(pair.count, 32);
    PyGILState_Release(state);
    return unused;
}

/* Returns whether the addresses were the same. Call it without the lock. */
int attach_pair(long count) {
    pthread_t threads[2];
    pair.count = count;
    pair.blocks = malloc((size_t)count * sizeof *pair.blocks);
    for (long i = 0; i < count; i++) pair.blocks[i] = malloc(32);
    pthread_barrier_init(&pair.barrier, NULL, 2);
    if (pthread_create(&threads[0], NULL, first, NULL) != 0) return -1;
    if (pthread_create(&threads[1], NULL, second, NULL) != 0) return -1;
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    pthread_barrier_destroy(&pair.barrier);
    free(pair.blocks);
    return pair.states[0] == pair.states[1];
}

/* A thread that last resolved the scope of a context, left it, and allocates without the lock until
 * it is told to stop; nothing on it keeps the scope. */
static struct {
    pthread_t thread;
    pthread_barrier_t barrier;
    object *context;
    size_t size;
    long count;
    _Atomic int stop;
} leftover;

static void *allocate_on(void *unused) {
    int state = PyGILState_Ensure();
    PyContext_Enter(leftover.context);
    PyObject_Free(PyObject_Malloc(100));
    PyContext_Exit(leftover.context);
    PyGILState_Release(state);
    pthread_barrier_wait(&leftover.barrier);
    while (!leftover.stop) {
        free(calloc(1, leftover.size));
        leftover.count++;
    }
    return unused;
}

/* Both without the lock; the second one returns how many blocks came and went. */
int attach_leave_behind(object *context, size_t size) {
    leftover.context = context;
    leftover.size = size;
    leftover.stop = 0;
    leftover.count = 0;
    pthread_barrier_init(&leftover.barrier, NULL, 2);
    if (pthread_create(&leftover.thread, NULL, allocate_on, NULL) != 0) return -1;
    pthread_barrier_wait(&leftover.barrier);
    return 0;
}

long attach_end(void) {
    leftover.stop = 1;
    pthread_join(leftover.thread, NULL);
    return leftover.count;
}
