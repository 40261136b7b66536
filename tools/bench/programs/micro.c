/* System call micro-benchmarks: prints `name nanoseconds` a line, the median of batches of each operation. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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

static char buffer[65536];
static int zero_fd, null_fd, file_fd, pipe_fds[2], to_child[2], to_parent[2];

static void op_getpid(void) { must(syscall(SYS_getpid) > 0, "getpid"); }
static void op_clock(void) { now_ns(); }
static void op_read(void) { must(read(zero_fd, buffer, 4096) == 4096, "read"); }
static void op_write(void) { must(write(null_fd, buffer, 4096) == 4096, "write"); }
static void op_lseek(void) { must(lseek(file_fd, 0, SEEK_SET) == 0, "lseek"); }
static void op_fstat(void) {
    struct stat st;
    must(fstat(file_fd, &st) == 0, "fstat");
}
static void op_stat_tmpfs(void) {
    struct stat st;
    must(stat("/dev/shm", &st) == 0, "stat");
}
static void op_stat_root(void) {
    struct stat st;
    must(stat("/etc/passwd", &st) == 0, "stat");
}
static void op_open_tmpfs(void) {
    int fd = open("/dev/shm/tsv-bench", O_RDWR | O_CREAT, 0600);
    must(fd >= 0 && close(fd) == 0, "open");
}
static void op_open_root(void) {
    int fd = open("/etc/passwd", O_RDONLY);
    must(fd >= 0 && close(fd) == 0, "open");
}
static void op_pipe(void) {
    must(write(pipe_fds[1], "x", 1) == 1 && read(pipe_fds[0], buffer, 1) == 1, "pipe");
}
static void op_ping_pong(void) {
    must(write(to_child[1], "x", 1) == 1 && read(to_parent[0], buffer, 1) == 1, "ping-pong");
}
static void op_mmap(void) {
    char *at = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(at != MAP_FAILED, "mmap");
    for (int i = 0; i < 65536; i += 4096) at[i] = 1;
    must(munmap(at, 65536) == 0, "munmap");
}
static void op_fork(void) {
    pid_t pid = fork();
    if (pid == 0) _exit(0);
    must(pid > 0 && waitpid(pid, NULL, 0) == pid, "fork");
}
static void op_exec(void) {
    pid_t pid = vfork();
    if (pid == 0) {
        execl("/bin/true", "true", NULL);
        _exit(127);
    }
    int status = -1;
    must(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "exec");
}

static void *echo_thread(void *arg) {
    char byte;
    (void)arg;
    while (read(to_child[0], &byte, 1) == 1) must(write(to_parent[1], &byte, 1) == 1, "echo");
    return NULL;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Prints the median over batches that take a hundredth of the budget each. */
static void measure(const char *name, void (*op)(void), double budget_ns) {
    static double batches[1024];
    double begin = now_ns();
    int count = 1, taken = 0;
    for (;;) {
        double start = now_ns();
        for (int i = 0; i < count; i++) op();
        if (now_ns() - start > budget_ns / 100 || count >= 1 << 20) break;
        count *= 2;
    }
    while (taken < 3 || (now_ns() - begin < budget_ns && taken < 1024)) {
        double start = now_ns();
        for (int i = 0; i < count; i++) op();
        batches[taken++] = (now_ns() - start) / count;
    }
    qsort(batches, (size_t)taken, sizeof batches[0], compare);
    printf("%s %.1f\n", name, batches[taken / 2]);
    fflush(stdout);
}

int main(int argc, char **argv) {
    double budget_ns = argc > 1 ? atof(argv[1]) * 1e6 : 300e6;
    zero_fd = open("/dev/zero", O_RDONLY);
    null_fd = open("/dev/null", O_WRONLY);
    file_fd = open("/etc/passwd", O_RDONLY);
    must(zero_fd >= 0 && null_fd >= 0 && file_fd >= 0, "open");
    must(pipe(pipe_fds) == 0 && pipe(to_child) == 0 && pipe(to_parent) == 0, "pipe");

    measure("getpid", op_getpid, budget_ns);
    measure("clock_gettime", op_clock, budget_ns);
    measure("read_zero_4k", op_read, budget_ns);
    measure("write_null_4k", op_write, budget_ns);
    measure("lseek", op_lseek, budget_ns);
    measure("fstat", op_fstat, budget_ns);
    measure("stat_tmpfs", op_stat_tmpfs, budget_ns);
    measure("stat_rootfs", op_stat_root, budget_ns);
    measure("open_close_tmpfs", op_open_tmpfs, budget_ns);
    measure("open_close_rootfs", op_open_root, budget_ns);
    measure("pipe_write_read", op_pipe, budget_ns);
    measure("mmap_touch_munmap_64k", op_mmap, budget_ns);
    measure("fork_wait", op_fork, budget_ns);
    measure("vfork_exec_true", op_exec, budget_ns);

    pthread_t thread;
    must(pthread_create(&thread, NULL, echo_thread, NULL) == 0, "thread");
    measure("ping_pong_threads", op_ping_pong, budget_ns);
    close(to_child[1]);
    pthread_join(thread, NULL);
    must(pipe(to_child) == 0, "pipe");
    pid_t pid = fork();
    if (pid == 0) {
        close(to_child[1]);
        echo_thread(NULL);
        _exit(0);
    }
    measure("ping_pong_processes", op_ping_pong, budget_ns);
    close(to_child[1]);
    waitpid(pid, NULL, 0);
    unlink("/dev/shm/tsv-bench");
    return 0;
}
