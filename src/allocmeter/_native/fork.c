#define _DEFAULT_SOURCE
#include "fork.h"

#include <pthread.h>

#include "account.h"

int am_fork_init(void) {
    static int registered;
    if (registered) return 0;
    int error = pthread_atfork(NULL, NULL, am_foreign_repair);
    registered = error == 0;
    return error;
}
