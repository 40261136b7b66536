/* What all benchmark programs need: a clock and a check. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void must(int ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "Cannot measure: %s: %s\n", what, strerror(errno));
    exit(1);
}

