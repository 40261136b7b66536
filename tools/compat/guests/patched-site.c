/*
 * System call sites that have been used so often that a kernel in user space might have changed them: tracers that step over
 * them, stop at them and read them, code that can only be executed or is shared, and registers.
 */
#include "show.h"
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

/* getpid, and a call of any number, as libraries have them. */
long hot(void);
__asm__(".balign 64\nhot: endbr64\n mov $39, %eax\n syscall\n ret");
enum { MOV_AT = 4, SYSCALL_AT = 9, RET_AT = 11, OFTEN = 100 };

static const unsigned char *const code = (const unsigned char *)hot;
static const unsigned char in_file[] = {0xf3, 0x0f, 0x1e, 0xfa, 0xb8, SYS_getpid, 0, 0, 0, 0x0f, 0x05, 0xc3};

static void warm(void) {
    for (int i = 0; i < OFTEN; i++)
        if (hot() != getpid()) printf("another process\n");
}

/* A traced child that has called `hot` often, and is about to call it once more. */
static pid_t traced(void) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        warm();
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        long result = hot();
        _exit(result == syscall(SYS_getpid) ? 7 : result == syscall(SYS_getppid) ? 8 : 9);
    }
    waitpid(pid, NULL, 0);
    return pid;
}

static struct user_regs_struct registers_of(pid_t pid) {
    struct user_regs_struct regs;
    must("get registers", ptrace(PTRACE_GETREGS, pid, NULL, &regs));
    return regs;
}

static long place_of(pid_t pid) { return (long)(registers_of(pid).rip - (uintptr_t)code); }

/* Lets it go on; whether it has stopped. */
static int goes_on(pid_t pid, int request) {
    int status;
    must("resume", ptrace(request, pid, NULL, NULL));
    must("wait", waitpid(pid, &status, 0));
    if (WIFEXITED(status)) printf("exited %d\n", WEXITSTATUS(status));
    return WIFSTOPPED(status);
}

static void step_over(void) {
    pid_t pid = traced();
    int steps = 0;
    while (place_of(pid) != 0 && steps++ < 100000)
        if (!goes_on(pid, PTRACE_SINGLESTEP)) return;
    for (long at = 0; at >= 0 && at <= RET_AT; at = place_of(pid)) {
        printf("step at %ld, rax is %s\n", at, at <= MOV_AT ? "any" : registers_of(pid).rax == 39 ? "39" : "the result");
        if (!goes_on(pid, PTRACE_SINGLESTEP)) return;
    }
    goes_on(pid, PTRACE_CONT);
}

static void stop_at_calls(void) {
    pid_t pid = traced();
    ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD);
    do {
        if (!goes_on(pid, PTRACE_SYSCALL)) return;
    } while (place_of(pid) != RET_AT);
    printf("entry of %lld, rax %lld\n", registers_of(pid).orig_rax, (long long)registers_of(pid).rax);
    ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, orig_rax), SYS_getppid);
    goes_on(pid, PTRACE_SYSCALL);
    printf("exit at %ld, result is %s\n", place_of(pid), registers_of(pid).rax == (unsigned)getpid() ? "mine" : "wrong");
    goes_on(pid, PTRACE_CONT);
}

/* A breakpoint on each instruction, one after the other, as a debugger sets it. */
static void breakpoint_at(int offset) {
    pid_t pid = traced();
    void *at = (void *)(code + offset);
    long word = ptrace(PTRACE_PEEKTEXT, pid, at, NULL);
    printf("word at %d is %s\n", offset, memcmp(&word, in_file + offset, offset == RET_AT ? 1 : 2) == 0 ? "as the file has it" : "another");
    must("poke", ptrace(PTRACE_POKETEXT, pid, at, (word & ~0xffL) | 0xcc));
    if (!goes_on(pid, PTRACE_CONT)) return;
    printf("stopped at %ld\n", place_of(pid));
    must("poke", ptrace(PTRACE_POKETEXT, pid, at, word));
    ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, rip), at);
    if (!goes_on(pid, PTRACE_SINGLESTEP)) return;
    if (offset != RET_AT) printf("stepped to %ld\n", place_of(pid));
    goes_on(pid, PTRACE_CONT);
}

/* What /proc/self/mem and process_vm_readv(2) say of the code, after it was used. */
static void read_back(void) {
    unsigned char bytes[sizeof in_file];
    int fd = open("/proc/self/mem", O_RDONLY);
    warm();
    SHOW(pread(fd, bytes, sizeof bytes, (off_t)(uintptr_t)code));
    printf("the bytes are %s\n", memcmp(bytes, in_file, sizeof bytes) == 0 ? "the file's" : "others");
    warm();
    close(fd);
}

/* The same code from a file, mapped so. */
static void mapped(const char *what, int prot, int flags) {
    char name[] = "./code-XXXXXX";
    int fd = (int)must("make a file", mkstemp(name));
    unlink(name);
    must("write", write(fd, in_file, sizeof in_file));
    must("size", ftruncate(fd, 4096));
    void *page = mmap(NULL, 4096, prot, flags, fd, 0);
    long (*call)(void) = (long (*)(void))page;
    int wrong = 0;
    for (int i = 0; i < OFTEN; i++) wrong += call() != getpid();
    if (flags == MAP_SHARED) {
        static const unsigned char number = SYS_getppid;
        must("write", pwrite(fd, &number, 1, MOV_AT + 1));
        for (int i = 0; i < OFTEN; i++) wrong += call() != getppid();
    }
    printf("%s: %d wrong\n", what, wrong);
    if (prot & PROT_WRITE) return;
    SHOW(mprotect(page, 4096, PROT_READ | PROT_WRITE));
    printf("what was executed is %s\n", memcmp(page, in_file, MOV_AT + 1) == 0 ? "as before" : "changed");
    munmap(page, 4096);
    close(fd);
}

/* All of ymm0 to ymm15 and the flags, across a call. */
static void vectors(void) {
    unsigned char before[16][32], after[16][32];
    if (!__builtin_cpu_supports("avx")) return;
    warm();
    for (int i = 0; i < 16; i++) memset(before[i], 0x11 + i, 32);
#define EACH(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13) DO(14) DO(15)
#define LOAD(i) "vmovdqu " #i "*32(%0), %%ymm" #i "\n"
#define STORE(i) "vmovdqu %%ymm" #i ", " #i "*32(%1)\n"
    unsigned char *from = before[0], *to = after[0];
    unsigned long flags;
    __asm__ volatile(EACH(LOAD) "stc\n std\n call hot\n pushfq\n pop %2\n cld\n" EACH(STORE)
                     : "+b"(from), "+D"(to), "=&S"(flags)
                     :
                     : "rax", "rcx", "r11", "memory", "cc");
    printf("vectors are %s, flags %#lx\n", memcmp(before, after, sizeof before) == 0 ? "kept" : "lost", flags & 0x401);
}

int main(void) {
    warm();
    step_over();
    stop_at_calls();
    breakpoint_at(0);
    breakpoint_at(MOV_AT);
    breakpoint_at(SYSCALL_AT);
    breakpoint_at(RET_AT);
    read_back();
    mapped("private", PROT_READ | PROT_EXEC, MAP_PRIVATE);
    mapped("only executable", PROT_EXEC, MAP_PRIVATE);
    mapped("shared", PROT_READ | PROT_EXEC, MAP_SHARED);
    mapped("writable", PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE);
    vectors();
    return 0;
}
