/*
 * System call micro-benchmarks: `micro BUDGET_MS NAME...` prints `name nanoseconds` a line, the median of batches of
 * each operation.
 */
#include "measure.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char buffer[65536];
static int zero_fd, null_fd, file_fd, pipe_fds[2], to_echo[2], to_us[2];
static pthread_t echo_thread;
static pid_t echo_pid;

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
static void remove_file(void) { unlink("/dev/shm/tsv-bench"); }
static void op_pipe(void) {
    must(write(pipe_fds[1], "x", 1) == 1 && read(pipe_fds[0], buffer, 1) == 1, "pipe");
}
static void op_ping_pong(void) {
    must(write(to_echo[1], "x", 1) == 1 && read(to_us[0], buffer, 1) == 1, "ping-pong");
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

static void *echo(void *arg) {
    char byte;
    (void)arg;
    while (read(to_echo[0], &byte, 1) == 1) must(write(to_us[1], &byte, 1) == 1, "echo");
    return NULL;
}
static void make_pipes(void) { must(pipe(to_echo) == 0 && pipe(to_us) == 0, "pipe"); }
static void close_pipes(void) {
    close(to_echo[0]);
    close(to_us[0]);
    close(to_us[1]);
}
static void begin_threads(void) {
    make_pipes();
    must(pthread_create(&echo_thread, NULL, echo, NULL) == 0, "thread");
}
static void end_threads(void) {
    close(to_echo[1]);
    pthread_join(echo_thread, NULL);
    close_pipes();
}
static void begin_processes(void) {
    make_pipes();
    echo_pid = fork();
    if (echo_pid == 0) {
        close(to_echo[1]);
        echo(NULL);
        _exit(0);
    }
}
static void end_processes(void) {
    close(to_echo[1]);
    waitpid(echo_pid, NULL, 0);
    close_pipes();
}

static const struct bench table[] = {
    {"getpid", op_getpid, NULL, NULL},
    {"clock_gettime", op_clock, NULL, NULL},
    {"read_zero_4k", op_read, NULL, NULL},
    {"write_null_4k", op_write, NULL, NULL},
    {"lseek", op_lseek, NULL, NULL},
    {"fstat", op_fstat, NULL, NULL},
    {"stat_tmpfs", op_stat_tmpfs, NULL, NULL},
    {"stat_rootfs", op_stat_root, NULL, NULL},
    {"open_close_tmpfs", op_open_tmpfs, NULL, remove_file},
    {"open_close_rootfs", op_open_root, NULL, NULL},
    {"pipe_write_read", op_pipe, NULL, NULL},
    {"ping_pong_threads", op_ping_pong, begin_threads, end_threads},
    {"ping_pong_processes", op_ping_pong, begin_processes, end_processes},
    {"mmap_touch_munmap_64k", op_mmap, NULL, NULL},
    {"fork_wait", op_fork, NULL, NULL},
    {"vfork_exec_true", op_exec, NULL, NULL},
    {NULL, NULL, NULL, NULL},
};

int main(int argc, char **argv) {
    must(argc > 2, "usage: micro BUDGET_MS NAME...");
    zero_fd = open("/dev/zero", O_RDONLY);
    null_fd = open("/dev/null", O_WRONLY);
    file_fd = open("/etc/passwd", O_RDONLY);
    must(zero_fd >= 0 && null_fd >= 0 && file_fd >= 0 && pipe(pipe_fds) == 0, "open");
    measure_named(table, argc, argv, 2, atof(argv[1]) * 1e6);
    return 0;
}
