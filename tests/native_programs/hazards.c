/* What the tests of hazards need of C: an allocator below the hooks that can be stopped at awkward
 * moments, and C code that calls into the interpreter at others. The interpreter's functions come
 * from the process that loads this library. */
#define _GNU_SOURCE
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

typedef struct _object object;

typedef struct {
    void *context;
    void *(*malloc)(void *, size_t);
    void *(*calloc)(void *, size_t, size_t);
    void *(*realloc)(void *, void *, size_t);
    void (*free)(void *, void *);
} allocator;

enum { RAW, MEM, OBJ };

void PyMem_GetAllocator(int domain, allocator *found);
void PyMem_SetAllocator(int domain, const allocator *wanted);
void *PyMem_RawMalloc(size_t size);
void *PyMem_RawCalloc(size_t count, size_t each);
void *PyMem_RawRealloc(void *block, size_t size);
void PyMem_RawFree(void *block);
void *PyMem_Malloc(size_t size);
void *PyMem_Calloc(size_t count, size_t each);
void *PyMem_Realloc(void *block, size_t size);
void PyMem_Free(void *block);
void *PyObject_Malloc(size_t size);
void *PyObject_Calloc(size_t count, size_t each);
void *PyObject_Realloc(void *block, size_t size);
void PyObject_Free(void *block);
int PyGILState_Ensure(void);
void PyGILState_Release(int state);
void *PyThreadState_Get(void);
int PyContext_Enter(object *context);
int PyContext_Exit(object *context);
void PyErr_SetString(object *type, const char *message);
object *PyErr_Occurred(void);
void PyErr_Clear(void);
int PyErr_ExceptionMatches(object *type);
int Py_AtExit(void (*function)(void));
extern object *PyExc_KeyError;

/* -- an allocator below the hooks ----------------------------------------------------------------- */

static allocator below[3];
static size_t latest_size;
static void *latest_block;

static struct {
    sem_t arrived, leave;
    void *handed_over; /* given back, and given out again before the call returns */
    size_t wanted;     /* the next block of this size is the one handed over */
    size_t stopped;    /* an allocation of this size waits */
} stop;

/* A thread that attaches twice: the memory of its first thread state is that of its second one. */
static struct {
    enum { IDLE, BEFORE, ATTACHED, DETACHED } phase;
    size_t size;
    void (*first)(void), (*second)(void);
    void *state, *states[2];
} twice;

static void wait_there(void) {
    sem_post(&stop.arrived);
    sem_wait(&stop.leave);
}

static void *seen(void *block, size_t size) {
    latest_size = size;
    return latest_block = block;
}

static void *malloc_below(void *domain, size_t size) {
    const allocator *real = domain;
    if (stop.stopped != 0 && size == stop.stopped) {
        stop.stopped = 0;
        wait_there();
    }
    if (stop.wanted != 0 && size == stop.wanted) {
        stop.wanted = 0;
        return stop.handed_over;
    }
    return seen(real->malloc(real->context, size), size);
}

static void *calloc_below(void *domain, size_t count, size_t each) {
    const allocator *real = domain;
    if (twice.phase == DETACHED && count * each == twice.size) {
        twice.phase = IDLE;
        return memset(twice.state, 0, twice.size);
    }
    void *block = real->calloc(real->context, count, each);
    if (twice.phase == BEFORE) { /* the first thing that is done to attach a thread */
        twice.phase = ATTACHED;
        twice.size = count * each;
        twice.state = block;
    }
    return seen(block, count * each);
}

static void *realloc_below(void *domain, void *block, size_t size) {
    const allocator *real = domain;
    if (block == NULL || block != stop.handed_over)
        return seen(real->realloc(real->context, block, size), size);
    void *moved = real->malloc(real->context, size);
    wait_there();
    return moved;
}

static void free_below(void *domain, void *block) {
    const allocator *real = domain;
    latest_block = block;
    if (twice.phase == ATTACHED && block == twice.state) {
        twice.phase = DETACHED;
        return;
    }
    if (block != NULL && block == stop.handed_over) wait_there();
    else real->free(real->context, block);
}

/* Puts it in place in all three domains; the hooks are to be installed afterwards. */
void put_below(void) {
    sem_init(&stop.arrived, 0, 0);
    sem_init(&stop.leave, 0, 0);
    for (int domain = RAW; domain <= OBJ; domain++) {
        PyMem_GetAllocator(domain, &below[domain]);
        const allocator ours = {&below[domain], malloc_below, calloc_below, realloc_below,
                                free_below};
        PyMem_SetAllocator(domain, &ours);
    }
}

/* Whether every call reached the allocator below as it was made, and its block came back. */
int passes_through(int domain, size_t size) {
    static const struct {
        void *(*malloc)(size_t);
        void *(*calloc)(size_t, size_t);
        void *(*realloc)(void *, size_t);
        void (*free)(void *);
    } call[] = {{PyMem_RawMalloc, PyMem_RawCalloc, PyMem_RawRealloc, PyMem_RawFree},
                {PyMem_Malloc, PyMem_Calloc, PyMem_Realloc, PyMem_Free},
                {PyObject_Malloc, PyObject_Calloc, PyObject_Realloc, PyObject_Free}};
    void *block = call[domain].malloc(size);
    int same = block != NULL && block == latest_block && latest_size == size;
    block = call[domain].realloc(block, 2 * size);
    same &= block != NULL && block == latest_block && latest_size == 2 * size;
    call[domain].free(block);
    same &= block == latest_block;
    block = call[domain].calloc(1, size);
    same &= block != NULL && block == latest_block && latest_size == size;
    call[domain].free(block);
    return same;
}

static void *release(void *block) {
    PyMem_RawFree(block);
    return NULL;
}

static void *grow(void *block) { return PyMem_RawRealloc(block, 3000); }

/* Gives a block back on another thread, and gets the same address on this one before that call has
 * returned. Returns whether it was the same. */
int hand_over(void *block, size_t size, int by_realloc) {
    pthread_t thread;
    void *moved;
    stop.handed_over = block;
    if (pthread_create(&thread, NULL, by_realloc ? grow : release, block) != 0) return -1;
    sem_wait(&stop.arrived);
    stop.wanted = size;
    void *again = PyMem_RawMalloc(size);
    sem_post(&stop.leave);
    pthread_join(thread, &moved);
    stop.handed_over = NULL;
    if (by_realloc) PyMem_RawFree(moved);
    return again == block;
}

static void *take(void *size) {
    sem_wait(&stop.arrived);
    stop.wanted = (size_t)size;
    void *again = PyMem_RawMalloc((size_t)size);
    sem_post(&stop.leave);
    return again;
}

/* The same with parts exchanged: the other thread gets the address while this one reallocates. */
int hand_over_here(void *block, size_t size) {
    pthread_t thread;
    void *again;
    stop.handed_over = block;
    if (pthread_create(&thread, NULL, take, (void *)size) != 0) return -1;
    void *moved = PyMem_RawRealloc(block, 3000);
    pthread_join(thread, &again);
    stop.handed_over = NULL;
    PyMem_RawFree(moved);
    return again == block;
}

static pthread_t stopped_thread;

static void *allocate_once(void *size) {
    PyMem_RawFree(PyMem_RawMalloc((size_t)size));
    return NULL;
}

/* Another thread goes into the allocator below the hooks, and stays there until it is let go. */
int stop_inside(size_t size) {
    stop.stopped = size;
    if (pthread_create(&stopped_thread, NULL, allocate_once, (void *)size) != 0) return -1;
    sem_wait(&stop.arrived);
    return 0;
}

int let_go(void) {
    sem_post(&stop.leave);
    return pthread_join(stopped_thread, NULL);
}

static _Atomic int hammering = 1, hammers;

/* Allocates without the lock until it is told to stop. Returns how often it did. */
int hammer(void) {
    int rounds = 0;
    hammers++;
    for (; hammering; rounds += rounds < INT_MAX) PyMem_RawFree(PyMem_RawMalloc(5000));
    return rounds;
}

int count_hammers(void) { return hammers; }

void end_hammering(void) { hammering = 0; }

/* -- calls into the interpreter ------------------------------------------------------------------ */

/* Whether an exception that is set outlasts an allocation in a context that was just entered. With
 * the lock. */
int exception_survives(object *context) {
    PyErr_SetString(PyExc_KeyError, "set before the context is entered");
    if (PyContext_Enter(context) < 0) return -1;
    PyObject_Free(PyObject_Malloc(100));
    int survived = PyErr_Occurred() != NULL && PyErr_ExceptionMatches(PyExc_KeyError);
    PyErr_Clear();
    PyObject_Free(PyObject_Malloc(100));
    int left = PyErr_Occurred() != NULL;
    PyErr_Clear();
    return PyContext_Exit(context) < 0 ? -1 : survived && !left;
}

static void *attach(void *unused) {
    int state = PyGILState_Ensure();
    twice.states[0] = PyThreadState_Get();
    twice.first();
    PyGILState_Release(state);
    state = PyGILState_Ensure();
    twice.states[1] = PyThreadState_Get();
    twice.second();
    PyGILState_Release(state);
    return unused;
}

/* One thread attaches twice, each time with a thread state of its own, at the same address if the
 * allocator below is in place. Returns whether it was so. Without the lock. */
int attach_twice(void (*first)(void), void (*second)(void)) {
    pthread_t thread;
    twice.phase = BEFORE;
    twice.first = first;
    twice.second = second;
    if (pthread_create(&thread, NULL, attach, NULL) != 0) return -1;
    pthread_join(thread, NULL);
    return twice.states[0] == twice.states[1];
}

static void allocate_late(void) {
    for (int i = 0; i < 100; i++) PyMem_RawFree(PyMem_RawRealloc(PyMem_RawMalloc(100), 5000));
}

/* Twice: when there is hardly an interpreter any more, and when there is none. */
int allocate_at_exit(void) { return Py_AtExit(allocate_late) || atexit(allocate_late); }
