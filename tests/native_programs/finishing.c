/* Ends the interpreter that calls it, goes on allocating, and ends the process. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

int Py_FinalizeEx(void);

static void *allocate(void *unused) {
    for (int i = 0; i < 10000; i++) free(realloc(malloc(100), 5000));
    return unused;
}

void finish_interpreter(int status) {
    pthread_t thread;
    Py_FinalizeEx();
    allocate(NULL);
    if (pthread_create(&thread, NULL, allocate, NULL) == 0) pthread_join(thread, NULL);
    puts("well");
    exit(status);
}
