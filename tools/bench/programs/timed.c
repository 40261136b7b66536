/* `timed [--again] NAME COMMAND...` runs a command with its output thrown away and prints `NAME nanoseconds`: with --again,
   what it takes the second time. */
#include "clock.h"
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Returns what `argv` took, or ends this program when that fails. */
static double run(char **argv) {
    double start = now_ns();
    pid_t pid = fork();
    must(pid >= 0, "fork");
    if (pid == 0) {
        must(dup2(open("/dev/null", O_WRONLY), 1) == 1, "stdout");
        execvp(argv[0], argv);
        must(0, argv[0]);
    }
    int status = -1;
    must(waitpid(pid, &status, 0) == pid, "wait");
    if (status != 0) {
        fprintf(stderr, "Cannot measure: %s: wait status %#x\n", argv[0], (unsigned)status);
        exit(1);
    }
    return now_ns() - start;
}

int main(int argc, char **argv) {
    int is_again = argc > 1 && strcmp(argv[1], "--again") == 0;
    argv += is_again;
    must(argc - is_again > 2, "usage: timed [--again] NAME COMMAND...");
    if (is_again) run(argv + 2);
    printf("%s %.0f\n", argv[1], run(argv + 2));
    return 0;
}
