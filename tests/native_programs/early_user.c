/* Linked with early.c: its constructor runs before this program, and its destructor after it. */
#include <stdio.h>
#include <stdlib.h>

void *early_take(int index);
int early_run_thread(void);

int main(void) {
    free(early_take(7));
    free(early_take(8));
    if (early_run_thread() != 0) return 3;
    puts("well");
    return 0;
}
