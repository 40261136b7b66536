/*
 * What two processors need to send each other one word of shared memory and back while both look for it: prints
 * `round_trip nanoseconds`, the median of batches. No platform answers a call in less. Both words are in one cache line;
 * with the argument `two`, each has a line of its own.
 */
#define _GNU_SOURCE
#include "measure.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define LINE_WORDS 16

static _Alignas(64) atomic_int words[2 * LINE_WORDS];
static atomic_int *const question = &words[0];
static atomic_int *answer = &words[1];

static void pin(int processor) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    must(sched_setaffinity(0, sizeof set, &set) == 0, "sched_setaffinity");
}

static void *reply(void *unused) {
    pin(1);
    for (int seen = 0; seen >= 0;) {
        int asked = atomic_load_explicit(question, memory_order_acquire);
        if (asked != seen) atomic_store(answer, seen = asked);
        else __builtin_ia32_pause();
    }
    return unused;
}

static void op_round_trip(void) {
    static int asked;
    asked = asked % 1000000 + 1;
    atomic_store(question, asked);
    while (atomic_load(answer) != asked) __builtin_ia32_pause();
}

int main(int argc, char *argv[]) {
    static const struct bench bench = {"round_trip", op_round_trip, NULL, NULL};
    pthread_t thread;
    if (argc > 1 && strcmp(argv[1], "two") == 0) answer = &words[LINE_WORDS];
    pin(0);
    must(pthread_create(&thread, NULL, reply, NULL) == 0, "pthread_create");
    measure(&bench, 2e8);
    atomic_store(question, -1);
    return pthread_join(thread, NULL);
}
