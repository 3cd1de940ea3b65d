#define _DEFAULT_SOURCE
#include "fork.h"

#include <pthread.h>

#include "account.h"
#include "collector.h"

static void repair(void) {
    am_foreign_repair();
    am_collector_repair();
}

int am_fork_init(void) {
    static int registered;
    if (registered) return 0;
    int error = pthread_atfork(NULL, NULL, repair);
    registered = error == 0;
    return error;
}
