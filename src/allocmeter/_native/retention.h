/* How much the finished scopes of one name retain, against how many they are: a series of samples
 * at even distances, the distance doubling whenever there are too many. A leak goes on rising, a
 * cache that has filled does not. Callers hold the interpreter lock. */
#ifndef AM_RETENTION_H
#define AM_RETENTION_H

#include <stdint.h>

#define AM_RETENTION_SAMPLES 128

typedef struct {
    uint64_t scopes; /* finished so far */
    int64_t bytes, blocks; /* of them all, alive at that moment */
} am_retention_sample;

typedef struct {
    am_retention_sample samples[AM_RETENTION_SAMPLES];
    uint32_t used;
    uint32_t doublings; /* a sample is kept every 2 to this power scopes */
} am_retention;

/* Notes what is retained as the scope of this number finishes, if it is the turn of one. */
void am_retention_add(am_retention *retention, am_retention_sample now);

#endif
