/* `timed NAME COMMAND...` runs a command with its output thrown away and prints `NAME nanoseconds`. */
#include "clock.h"
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
    must(argc > 2, "usage: timed NAME COMMAND...");
    double start = now_ns();
    pid_t pid = fork();
    must(pid >= 0, "fork");
    if (pid == 0) {
        must(dup2(open("/dev/null", O_WRONLY), 1) == 1, "stdout");
        execvp(argv[2], argv + 2);
        must(0, argv[2]);
    }
    int status = -1;
    must(waitpid(pid, &status, 0) == pid, "wait");
    if (status != 0) {
        fprintf(stderr, "Cannot measure: %s: wait status %#x\n", argv[2], (unsigned)status);
        return 1;
    }
    printf("%s %.0f\n", argv[1], now_ns() - start);
    return 0;
}
