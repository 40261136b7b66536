/*
 * Operations that take long: `bulk DIRECTORY NAME...` prints `name nanoseconds` a line, the median of a few. The
 * directory has what the operations need: a file `data`, a directory `entries`.
 */
#include "measure.h"
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BLOCK 65536
#define FILE_BYTES (1L << 30)
#define TOUCH_BYTES (256L << 20)
#define THREADS 4
#define LOCKS 500000

static char buffer[BLOCK];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static volatile long counter;

static void op_read(void) {
    int fd = open("data", O_RDONLY);
    must(fd >= 0, "open data");
    long total = 0, n;
    while ((n = read(fd, buffer, BLOCK)) > 0) total += n;
    must(n == 0 && total == FILE_BYTES, "read");
    close(fd);
}

static void op_write(void) {
    int fd = open("written", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    must(fd >= 0, "open written");
    for (long total = 0; total < FILE_BYTES; total += BLOCK) must(write(fd, buffer, BLOCK) == BLOCK, "write");
    close(fd);
}
static void remove_written(void) { unlink("written"); }

static void op_getdents(void) {
    int fd = open("entries", O_RDONLY | O_DIRECTORY);
    must(fd >= 0, "open entries");
    long n;
    while ((n = syscall(SYS_getdents64, fd, buffer, 32768)) > 0) continue;
    must(n == 0, "getdents64");
    close(fd);
}

static void op_touch(void) {
    char *at = mmap(NULL, TOUCH_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(at != MAP_FAILED, "mmap");
    for (long i = 0; i < TOUCH_BYTES; i += 4096) at[i] = 1;
    must(munmap(at, TOUCH_BYTES) == 0, "munmap");
}

static void *contend(void *arg) {
    (void)arg;
    for (int i = 0; i < LOCKS; i++) {
        pthread_mutex_lock(&mutex);
        counter++;
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}
static void op_mutex(void) {
    pthread_t threads[THREADS];
    counter = 0;
    for (int i = 0; i < THREADS; i++) must(pthread_create(&threads[i], NULL, contend, NULL) == 0, "thread");
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    must(counter == (long)THREADS * LOCKS, "counter");
}

static const struct bench table[] = {
    {"read_1g", op_read, NULL, NULL},
    {"write_1g", op_write, NULL, remove_written},
    {"getdents_10k", op_getdents, NULL, NULL},
    {"touch_256m", op_touch, NULL, NULL},
    {"mutex_4_threads", op_mutex, NULL, NULL},
    {NULL, NULL, NULL, NULL},
};

int main(int argc, char **argv) {
    must(argc > 2 && chdir(argv[1]) == 0, "usage: bulk DIRECTORY NAME...");
    measure_named(table, argc, argv, 2, 500e6);
    return 0;
}
