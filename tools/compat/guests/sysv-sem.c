/* System V semaphores, semget(2), semop(2), semctl(2): waits of each kind, atomicity, undo at exit and every error. */
#include "show.h"
#include <signal.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <time.h>

union semun {
    int val;
    struct semid_ds *buf;
    unsigned short *array;
};

static int op(int id, int num, int by, int flags) {
    struct sembuf one = {(unsigned short)num, (short)by, (short)flags};
    return semop(id, &one, 1);
}

static int value(int id, int num) { return semctl(id, num, GETVAL); }

static void values(int id, const char *when) {
    printf("%s: %d %d %d\n", when, value(id, 0), value(id, 1), value(id, 2));
    fflush(stdout);
}

static void until_waiting(int id, int num, int cmd, int count) {
    while (semctl(id, num, cmd) != count) usleep(2000);
}

static void on_signal(int signo) { (void)signo; }

static void show_waits(int id) {
    pid_t child = fork();
    if (child == 0) {
        SHOW(op(id, 0, -2, 0));
        values(id, "child took");
        SHOW(op(id, 0, 0, 0));
        _exit(0);
    }
    until_waiting(id, 0, GETNCNT, 1);
    SHOW(op(id, 0, 1, 0));
    until_waiting(id, 0, GETNCNT, 1);
    op(id, 0, 2, 0);
    until_waiting(id, 0, GETZCNT, 1);
    int result = op(id, 0, -1, 0);
    waitpid(child, NULL, 0);
    SHOW(result);
    printf("last pid is own: %d\n", semctl(id, 0, GETPID) == getpid() || semctl(id, 0, GETPID) == child);

    struct sembuf both[2] = {{0, 5, 0}, {1, -1, IPC_NOWAIT}};
    SHOW(semop(id, both, 2));
    values(id, "nothing done");
    both[1].sem_op = 1;
    SHOW(semop(id, both, 2));
    values(id, "both done");
    struct sembuf twice[3] = {{0, -5, 0}, {0, 0, 0}, {0, 7, 0}};
    SHOW(semop(id, twice, 3));
    values(id, "one semaphore three times");

    struct timespec short_time = {0, 30000000}, bad = {0, 1000000000};
    struct sembuf take = {2, -1, 0};
    SHOW(semtimedop(id, &take, 1, &short_time));
    SHOW(semtimedop(id, &take, 1, &bad));
    signal(SIGALRM, on_signal);
    struct sigaction action;
    sigaction(SIGALRM, NULL, &action);
    action.sa_flags |= SA_RESTART;
    sigaction(SIGALRM, &action, NULL);
    alarm(1);
    SHOW(op(id, 2, -1, 0));
}

static void show_undo(int id) {
    union semun arg = {.val = 10};
    semctl(id, 0, SETVAL, arg);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        SHOW(op(id, 0, -4, SEM_UNDO));
        SHOW(op(id, 1, 3, SEM_UNDO));
        SHOW(op(id, 2, 1, 0));
        values(id, "in the child");
        _exit(0);
    }
    waitpid(child, NULL, 0);
    values(id, "after its exit");
    child = fork();
    if (child == 0) {
        SHOW(op(id, 0, -4, SEM_UNDO));
        arg.val = 1;
        SHOW(semctl(id, 0, SETVAL, arg));
        SHOW(op(id, 1, 32000, SEM_UNDO));
        SHOW(op(id, 1, -32000, 0));
        SHOW(op(id, 1, 32000, SEM_UNDO));
        kill(getpid(), SIGKILL);
    }
    waitpid(child, NULL, 0);
    values(id, "after its death");
}

static void show_errors(int id) {
    union semun arg;
    SHOW(semget(0x5e31, 1, 0600));
    SHOW(semget(0x5e31, 0, IPC_CREAT | 0600));
    SHOW(semget(IPC_PRIVATE, -1, 0600));
    SHOW(semget(IPC_PRIVATE, 32001, 0600));
    SHOW(semget(0x5e30, 4, 0600));
    SHOW(semget(0x5e30, 3, IPC_CREAT | IPC_EXCL | 0600));
    SHOW(op(id, 3, 1, 0));
    SHOW(op(-1, 0, 1, 0));
    SHOW(op(id + 1, 0, 1, 0));
    SHOW(semop(id, NULL, 0));
    SHOW(semop(id, NULL, 501));
    SHOW(semop(id, NULL, 1));
    SHOW(op(id, 2, -1, IPC_NOWAIT));
    SHOW(op(id, 0, 0, IPC_NOWAIT));
    SHOW(op(id, 0, 32767, 0));
    SHOW(semctl(id, 3, GETVAL));
    SHOW(semctl(id, -1, GETPID));
    arg.val = 32768;
    SHOW(semctl(id, 0, SETVAL, arg));
    arg.val = -1;
    SHOW(semctl(id, 0, SETVAL, arg));
    unsigned short three[3] = {1, 2, 40000};
    arg.array = three;
    SHOW(semctl(id, 0, SETALL, arg));
    three[2] = 3;
    SHOW(semctl(id, 0, SETALL, arg));
    memset(three, 0, sizeof three);
    SHOW(semctl(id, 0, GETALL, arg));
    printf("%d %d %d\n", three[0], three[1], three[2]);
    arg.array = (void *)8;
    SHOW(semctl(id, 0, GETALL, arg));
    SHOW(semctl(id, 0, 99));
}

int main(void) {
    int id = semget(0x5e30, 3, IPC_CREAT | IPC_EXCL | 0600);
    must("semget", id);
    struct semid_ds ds;
    union semun arg = {.buf = &ds};
    SHOW(semctl(id, 0, IPC_STAT, arg));
    printf("count %lu otime %ld ctime %d mode %o\n", (unsigned long)ds.sem_nsems, (long)ds.sem_otime, ds.sem_ctime != 0, ds.sem_perm.mode);
    values(id, "new");
    show_waits(id);
    show_undo(id);
    show_errors(id);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        arg.val = 0;
        semctl(id, 0, SETVAL, arg);
        SHOW(op(id, 0, -1, 0));
        _exit(0);
    }
    until_waiting(id, 0, GETNCNT, 1);
    int result = semctl(id, 0, IPC_RMID);
    waitpid(child, NULL, 0);
    SHOW(result);
    SHOW(semctl(id, 0, GETVAL));
    SHOW(op(id, 0, 1, 0));
    return 0;
}
