/* NUMA policies on one node, and calls that only administrators and time servers make: results and every error. */
#include "show.h"
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/mempolicy.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

static void policy(const char *when) {
    int mode = -1;
    unsigned long mask[16] = {~0ul};
    long result = syscall(SYS_get_mempolicy, &mode, mask, 1024, NULL, 0);
    printf("%s: %ld mode %#x nodes %lx\n", when, result, mode, mask[0]);
    fflush(stdout);
}

static void numa(void) {
    unsigned long node0 = 1, node1 = 2, both = 3, none = 0, mask[16];
    int mode;
    policy("default");
    SHOW(syscall(SYS_set_mempolicy, MPOL_BIND, &node0, 64));
    policy("bind");
    SHOW(syscall(SYS_set_mempolicy, MPOL_INTERLEAVE, &both, 64));
    policy("interleave");
    SHOW(syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, MPOL_F_NODE));
    SHOW(mode);
    SHOW(syscall(SYS_set_mempolicy, MPOL_PREFERRED, NULL, 0));
    policy("local");
    SHOW(syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, MPOL_F_NODE));
    SHOW(syscall(SYS_set_mempolicy, MPOL_PREFERRED | MPOL_F_STATIC_NODES, &node0, 64));
    policy("static");
    SHOW(syscall(SYS_set_mempolicy, MPOL_PREFERRED | MPOL_F_STATIC_NODES, NULL, 0));
    SHOW(syscall(SYS_set_mempolicy, MPOL_BIND | MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES, &node0, 64));
    SHOW(syscall(SYS_set_mempolicy, MPOL_BIND, &node1, 64));
    SHOW(syscall(SYS_set_mempolicy, MPOL_BIND, &none, 64));
    SHOW(syscall(SYS_set_mempolicy, MPOL_BIND, NULL, 0));
    SHOW(syscall(SYS_set_mempolicy, MPOL_BIND, 8, 64));
    SHOW(syscall(SYS_set_mempolicy, MPOL_LOCAL, &node0, 64));
    SHOW(syscall(SYS_set_mempolicy, MPOL_DEFAULT, &node0, 64));
    SHOW(syscall(SYS_set_mempolicy, 99, &node0, 64));
    SHOW(syscall(SYS_set_mempolicy, -1, &node0, 64));
    SHOW(syscall(SYS_set_mempolicy, MPOL_BIND, &node0, 1 << 20));
    SHOW(syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0));
    policy("default again");
    memset(mask, 255, sizeof mask);
    SHOW(syscall(SYS_get_mempolicy, &mode, mask, 1024, NULL, MPOL_F_MEMS_ALLOWED));
    printf("allowed %lx %lx\n", mask[0], mask[1]);
    SHOW(syscall(SYS_get_mempolicy, &mode, mask, 1024, NULL, MPOL_F_MEMS_ALLOWED | MPOL_F_ADDR));
    SHOW(syscall(SYS_get_mempolicy, &mode, mask, 1024, NULL, 8));
    SHOW(syscall(SYS_get_mempolicy, &mode, mask, 1024, &mode, 0));
    SHOW(syscall(SYS_get_mempolicy, &mode, NULL, 0, 4096, MPOL_F_ADDR));
    SHOW(syscall(SYS_get_mempolicy, &mode, NULL, 0, &mode, MPOL_F_ADDR | MPOL_F_NODE));
    printf("node %d\n", mode);
    SHOW(syscall(SYS_get_mempolicy, 8, NULL, 0, NULL, 0));
    char *memory = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    SHOW(syscall(SYS_mbind, memory, 8192, MPOL_BIND, &node0, 64, MPOL_MF_STRICT));
    SHOW(syscall(SYS_mbind, memory + 1, 8192, MPOL_BIND, &node0, 64, 0));
    SHOW(syscall(SYS_mbind, memory, 8192, MPOL_BIND, &node1, 64, 0));
    SHOW(syscall(SYS_mbind, memory, 8192, MPOL_BIND, &node0, 64, 16));
    SHOW(syscall(SYS_mbind, memory, 0, MPOL_BIND, &node0, 64, 0));
    memory[0] = 1;
    munmap(memory + 4096, 4096);
    SHOW(syscall(SYS_mbind, memory, 3 * 4096, MPOL_BIND, &node0, 64, 0));
    void *pages[3] = {memory, memory + 4096, memory + 8192};
    int status[3] = {9, 9, 9}, nodes[3] = {0, 0, 0};
    SHOW(syscall(SYS_move_pages, 0, 3, pages, NULL, status, 0));
    printf("%d %d\n", status[0], status[1] < 0);
    SHOW(syscall(SYS_move_pages, 0, 1, pages, nodes, status, MPOL_MF_MOVE));
    printf("%d\n", status[0]);
    nodes[0] = 5;
    SHOW(syscall(SYS_move_pages, 0, 1, pages, nodes, status, MPOL_MF_MOVE));
    SHOW(syscall(SYS_move_pages, 0, 1, pages, NULL, status, 1));
    SHOW(syscall(SYS_move_pages, 999999, 1, pages, NULL, status, 0));
    SHOW(syscall(SYS_move_pages, 0, 1, 8, NULL, status, 0));
    SHOW(syscall(SYS_migrate_pages, 0, 64, &node0, &node0));
    SHOW(syscall(SYS_migrate_pages, 999999, 64, &node0, &node0));
    SHOW(syscall(SYS_migrate_pages, 0, 64, 8, &node0));
    SHOW(syscall(SYS_set_mempolicy_home_node, memory, 4096, 0, 1));
    SHOW(syscall(SYS_set_mempolicy_home_node, memory + 1, 4096, 0, 0));
    SHOW(syscall(SYS_set_mempolicy_home_node, memory, 4096, 9999, 0));
}

static unsigned word;

static void *wait_on_word(void *result) {
    *(long *)result = syscall(455, &word, 0, ~0u, 2 | 128, NULL, 0) == -1 ? -errno : 0;
    return NULL;
}

static void futexes(void) {
    struct timespec past = {0};
    SHOW(syscall(455, &word, 1, ~0u, 2, NULL, 0));
    SHOW(syscall(455, &word, 0, ~0u, 2, &past, CLOCK_MONOTONIC));
    SHOW(syscall(455, &word, 0, ~0u, 2, &past, CLOCK_BOOTTIME));
    SHOW(syscall(455, &word, 0, 0, 2, NULL, 0));
    SHOW(syscall(455, &word, 0, ~0u, 0, NULL, 0));
    SHOW(syscall(455, 8, 0, ~0u, 2, NULL, 0));
    SHOW(syscall(455, (char *)&word + 1, 0, ~0u, 2, NULL, 0));
    SHOW(syscall(454, &word, ~0u, 1, 2));
    SHOW(syscall(454, &word, 0, 1, 2));
    SHOW(syscall(454, &word, ~0u, 1, 0x1000));
    SHOW(syscall(454, (char *)&word + 1, ~0u, 1, 2));
    pthread_t thread;
    long result = 1;
    pthread_create(&thread, NULL, wait_on_word, &result);
    int woken = 0;
    for (int i = 0; i < 2000 && woken == 0; i++) {
        usleep(1000);
        woken = (int)syscall(454, &word, ~0u, 1, 2 | 128);
    }
    pthread_join(thread, NULL);
    printf("woken %d, wait %ld\n", woken, result);
    unsigned other = 0;
    struct futex_waitv waiters[2] = {{.uaddr = (unsigned long)&word, .flags = 2 | 128}, {.uaddr = (unsigned long)&other, .flags = 2 | 128}};
    SHOW(syscall(456, waiters, 0, 1, 1));
    waiters[0].val = 7;
    SHOW(syscall(456, waiters, 0, 1, 1));
    SHOW(syscall(456, waiters, 1, 1, 1));
    SHOW(syscall(456, waiters, 0, -1, 1));
    SHOW(syscall(456, 8, 0, 1, 1));
    fflush(stdout);
}

static void others(void) {
    int self = (int)must("pidfd", syscall(SYS_pidfd_open, getpid(), 0));
    char *memory = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memory[0] = 5;
    struct iovec iov[2] = {{memory, 4096}, {memory + 4096, 4096}};
    SHOW(syscall(SYS_process_madvise, self, iov, 2, MADV_COLD, 0));
    SHOW(syscall(SYS_process_madvise, self, iov, 2, MADV_COLD, 1));
    SHOW(syscall(SYS_process_madvise, 0, iov, 2, MADV_COLD, 0));
    SHOW(syscall(SYS_process_madvise, 99, iov, 2, MADV_COLD, 0));
    SHOW(syscall(SYS_process_madvise, self, 8, 2, MADV_COLD, 0));
    SHOW(syscall(SYS_process_madvise, self, iov, 2, 12345, 0));
    fflush(stdout);
    int child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    int pidfd = (int)must("pidfd", syscall(SYS_pidfd_open, child, 0));
    SHOW(syscall(SYS_process_madvise, pidfd, iov, 1, MADV_DONTFORK, 0));
    SHOW(syscall(SYS_process_madvise, pidfd, iov, 1, MADV_COLD, 0));
    kill(child, 9);
    waitpid(child, NULL, 0);
    SHOW(syscall(SYS_process_madvise, pidfd, iov, 1, MADV_COLD, 0));
    struct timex timex = {0};
    SHOW(syscall(SYS_adjtimex, 8));
    SHOW(syscall(SYS_clock_adjtime, CLOCK_REALTIME, 8));
    SHOW(syscall(SYS_clock_adjtime, CLOCK_MONOTONIC, &timex));
    SHOW(syscall(SYS_clock_adjtime, 99, &timex));
    SHOW(adjtimex(&timex) >= 0);
    printf("tick %ld, %d\n", timex.tick, timex.time.tv_sec > 1000000000);
    if (setuid(1000) == 0) {
        timex.modes = ADJ_TICK;
        SHOW(adjtimex(&timex));
        SHOW(syscall(SYS_swapon, "/x", 0));
        SHOW(syscall(SYS_swapoff, "/x"));
        SHOW(syscall(SYS_acct, NULL));
        SHOW(syscall(SYS_vhangup));
    }
}

int main(void) {
    numa();
    futexes();
    others();
    return 0;
}
