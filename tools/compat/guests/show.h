/* Shows results of system calls by name, so that a run on Linux and one under TSV can be compared line by line. */
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Prints what `call` returned, or the name of its error. */
#define SHOW(call) show(#call, (long)(call), 1)
/* As SHOW, for values that differ from run to run: only success or the error is shown. */
#define SHOW_OK(call) show(#call, (long)(call), 0)

static inline long show(const char *call, long result, int is_exact) {
    int error = errno;
    if (result == -1) printf("%s: %s\n", call, strerrorname_np(error));
    else if (is_exact) printf("%s = %ld\n", call, result);
    else printf("%s: ok\n", call);
    fflush(stdout);
    return result;
}

/* Ends the program when something fails that the test only needs. */
static inline long must(const char *what, long result) {
    if (result != -1) return result;
    printf("cannot %s: %s\n", what, strerrorname_np(errno));
    exit(1);
}
