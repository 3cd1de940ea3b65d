#include "retention.h"

void am_retention_add(am_retention *retention, am_retention_sample now) {
    if (now.scopes & ((1ull << retention->doublings) - 1)) return;
    if (retention->used == AM_RETENTION_SAMPLES) {
        /* The samples are multiples of the distance; keep those of twice the distance. */
        for (uint32_t i = 0; i < AM_RETENTION_SAMPLES / 2; i++)
            retention->samples[i] = retention->samples[2 * i + 1];
        retention->used = AM_RETENTION_SAMPLES / 2;
        retention->doublings++;
        if (now.scopes & ((1ull << retention->doublings) - 1)) return;
    }
    retention->samples[retention->used++] = now;
}
