/* ptrace(2) as strace and gdb use it: stops of each kind, registers and memory, steps, events, options and errors. */
#include "show.h"
#include <signal.h>
#include <stddef.h>
#include <elf.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

static volatile int handled;
static void on_signal(int signo) { handled = signo; }

static void stop_of(pid_t pid, const char *what) {
    int status;
    pid_t got = waitpid(pid, &status, __WALL);
    if (got != pid) printf("%s: waited %s\n", what, got < 0 ? strerrorname_np(errno) : "for another");
    else if (WIFEXITED(status)) printf("%s: exited %d\n", what, WEXITSTATUS(status));
    else if (WIFSIGNALED(status)) printf("%s: killed by %d\n", what, WTERMSIG(status));
    else printf("%s: stopped %#x\n", what, status >> 8);
    fflush(stdout);
}

static void siginfo_of(pid_t pid) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    if (SHOW(ptrace(PTRACE_GETSIGINFO, pid, NULL, &info)) == 0)
        printf("signo %d code %#x from child %d\n", info.si_signo, (unsigned)info.si_code, info.si_pid == pid);
}

static void syscall_info(pid_t pid) {
    struct __ptrace_syscall_info info;
    memset(&info, 0, sizeof info);
    SHOW(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info));
    if (info.op == 1)
        printf("entry %lld(%lld)\n", (long long)info.entry.nr, (long long)info.entry.args[0]);
    else if (info.op == 2) printf("exit %lld error %d\n", (long long)info.exit.rval, info.exit.is_error);
    else printf("op %d\n", info.op);
}

static pid_t traced(void (*body)(void)) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid != 0) return pid;
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
    body();
    _exit(7);
}

static void calls(void) {
    syscall(SYS_getppid, 11);
    syscall(SYS_close, 999);
    signal(SIGUSR1, on_signal);
    raise(SIGUSR1);
    _exit(handled);
}

static void show_syscalls(void) {
    pid_t pid = traced(calls);
    stop_of(pid, "first");
    siginfo_of(pid);
    SHOW(ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD));
    SHOW(ptrace(PTRACE_SETOPTIONS, pid, NULL, 1 << 30));
    struct user_regs_struct regs;
    for (int i = 0; i < 6; i++) {
        SHOW(ptrace(PTRACE_SYSCALL, pid, NULL, 0));
        stop_of(pid, "syscall");
        ptrace(PTRACE_GETREGS, pid, NULL, &regs);
        printf("orig_rax %lld rax %lld\n", (long long)regs.orig_rax, i == 1 ? 0LL : (long long)regs.rax);
        if (i == 1) continue;
        syscall_info(pid);
        siginfo_of(pid);
    }
    do {
        ptrace(PTRACE_CONT, pid, NULL, 0);
        int status;
        waitpid(pid, &status, 0);
        printf("stopped %#x\n", status >> 8);
        if (status >> 8 == SIGUSR1) break;
    } while (1);
    SHOW(ptrace(PTRACE_CONT, pid, NULL, SIGUSR2));
    stop_of(pid, "changed signal");
}

static void getppid_then_exit(void) { _exit(syscall(SYS_getppid) == 4242 ? 3 : 4); }

static void show_changes(void) {
    pid_t pid = traced(getppid_then_exit);
    stop_of(pid, "first");
    do {
        ptrace(PTRACE_SYSCALL, pid, NULL, 0);
        waitpid(pid, NULL, 0);
    } while (ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user_regs_struct, orig_rax), NULL) != SYS_getppid);
    SHOW(ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user_regs_struct, rax), NULL) == -ENOSYS);
    SHOW(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, orig_rax), -1L));
    SHOW(ptrace(PTRACE_SYSCALL, pid, NULL, 0));
    stop_of(pid, "skipped");
    SHOW(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, rax), 4242L));
    SHOW(ptrace(PTRACE_POKEUSER, pid, 5, 0L));
    SHOW(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, cs), 0L));
    SHOW(ptrace(PTRACE_CONT, pid, NULL, 0));
    stop_of(pid, "result changed");
}

static int data = 5;
static const int constant = 6;

static void steps(void) {
    __asm__ volatile("nop; nop; nop" ::: "memory");
    raise(SIGTRAP);
    _exit(data + *(const volatile int *)&constant);
}

static void show_memory(void) {
    pid_t pid = traced(steps);
    stop_of(pid, "first");
    SHOW(ptrace(PTRACE_PEEKDATA, pid, &data, NULL) & 0xffffffff);
    SHOW(ptrace(PTRACE_POKEDATA, pid, &data, 50L));
    SHOW(ptrace(PTRACE_POKEDATA, pid, &constant, 60L));
    SHOW(ptrace(PTRACE_PEEKDATA, pid, (void *)8, NULL));
    SHOW(ptrace(PTRACE_POKEDATA, pid, (void *)8, NULL));
    struct user_regs_struct before, after;
    struct iovec iov = {&before, sizeof before};
    SHOW(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &iov));
    printf("%zu bytes, cs %#llx ss %#llx\n", iov.iov_len, before.cs, before.ss);
    for (int i = 0; i < 3; i++) {
        SHOW(ptrace(PTRACE_SINGLESTEP, pid, NULL, 0));
        stop_of(pid, "step");
        ptrace(PTRACE_GETREGS, pid, NULL, &after);
        printf("moved %d trap flag %d\n", after.rip != before.rip, (int)(after.eflags >> 8 & 1));
        before = after;
    }
    siginfo_t info;
    ptrace(PTRACE_GETSIGINFO, pid, NULL, &info);
    printf("step signo %d\n", info.si_signo);
    char fp[512];
    struct iovec fpregs = {fp, sizeof fp};
    SHOW(ptrace(PTRACE_GETREGSET, pid, NT_PRFPREG, &fpregs));
    SHOW(ptrace(PTRACE_SETREGSET, pid, NT_PRFPREG, &fpregs));
    SHOW(ptrace(PTRACE_GETREGSET, pid, 0x7777, &fpregs));
    unsigned long long mask = 0;
    SHOW(ptrace(PTRACE_GETSIGMASK, pid, 8, &mask));
    SHOW(ptrace(PTRACE_GETSIGMASK, pid, 4, &mask));
    SHOW(ptrace(PTRACE_CONT, pid, NULL, 0));
    stop_of(pid, "raised");
    SHOW(ptrace(PTRACE_CONT, pid, NULL, 0));
    stop_of(pid, "memory changed");
}

static void family(void) {
    pid_t child = fork();
    if (child == 0) _exit(1);
    waitpid(child, NULL, 0);
    if (vfork() == 0) _exit(2);
    execl("/bin/true", "true", NULL);
}

static void show_events(void) {
    pid_t pid = traced(family);
    stop_of(pid, "first");
    long options = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE | PTRACE_O_TRACEEXEC |
                   PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL;
    SHOW(ptrace(PTRACE_SETOPTIONS, pid, NULL, options));
    int live = 1;
    unsigned long message;
    ptrace(PTRACE_CONT, pid, NULL, 0);
    while (live > 0) {
        int status;
        pid_t got = waitpid(-1, &status, __WALL);
        const char *who = got == pid ? "parent" : "child";
        if (!WIFSTOPPED(status)) {
            live--;
            if (got == pid) printf("parent ended %#x\n", status);
            continue;
        }
        int event = status >> 16;
        message = 0;
        ptrace(PTRACE_GETEVENTMSG, got, NULL, &message);
        if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK) live++;
        if (got == pid && status >> 8 != SIGCHLD)
            printf("%s stopped %#x message %s\n", who, status >> 8,
                   event == PTRACE_EVENT_EXIT ? (message == 0 ? "0" : "status") : message == (unsigned long)pid ? "own" : message ? "pid" : "0");
        ptrace(PTRACE_CONT, got, NULL, WSTOPSIG(status) == SIGCHLD ? SIGCHLD : 0);
    }
}

static void show_attachment(void) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) for (;;) pause();
    SHOW(ptrace(PTRACE_CONT, pid, NULL, 0));
    SHOW(ptrace(PTRACE_SEIZE, pid, NULL, 1 << 30));
    SHOW(ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACESYSGOOD));
    SHOW(ptrace(PTRACE_SEIZE, pid, NULL, 0));
    SHOW(ptrace(PTRACE_ATTACH, pid, NULL, 0));
    SHOW(ptrace(PTRACE_CONT, pid, NULL, 0));
    SHOW(ptrace(PTRACE_INTERRUPT, pid, NULL, 0));
    stop_of(pid, "interrupted");
    SHOW(ptrace(PTRACE_LISTEN, pid, NULL, 0));
    SHOW(ptrace(PTRACE_INTERRUPT, pid, NULL, 0));
    stop_of(pid, "again");
    SHOW(ptrace(PTRACE_CONT, pid, NULL, 0));
    kill(pid, SIGSTOP);
    stop_of(pid, "signal");
    SHOW(ptrace(PTRACE_CONT, pid, NULL, SIGSTOP));
    stop_of(pid, "group stop");
    SHOW(ptrace(PTRACE_LISTEN, pid, NULL, 0));
    kill(pid, SIGCONT);
    stop_of(pid, "continued");
    SHOW(ptrace(PTRACE_CONT, pid, NULL, 0));
    stop_of(pid, "the signal of that");
    SHOW(ptrace(PTRACE_DETACH, pid, NULL, 0));
    SHOW(ptrace(PTRACE_DETACH, pid, NULL, 0));
    SHOW(ptrace(PTRACE_ATTACH, pid, NULL, 0));
    stop_of(pid, "attached");
    SHOW(ptrace(PTRACE_LISTEN, pid, NULL, 0));
    SHOW(ptrace(PTRACE_INTERRUPT, pid, NULL, 0));
    SHOW(ptrace(12345, pid, NULL, 0));
    SHOW(ptrace(PTRACE_DETACH, pid, NULL, SIGTERM));
    stop_of(pid, "detached");
    SHOW(ptrace(PTRACE_ATTACH, 99999, NULL, 0));
    SHOW(ptrace(PTRACE_ATTACH, getpid(), NULL, 0));
}

int main(void) {
    show_syscalls();
    show_changes();
    show_memory();
    show_events();
    show_attachment();
    return 0;
}
