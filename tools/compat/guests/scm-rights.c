/* SCM_RIGHTS and SCM_CREDENTIALS, unix(7): files, sockets and pipes passed, cut short, closed on exec, and peeked at. */
#include "show.h"
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

static long send_fds(int socket, const int *fds, int count) {
    union {
        char bytes[CMSG_SPACE(300 * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec iov = {"m", 1};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control};
    message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
    memcpy(CMSG_DATA(header), fds, (size_t)count * sizeof(int));
    return sendmsg(socket, &message, 0);
}

static int receive_fds(int socket, int *fds, int room, int flags) {
    union {
        char bytes[CMSG_SPACE(300 * sizeof(int))];
        struct cmsghdr align;
    } control;
    char byte;
    struct iovec iov = {&byte, 1};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control};
    message.msg_controllen = room == 0 ? 0 : CMSG_LEN((size_t)room * sizeof(int));
    long result = SHOW(recvmsg(socket, &message, flags));
    if (result < 0) return -1;
    printf("flags %#x, control %zu\n", message.msg_flags, (size_t)message.msg_controllen);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header == NULL) return 0;
    int count = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(fds, CMSG_DATA(header), (size_t)count * sizeof(int));
    printf("level %d type %d count %d\n", header->cmsg_level, header->cmsg_type, count);
    return count;
}

int main(void) {
    int pair[2], pipes[2], got[300];
    must("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    must("pipe", pipe(pipes));
    SHOW(send_fds(pair[0], pipes, 2));
    close(pipes[0]);
    int count = receive_fds(pair[1], got, 4, MSG_CMSG_CLOEXEC);
    SHOW(fcntl(got[0], F_GETFD));
    SHOW(write(got[1], "through", 7));
    char text[16] = "";
    SHOW(read(got[0], text, sizeof text));
    printf("%d %s\n", count, text);

    int three[3] = {got[0], got[1], pair[0]};
    SHOW(send_fds(pair[0], three, 3));
    receive_fds(pair[1], got, 1, 0);
    SHOW(send_fds(pair[0], three, 3));
    receive_fds(pair[1], got, 3, MSG_PEEK);
    receive_fds(pair[1], got, 0, 0);

    int many[300];
    for (int i = 0; i < 300; i++) many[i] = pair[0];
    SHOW(send_fds(pair[0], many, 253));
    SHOW(receive_fds(pair[1], got, 253, 0));
    SHOW(send_fds(pair[0], many, 254));
    int bad[2] = {pair[0], 999};
    SHOW(send_fds(pair[0], bad, 2));

    SHOW(send_fds(pair[0], pair, 2));
    close(pair[0]);
    pid_t child = fork();
    if (child == 0) {
        int n = receive_fds(pair[1], got, 2, 0);
        SHOW(send(got[0], "hi", 2, 0));
        _exit(n);
    }
    int status;
    waitpid(child, &status, 0);
    printf("status %d\n", status >> 8);
    SHOW(recv(pair[1], text, sizeof text, 0));

    must("socketpair", socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
    int on = 1;
    SHOW(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
    SHOW(send(pair[0], "c", 1, 0));
    char control[256];
    char byte;
    struct iovec iov = {&byte, 1};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    SHOW(recvmsg(pair[1], &message, 0));
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    struct ucred *ucred = (struct ucred *)CMSG_DATA(header);
    printf("type %d, own pid %d, uid %d\n", header->cmsg_type, ucred->pid == getpid(), (int)ucred->uid);
    return 0;
}
