/* getcpu(2) and sched_getcpu(3), which C libraries ask the vDSO, of threads and processes that may use one CPU only. */
#include "show.h"
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { ROUNDS = 1000 };

static long pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return sched_setaffinity(0, sizeof set, &set);
}

/* How often each of the two tells `cpu` in ROUNDS rounds. */
static int right_count(int cpu) {
    int count = 0;
    for (int i = 0; i < ROUNDS; i++) {
        unsigned told = 99, node = 99;
        if (syscall(SYS_getcpu, &told, &node, NULL) == 0 && told == (unsigned)cpu && node == 0) count++;
        if (sched_getcpu() == cpu) count++;
    }
    return count;
}

static void *other_thread(void *arg) {
    (void)arg;
    SHOW(pin(1));
    SHOW(right_count(1));
    return NULL;
}

int main(void) {
    SHOW(pin(0));
    SHOW(right_count(0));
    pthread_t thread;
    must("make a thread", pthread_create(&thread, NULL, other_thread, NULL) == 0 ? 0 : -1);
    pthread_join(thread, NULL);
    SHOW(right_count(0));
    if (must("fork", fork()) == 0) {
        SHOW(right_count(0));
        SHOW(pin(1));
        SHOW(right_count(1));
        _exit(0);
    }
    wait(NULL);
    SHOW(right_count(0));
    SHOW(pin(1));
    SHOW(right_count(1));
    SHOW(syscall(SYS_getcpu, NULL, NULL, NULL));
    return 0;
}
