/* System calls from code of its own: sites of several shapes, hammered by threads while signals come and the code is
   unmapped, mapped again, made writable and moved. Prints what must be the same wherever it runs. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, THREADS = 3 };

/* Each takes the number in rdi: the shapes of compilers, libc's syscall(3), musl's cancellable calls. */
static const unsigned char code[] = {
    /* 0: endbr64; mov $SYS_getppid, %eax; syscall; ret */
    0xf3, 0x0f, 0x1e, 0xfa, 0xb8, 110, 0, 0, 0, 0x0f, 0x05, 0xc3, 0x90, 0x90, 0x90, 0x90,
    /* 16: mov %rdi, %rax; syscall; cmp $-4095, %rax; jae 1f; ret; 1: mov $-1, %rax; ret */
    0x48, 0x89, 0xf8, 0x0f, 0x05, 0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff, 0x73, 0x01, 0xc3, 0x48, 0xc7, 0xc0, 0xff, 0xff,
    0xff, 0xff, 0xc3, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
    /* 48: mov %rdi, %rax; syscall; ret; jmp 1f; 1: ret */
    0x48, 0x89, 0xf8, 0x0f, 0x05, 0xc3, 0xe9, 0, 0, 0, 0, 0xc3, 0x90, 0x90, 0x90, 0x90,
};
static const int entries[] = {0, 16, 48};

typedef long (*entry_fn)(long);
static char *volatile base;
static volatile int is_over, signal_count;
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static long wrong_count;

static void must(int ok, const char *what) {
    if (ok) return;
    perror(what);
    exit(1);
}

static void on_alarm(int signo) {
    (void)signo;
    signal_count++;
    if (((entry_fn)(base + entries[1]))(SYS_getppid) != getppid()) wrong_count++;
}

static void *hammer(void *arg) {
    long expected = getppid(), wrong = 0;
    (void)arg;
    for (unsigned i = 0; !is_over; i++) {
        /* The code can be gone only when nobody is in it; it can become writable at any time. */
        pthread_rwlock_rdlock(&lock);
        for (int k = 0; k < 50; k++) wrong += ((entry_fn)(base + entries[(i + (unsigned)k) % 3]))(SYS_getppid) != expected;
        pthread_rwlock_unlock(&lock);
    }
    __sync_fetch_and_add(&wrong_count, wrong);
    return NULL;
}

static char *map_code(int fd, char *at) {
    char *map = mmap(at, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | (at ? MAP_FIXED : 0), fd, 0);
    must(map != MAP_FAILED, "mmap");
    return map;
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    int fd = open("sites.bin", O_RDWR | O_CREAT, 0700);
    must(fd >= 0 && write(fd, code, sizeof code) == (long)sizeof code && ftruncate(fd, PAGE) == 0, "sites.bin");
    base = map_code(fd, NULL);

    /* A warm site gives all registers back that a call may not change: rbx, and rcx and r11 as the processor leaves them. */
    for (int i = 0; i < 200; i++) {
        uint64_t rcx = 1, r11 = 1, rbx = 0x1234567812345678, rax = SYS_getppid;
        for (int k = 0; k < 3; k++) must(((entry_fn)(base + entries[k]))(SYS_getppid) == getppid(), "getppid");
        __asm__ volatile("stc\n syscall\n cmp $-4096, %%rax\n" : "+a"(rax), "=c"(rcx), "=r"(r11), "+b"(rbx)::"r11", "memory");
        must(rbx == 0x1234567812345678 && (pid_t)rax == getppid(), "registers");
    }
    must(((entry_fn)(base + entries[1]))(-1) == -1, "an error");
    puts("warm");

    struct sigaction action = {.sa_handler = on_alarm};
    struct itimerval interval = {{0, 500}, {0, 500}};
    must(sigaction(SIGALRM, &action, NULL) == 0, "sigaction");
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) must(pthread_create(&threads[i], NULL, hammer, NULL) == 0, "pthread_create");
    must(setitimer(ITIMER_REAL, &interval, NULL) == 0, "setitimer");
    for (int round = 0; round < 60; round++) {
        usleep(1000);
        /* Others are executing here. */
        must(mprotect(base, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) == 0, "mprotect");
        must(memcmp(base, code, sizeof code) == 0, "the code, writable, is what was written");
        must(mprotect(base, PAGE, PROT_READ | PROT_EXEC) == 0, "mprotect");
        usleep(1000);
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGALRM);
        pthread_sigmask(SIG_BLOCK, &set, NULL);
        map_code(fd, base);
        pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    }
    interval.it_value.tv_usec = interval.it_interval.tv_usec = 0;
    setitimer(ITIMER_REAL, &interval, NULL);
    is_over = 1;
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    printf("hammered, %ld wrong, signals: %s\n", wrong_count, signal_count > 0 ? "yes" : "no");

    /* Moved code calls from where it is now. */
    char *hole = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 100; i++) ((entry_fn)(base + entries[i % 3]))(SYS_getppid);
    char *moved = mremap(base, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, hole);
    must(moved == hole, "mremap");
    for (int i = 0; i < 100; i++) must(((entry_fn)(moved + entries[i % 3]))(SYS_getppid) == getppid(), "moved");
    base = moved;
    puts("moved");

    /* Children share the sites, and patch and lose them by themselves. */
    for (int i = 0; i < 3; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            long parent = getppid();
            for (int k = 0; k < 100; k++) must(((entry_fn)(base + entries[k % 3]))(SYS_getppid) == parent, "child");
            if (i == 1) must(mprotect(base, PAGE, PROT_READ | PROT_WRITE) == 0 && memcmp(base, code, sizeof code) == 0, "bytes");
            pid = vfork();
            if (pid == 0) _exit(7);
            int status;
            must(waitpid(pid, &status, 0) == pid && status == 7 << 8, "vfork");
            _exit(0);
        }
        int status = -1;
        must(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "fork");
    }
    puts("forked");

    /* What a site has been told before is told anew when it changes: IDs, and the parent of an orphan. */
    int fds[2];
    must(pipe(fds) == 0, "pipe");
    pid_t pid = fork();
    if (pid == 0) {
        pid_t self = getpid();
        if (fork() != 0) {
            close(fds[1]);
            char c;
            must(read(fds[0], &c, 1) == 1, "ready");
            _exit(0);
        }
        entry_fn call = (entry_fn)(base + entries[1]);
        for (int k = 0; k < 100; k++) must(call(SYS_getppid) == self && call(SYS_getpid) == getpid(), "child");
        for (int k = 0; k < 100; k++) must(call(SYS_getuid) == (long)getuid() && call(SYS_geteuid) == (long)geteuid(), "ids");
        if (getuid() == 0) {
            must(setresuid(12, 34, 0) == 0 && call(SYS_getuid) == 12 && call(SYS_geteuid) == 34, "setresuid");
            must(call(SYS_getgid) == 0, "getgid");
        }
        must(write(fds[1], "x", 1) == 1, "write");
        long parent = self;
        for (int k = 0; k < 5000 && parent == self; k++) {
            usleep(1000);
            parent = call(SYS_getppid);
        }
        puts(parent != self ? "adopted" : "still the child of a dead process");
        fflush(stdout);
        _exit(0);
    }
    must(waitpid(pid, NULL, 0) == pid, "waitpid");
    close(fds[1]);
    char c;
    while (read(fds[0], &c, 1) > 0);
    return 0;
}
