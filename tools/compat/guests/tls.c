/* A program for static, static-PIE and musl builds: threads, thread-local storage, constructors, time and environment. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>

static __thread int local = 7;
static int made;

__attribute__((constructor)) static void make(void) { made = 1; }

static void *add(void *amount) {
    local += (int)(long)amount;
    return (void *)(long)local;
}

int main(int argc, char **argv) {
    pthread_t threads[3];
    for (long i = 0; i < 3; i++) pthread_create(&threads[i], NULL, add, (void *)i);
    for (int i = 0; i < 3; i++) {
        void *value;
        pthread_join(threads[i], &value);
        printf("%ld ", (long)value);
    }
    struct timespec now;
    printf("%d made %d args %d %s\n", local, made, argc, argv[1]);
    printf("clock %d page %ld home %s\n", clock_gettime(CLOCK_MONOTONIC, &now), getauxval(AT_PAGESZ), getenv("HOME"));
    char *big = malloc(64 << 20);
    memset(big, 1, 64 << 20);
    printf("%.3f %d\n", 1.0 / 3, big[63 << 20]);
    return 5;
}
