/* kcmp(2), ioprio_set(2) and pkey_alloc(2): calls that programs make in passing. */
#include "show.h"
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static long kcmp(pid_t one, pid_t other, int type, unsigned long a, unsigned long b) {
    return syscall(SYS_kcmp, one, other, type, a, b);
}

int main(void) {
    pid_t self = getpid();
    int fd = open("/dev/null", O_RDONLY), copy = dup(fd), second = open("/dev/null", O_RDONLY);
    SHOW(kcmp(self, self, 0, fd, copy));
    SHOW(kcmp(self, self, 0, fd, second) != 0);
    SHOW(kcmp(self, self, 0, fd, 999));
    for (int type = 1; type <= 6; type++) SHOW(kcmp(self, self, type, 0, 0));
    SHOW(kcmp(self, self, 99, 0, 0));
    SHOW(kcmp(self, 99999, 1, 0, 0));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        SHOW(kcmp(self, getpid(), 0, fd, fd));
        for (int type = 1; type <= 4; type++) SHOW(kcmp(self, getpid(), type, 0, 0) != 0);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    SHOW(syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 6));
    SHOW(syscall(SYS_ioprio_get, 1, 0));
    SHOW(syscall(SYS_ioprio_set, 1, 0, 3 << 13));
    SHOW(syscall(SYS_ioprio_get, 1, self));
    SHOW(syscall(SYS_ioprio_set, 1, 0, 1));
    SHOW(syscall(SYS_ioprio_set, 1, 0, 5 << 13));
    SHOW(syscall(SYS_ioprio_set, 9, 0, 2 << 13));
    SHOW(syscall(SYS_ioprio_get, 1, 99999));
    SHOW(syscall(SYS_ioprio_set, 1, 0, 1 << 13));
    setuid(1000);
    SHOW(syscall(SYS_ioprio_set, 1, 0, 1 << 13));
    return 0;
}
