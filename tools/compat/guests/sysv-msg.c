/* System V message queues, msgget(2), msgsnd(2), msgrcv(2), msgctl(2): order, types, waits, limits and every error. */
#include "show.h"
#include <signal.h>
#include <sys/msg.h>
#include <sys/wait.h>

struct message {
    long type;
    char text[9000];
};

static int send(int id, long type, const char *text, int flags) {
    struct message message = {.type = type};
    strcpy(message.text, text);
    return msgsnd(id, &message, strlen(text), flags);
}

static void receive(int id, long type, size_t room, int flags) {
    struct message message;
    memset(&message, 0, sizeof message);
    long result = msgrcv(id, &message, room, type, flags);
    if (result < 0) printf("receive %ld: %s\n", type, strerrorname_np(errno));
    else printf("receive %ld: %ld bytes, type %ld, %s\n", type, result, message.type, message.text);
    fflush(stdout);
}

static void state(int id, const char *when) {
    struct msqid_ds ds;
    if (SHOW(msgctl(id, IPC_STAT, &ds)) < 0) return;
    printf("%s: %lu messages, %lu bytes of %lu, mode %o, sender %d receiver %d\n", when, (unsigned long)ds.msg_qnum,
           (unsigned long)ds.__msg_cbytes, (unsigned long)ds.msg_qbytes, ds.msg_perm.mode, ds.msg_lspid != 0,
           ds.msg_lrpid != 0);
}

static void on_signal(int signo) { (void)signo; }

int main(void) {
    int id = msgget(0x3e50, IPC_CREAT | IPC_EXCL | 0600);
    must("msgget", id);
    state(id, "new");
    SHOW(msgget(0x3e50, IPC_CREAT | IPC_EXCL | 0600));
    SHOW(msgget(0x3e51, 0600));
    SHOW(msgget(0x3e50, 0) == id);
    SHOW(send(id, 3, "three", 0));
    SHOW(send(id, 1, "one", 0));
    SHOW(send(id, 2, "two", 0));
    SHOW(send(id, 1, "one again", 0));
    state(id, "four");
    receive(id, 1, 100, MSG_COPY | IPC_NOWAIT);
    receive(id, 9, 100, MSG_COPY | IPC_NOWAIT);
    receive(id, 1, 100, MSG_COPY);
    receive(id, -2, 100, 0);
    receive(id, 1, 3, 0);
    receive(id, 1, 3, MSG_NOERROR);
    receive(id, 3, 100, MSG_EXCEPT);
    receive(id, 5, 100, IPC_NOWAIT);
    receive(id, 0, 100, 0);
    receive(id, 0, 100, IPC_NOWAIT);
    state(id, "empty");
    SHOW(send(id, 0, "x", 0));
    SHOW(send(id, -1, "x", 0));
    SHOW(send(-1, 1, "x", 0));
    SHOW(send(id + 1, 1, "x", 0));
    SHOW(msgsnd(id, (void *)8, 1, 0));
    struct message big = {.type = 1};
    SHOW(msgsnd(id, &big, 8193, 0));
    SHOW(msgsnd(id, &big, 8192, 0));
    SHOW(msgsnd(id, &big, 8192, 0));
    SHOW(msgsnd(id, &big, 1, IPC_NOWAIT));
    SHOW(msgsnd(id, &big, 0, IPC_NOWAIT));
    SHOW(msgrcv(id, (void *)8, 8192, 0, 0));
    pid_t child = fork();
    if (child == 0) {
        int result = msgsnd(id, &big, 8192, 0);
        _exit(result == 0 ? 7 : 1);
    }
    usleep(50000);
    SHOW(msgrcv(id, &big, 8192, 0, 0));
    SHOW(msgrcv(id, &big, 8192, 0, 0));
    int status;
    waitpid(child, &status, 0);
    printf("sender %d\n", WEXITSTATUS(status));
    SHOW(msgrcv(id, &big, 8192, 0, 0));
    signal(SIGALRM, on_signal);
    alarm(1);
    SHOW(msgrcv(id, &big, 8192, 0, 0));
    struct msqid_ds ds;
    msgctl(id, IPC_STAT, &ds);
    ds.msg_qbytes = 4;
    ds.msg_perm.mode = 0400;
    SHOW(msgctl(id, IPC_SET, &ds));
    SHOW(send(id, 1, "12345", IPC_NOWAIT));
    SHOW(send(id, 1, "1234", IPC_NOWAIT));
    state(id, "small");
    SHOW(msgctl(id, 99, &ds));
    SHOW(msgctl(id, IPC_STAT, (void *)8));
    fflush(stdout);
    child = fork();
    if (child == 0) {
        setuid(1000);
        SHOW(msgget(0x3e50, 0600));
        receive(id, 0, 10, IPC_NOWAIT);
        SHOW(send(id, 1, "x", IPC_NOWAIT));
        SHOW(msgctl(id, IPC_STAT, &ds));
        SHOW(msgctl(id, IPC_RMID, NULL));
        _exit(0);
    }
    waitpid(child, NULL, 0);
    child = fork();
    if (child == 0) {
        receive(id, 77, 10, 0);
        _exit(0);
    }
    usleep(100000);
    int result = msgctl(id, IPC_RMID, NULL);
    waitpid(child, NULL, 0);
    SHOW(result);
    SHOW(msgctl(id, IPC_STAT, &ds));
    return 0;
}
