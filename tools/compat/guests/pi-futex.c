/* Priority-inheritance futexes, futex(2): what an owner, a waiter, a dead owner and pthread's mutexes see. */
#include "show.h"
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static long futex(uint32_t *at, int op, uint32_t value, const struct timespec *timeout) {
    return syscall(SYS_futex, at, op, value, timeout, NULL, 0);
}

static pthread_mutex_t robust;

static void *locks_and_dies(void *unused) {
    (void)unused;
    pthread_mutex_lock(&robust);
    return NULL;
}

static void *adds(void *mutex) {
    static int total;
    for (int i = 0; i < 1000; i++) {
        pthread_mutex_lock(mutex);
        total++;
        pthread_mutex_unlock(mutex);
    }
    pthread_mutex_lock(mutex);
    int seen = total;
    pthread_mutex_unlock(mutex);
    return (void *)(long)seen;
}

static void show_raw(void) {
    uint32_t *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint32_t tid = (uint32_t)syscall(SYS_gettid);
    SHOW(futex(word, FUTEX_LOCK_PI, 0, NULL));
    printf("owned: %d\n", *word == tid);
    SHOW(futex(word, FUTEX_LOCK_PI, 0, NULL));
    SHOW(futex(word, FUTEX_TRYLOCK_PI, 0, NULL));
    SHOW(futex(word, FUTEX_UNLOCK_PI, 0, NULL));
    printf("free: %d\n", *word == 0);
    SHOW(futex(word, FUTEX_UNLOCK_PI, 0, NULL));
    SHOW(futex(word, FUTEX_TRYLOCK_PI, 0, NULL));
    pid_t child = fork();
    if (child == 0) {
        struct timespec past = {0, 0};
        SHOW(futex(word, FUTEX_TRYLOCK_PI, 0, NULL));
        SHOW(futex(word, FUTEX_LOCK_PI, 0, &past));
        SHOW(futex(word, FUTEX_UNLOCK_PI, 0, NULL));
        SHOW(futex(word, FUTEX_LOCK_PI, 0, NULL));
        printf("child owns: %d\n", (*word & FUTEX_TID_MASK) == (uint32_t)syscall(SYS_gettid));
        fflush(stdout);
        _exit(0);
    }
    while ((__atomic_load_n(word, __ATOMIC_SEQ_CST) & FUTEX_WAITERS) == 0) usleep(1000);
    usleep(20000);
    long result = futex(word, FUTEX_UNLOCK_PI, 0, NULL);
    waitpid(child, NULL, 0);
    SHOW(result);
    *word = 0x3fffffff;
    SHOW(futex(word, FUTEX_LOCK_PI, 0, NULL));
    SHOW(futex((uint32_t *)((char *)word + 1), FUTEX_LOCK_PI, 0, NULL));
}

int main(void) {
    show_raw();
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
    pthread_mutex_t plain;
    printf("init: %d\n", pthread_mutex_init(&plain, &attr));
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, adds, &plain);
    long most = 0;
    for (int i = 0; i < 4; i++) {
        void *seen;
        pthread_join(threads[i], &seen);
        if ((long)seen > most) most = (long)seen;
    }
    printf("added: %ld\n", most);

    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&robust, &attr);
    pthread_create(&threads[0], NULL, locks_and_dies, NULL);
    pthread_join(threads[0], NULL);
    int error = pthread_mutex_lock(&robust);
    printf("after its owner's death: %s\n", strerrorname_np(error));
    printf("consistent: %d\n", pthread_mutex_consistent(&robust));
    printf("unlock: %d, lock: %d\n", pthread_mutex_unlock(&robust), pthread_mutex_lock(&robust));
    return 0;
}
