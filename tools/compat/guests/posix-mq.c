/* POSIX message queues, mq_overview(7): order, waits, limits, notification, the filesystem and every error. */
#include "show.h"
#include <fcntl.h>
#include <limits.h>
#include <linux/netlink.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>

/* linux/mqueue.h, which cannot stand beside mqueue.h. */
#define NOTIFY_COOKIE_LEN 32

static const struct mq_attr SMALL = {.mq_maxmsg = 3, .mq_msgsize = 16};

static void receive(mqd_t queue) {
    char text[64] = "";
    unsigned priority = 99;
    long len = mq_receive(queue, text, sizeof text, &priority);
    if (len < 0) printf("receive: %s\n", strerrorname_np(errno));
    else printf("receive: %ld bytes, priority %u, %.*s\n", len, priority, (int)len, text);
    fflush(stdout);
}

static void state(mqd_t queue) {
    struct mq_attr attr;
    if (SHOW(mq_getattr(queue, &attr)) < 0) return;
    printf("flags %ld maxmsg %ld msgsize %ld curmsgs %ld\n", attr.mq_flags, attr.mq_maxmsg, attr.mq_msgsize,
           attr.mq_curmsgs);
}

static struct timespec in_ms(long ms) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    time.tv_sec += ms / 1000;
    time.tv_nsec += ms % 1000 * 1000000;
    if (time.tv_nsec >= 1000000000) {
        time.tv_sec++;
        time.tv_nsec -= 1000000000;
    }
    return time;
}

static int readiness(int fd) {
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN | POLLOUT};
    return poll(&poll_fd, 1, 0) < 0 ? -1 : poll_fd.revents;
}

static void show_file(const char *path) {
    char text[200];
    int fd = open(path, O_RDONLY);
    if (fd < 0) {
        printf("open %s: %s\n", path, strerrorname_np(errno));
        return;
    }
    long len = read(fd, text, sizeof text);
    printf("%s: %.*s", path, (int)(len < 0 ? 0 : len), text);
    fflush(stdout);
    SHOW(read(fd, text, sizeof text));
    SHOW(write(fd, "x", 1));
    close(fd);
}

static void opening(void) {
    mqd_t queue;
    SHOW(mq_open("/none", O_RDWR));
    SHOW(mq_open("noslash", O_RDWR));
    SHOW(mq_open("/", O_RDWR | O_CREAT, 0600, NULL));
    SHOW(mq_open("/a/b", O_RDWR | O_CREAT, 0600, NULL));
    SHOW(mq_open("/.", O_RDWR));
    SHOW(mq_open("/..", O_RDWR | O_CREAT, 0600, NULL));
    char name[300];
    memset(name, 'n', sizeof name);
    name[0] = '/';
    name[257] = 0;
    SHOW(mq_open(name, O_RDWR | O_CREAT, 0600, NULL));
    SHOW(mq_unlink(name));
    name[256] = 0;
    SHOW_OK(queue = mq_open(name, O_RDWR | O_CREAT, 0600, NULL));
    mq_close(queue);
    SHOW(mq_unlink(name));
    SHOW(syscall(SYS_mq_open, (void *)8, O_RDWR, 0, NULL));
    SHOW(syscall(SYS_mq_open, "q", O_RDWR, 0, (void *)8));
    struct mq_attr attr = SMALL;
    attr.mq_maxmsg = 0;
    SHOW(mq_open("/q", O_RDWR | O_CREAT, 0600, &attr));
    attr = SMALL;
    attr.mq_msgsize = -1;
    SHOW(mq_open("/q", O_RDWR | O_CREAT, 0600, &attr));
    attr.mq_msgsize = 16 * 1024 * 1024 + 1;
    SHOW(mq_open("/q", O_RDWR | O_CREAT, 0600, &attr));
    attr = SMALL;
    attr.mq_maxmsg = 65537;
    SHOW(mq_open("/q", O_RDWR | O_CREAT, 0600, &attr));
    attr = SMALL;
    SHOW_OK(queue = mq_open("/q", O_RDWR | O_CREAT | O_EXCL, 0640, &attr));
    SHOW(fcntl(queue, F_GETFD));
    SHOW(fcntl(queue, F_GETFL) & (O_ACCMODE | O_NONBLOCK | O_CREAT | O_EXCL));
    SHOW(mq_open("/q", O_RDWR | O_CREAT | O_EXCL, 0600, &attr));
    SHOW(mq_open("/q", O_ACCMODE));
    struct stat st;
    must("fstat", fstat(queue, &st));
    printf("mode %o size %ld uid %u links %lu\n", st.st_mode, (long)st.st_size, st.st_uid, (unsigned long)st.st_nlink);
    char link[100], path[50];
    sprintf(path, "/proc/self/fd/%d", queue);
    long len = readlink(path, link, sizeof link);
    printf("%.*s\n", (int)len, link);
    mq_close(queue);
    fflush(stdout);
    if (fork() == 0) {
        must("setuid", setuid(1000));
        SHOW(mq_open("/q", O_RDONLY));
        SHOW(mq_unlink("/q"));
        struct mq_attr own = SMALL;
        own.mq_maxmsg = 11;
        SHOW(mq_open("/mine", O_RDWR | O_CREAT, 0600, &own));
        own.mq_maxmsg = 10;
        own.mq_msgsize = 8193;
        SHOW(mq_open("/mine", O_RDWR | O_CREAT, 0600, &own));
        own.mq_msgsize = 8192;
        int count = 0;
        char mine[20];
        for (; count < 30; count++) {
            sprintf(mine, "/mine%d", count);
            if (mq_open(mine, O_RDWR | O_CREAT, 0600, &own) < 0) break;
        }
        printf("%d queues, then %s\n", count, strerrorname_np(errno));
        for (int i = 0; i < count; i++) {
            sprintf(mine, "/mine%d", i);
            mq_unlink(mine);
        }
        exit(0);
    }
    wait(NULL);
    SHOW(mq_unlink("/q"));
    SHOW(mq_unlink("/q"));
}

static void messages(void) {
    struct mq_attr attr = SMALL;
    mqd_t queue = must("open", mq_open("/m", O_RDWR | O_CREAT, 0600, &attr));
    state(queue);
    SHOW(readiness(queue));
    SHOW(mq_send(queue, "low", 3, 1));
    SHOW(mq_send(queue, "high", 4, 7));
    SHOW(mq_send(queue, "low too", 7, 1));
    SHOW(readiness(queue));
    state(queue);
    struct timespec soon = in_ms(20);
    SHOW(mq_timedsend(queue, "late", 4, 1, &soon));
    struct mq_attr flags = {.mq_flags = O_NONBLOCK}, old;
    SHOW(mq_setattr(queue, &flags, &old));
    SHOW(mq_send(queue, "full", 4, 1));
    flags.mq_flags = O_APPEND;
    SHOW(mq_setattr(queue, &flags, NULL));
    receive(queue);
    receive(queue);
    SHOW(readiness(queue));
    receive(queue);
    receive(queue);
    SHOW(readiness(queue));
    flags.mq_flags = 0;
    SHOW(mq_setattr(queue, &flags, &old));
    printf("old flags %ld\n", old.mq_flags);
    SHOW(mq_send(queue, "0123456789abcdefg", 17, 0));
    SHOW(mq_send(queue, "0123456789abcdef", 16, 32768));
    SHOW(mq_send(queue, "", 0, 32767));
    SHOW(mq_send(queue, (char *)8, 4, 0));
    char text[16];
    SHOW(mq_receive(queue, text, 15, NULL));
    SHOW(mq_receive(queue, text, 16, NULL));
    SHOW(mq_send(queue, "x", 1, 0));
    SHOW(mq_receive(queue, (char *)8, 16, NULL));
    struct timespec bad = {.tv_nsec = 1000000000};
    SHOW(mq_timedreceive(queue, text, 16, NULL, &bad));
    bad = (struct timespec){.tv_sec = -1};
    SHOW(mq_timedreceive(queue, text, 16, NULL, &bad));
    SHOW(syscall(SYS_mq_timedreceive, queue, text, 16, NULL, (void *)8));
    soon = in_ms(20);
    SHOW(mq_timedreceive(queue, text, 16, NULL, &soon));
    SHOW(mq_timedreceive(queue, text, 16, NULL, &soon));
    mqd_t reader = must("open", mq_open("/m", O_RDONLY)), writer = must("open", mq_open("/m", O_WRONLY));
    SHOW(mq_send(reader, "x", 1, 0));
    SHOW(mq_receive(writer, text, 16, NULL));
    SHOW(mq_send(-1, "x", 1, 0));
    SHOW(mq_send(0, "x", 1, 0));
    SHOW(mq_receive(1, text, 16, NULL));
    SHOW(mq_getattr(0, &old));
    SHOW(syscall(SYS_mq_getsetattr, queue, NULL, (void *)8));
    SHOW(syscall(SYS_mq_getsetattr, queue, (void *)8, NULL));
    SHOW(write(queue, "x", 1));
    mq_close(reader);
    mq_close(writer);
    mq_close(queue);
    SHOW(mq_unlink("/m"));
}

static void on_signal(int signo) { (void)signo; }

static void waits(void) {
    struct mq_attr attr = {.mq_maxmsg = 1, .mq_msgsize = 16};
    mqd_t queue = must("open", mq_open("/w", O_RDWR | O_CREAT, 0600, &attr));
    fflush(stdout);
    if (fork() == 0) {
        usleep(30000);
        mq_send(queue, "from child", 10, 3);
        mq_send(queue, "and another", 11, 2);
        mq_send(queue, "third", 5, 9);
        exit(0);
    }
    receive(queue);
    for (int i = 0; i < 2500 && mq_getattr(queue, &attr) == 0 && attr.mq_curmsgs == 0; i++) usleep(2000);
    state(queue);
    receive(queue);
    receive(queue);
    wait(NULL);
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGALRM, &action, NULL);
    ualarm(20000, 20000);
    receive(queue);
    ualarm(0, 0);
    action.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &action, NULL);
    ualarm(20000, 0);
    struct timespec soon = in_ms(60);
    char text[16];
    SHOW(mq_timedreceive(queue, text, 16, NULL, &soon));
    int epoll = must("epoll", epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN};
    SHOW(epoll_ctl(epoll, EPOLL_CTL_ADD, queue, &event));
    SHOW(epoll_wait(epoll, &event, 1, 0));
    if (fork() == 0) {
        usleep(20000);
        mq_send(queue, "wake", 4, 0);
        exit(0);
    }
    SHOW(epoll_wait(epoll, &event, 1, 5000));
    wait(NULL);
    close(epoll);
    mq_unlink("/w");
    receive(queue);
    mq_close(queue);
}

static volatile int got_signo, got_code, got_value, got_pid, got_uid;

static void on_info(int signo, siginfo_t *info, void *context) {
    (void)context;
    got_signo = signo;
    got_code = info->si_code;
    got_value = info->si_value.sival_int;
    got_pid = info->si_pid;
    got_uid = (int)info->si_uid;
}

static int pipe_fds[2];

static void on_thread(union sigval value) {
    char byte = (char)value.sival_int;
    must("tell", write(pipe_fds[1], &byte, 1));
}

static void notification(void) {
    struct mq_attr attr = SMALL;
    mqd_t queue = must("open", mq_open("/n", O_RDWR | O_CREAT, 0600, &attr));
    struct sigaction action = {.sa_sigaction = on_info, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(SIGRTMIN, &action, NULL);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 77};
    SHOW(mq_notify(queue, &event));
    SHOW(mq_notify(queue, &event));
    fflush(stdout);
    if (fork() == 0) {
        SHOW(mq_notify(queue, NULL));
        SHOW(mq_notify(queue, &event));
        SHOW(mq_send(queue, "told", 4, 0));
        exit(0);
    }
    int child = wait(NULL);
    printf("signal %d code %d value %d from child %d uid %d\n", got_signo == SIGRTMIN, got_code, got_value,
           got_pid == child, got_uid);
    got_signo = 0;
    SHOW(mq_notify(queue, &event));
    SHOW(mq_send(queue, "not empty", 9, 0));
    printf("signal %d\n", got_signo);
    SHOW(mq_notify(queue, NULL));
    SHOW(mq_notify(queue, NULL));
    receive(queue);
    receive(queue);
    event.sigev_notify = SIGEV_NONE;
    SHOW(mq_notify(queue, &event));
    SHOW(mq_notify(queue, &event));
    SHOW(mq_send(queue, "silent", 6, 0));
    SHOW(mq_notify(queue, &event));
    mqd_t other = must("open", mq_open("/n", O_RDWR));
    SHOW(mq_close(other));
    SHOW(mq_notify(queue, &event));
    SHOW(mq_notify(queue, NULL));
    receive(queue);
    must("pipe", pipe(pipe_fds));
    event = (struct sigevent){.sigev_notify = SIGEV_THREAD, .sigev_value.sival_int = 'T'};
    event.sigev_notify_function = on_thread;
    SHOW(mq_notify(queue, &event));
    SHOW(mq_notify(queue, &event));
    SHOW(mq_send(queue, "thread", 6, 0));
    char byte = 0;
    SHOW(read(pipe_fds[0], &byte, 1));
    printf("thread got %c\n", byte);
    receive(queue);
    char cookie[NOTIFY_COOKIE_LEN] = "cookie";
    int netlink = must("netlink", socket(AF_NETLINK, SOCK_RAW, 0)), plain = must("socket", socket(AF_UNIX, SOCK_DGRAM, 0));
    event = (struct sigevent){.sigev_notify = SIGEV_THREAD, .sigev_value.sival_ptr = cookie};
    event.sigev_signo = netlink;
    SHOW(syscall(SYS_mq_notify, queue, &event));
    SHOW(syscall(SYS_mq_notify, queue, NULL));
    SHOW(recv(netlink, cookie, sizeof cookie, 0));
    printf("%s %d\n", cookie, cookie[NOTIFY_COOKIE_LEN - 1]);
    event.sigev_signo = plain;
    SHOW(syscall(SYS_mq_notify, queue, &event));
    event.sigev_signo = 99;
    SHOW(syscall(SYS_mq_notify, queue, &event));
    event.sigev_signo = 0;
    event.sigev_value.sival_ptr = (void *)8;
    SHOW(syscall(SYS_mq_notify, queue, &event));
    event.sigev_notify = 9;
    SHOW(syscall(SYS_mq_notify, queue, &event));
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = 65;
    SHOW(syscall(SYS_mq_notify, queue, &event));
    SHOW(syscall(SYS_mq_notify, queue, (void *)8));
    SHOW(mq_notify(0, NULL));
    mq_unlink("/n");
    mq_close(queue);
}

static void filesystem(void) {
    struct mq_attr attr = SMALL;
    must("unshare", unshare(CLONE_NEWNS | CLONE_NEWIPC));
    must("private", mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
    mkdir("queues", 0755);
    SHOW(mount("mqueue", "queues", "mqueue", 0, NULL));
    struct stat st;
    must("stat", stat("queues", &st));
    printf("mode %o size %ld\n", st.st_mode, (long)st.st_size);
    struct statfs fs;
    must("statfs", statfs("queues", &fs));
    printf("type %lx\n", (unsigned long)fs.f_type);
    mqd_t queue = must("open", mq_open("/seen", O_RDWR | O_CREAT, 0600, &attr));
    mq_send(queue, "12345", 5, 0);
    show_file("queues/seen");
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    SHOW(mq_notify(queue, &event));
    char text[100], path[50];
    sprintf(path, "queues/seen");
    int fd = must("open", open(path, O_RDONLY));
    SHOW(lseek(fd, 0, SEEK_END));
    SHOW(lseek(fd, 0, SEEK_SET));
    long len = read(fd, text, sizeof text);
    printf("%.*s pid %d\n", (int)len - 12, text, atoi(strstr(text, "PID:") + 4) == getpid());
    close(fd);
    SHOW_OK(fd = open("queues/made", O_CREAT | O_RDWR, 0600));
    close(fd);
    SHOW_OK(fd = mq_open("/made", O_RDWR));
    state(fd);
    mq_close(fd);
    SHOW(mkdir("queues/dir", 0755));
    SHOW(symlink("made", "queues/link"));
    SHOW(rename("queues/made", "queues/moved"));
    SHOW(link("queues/made", "queues/linked"));
    SHOW(mknod("queues/fifo", S_IFIFO | 0600, 0));
    SHOW(unlink("queues/made"));
    SHOW(mq_open("/made", O_RDWR));
    SHOW(chmod("queues/seen", 0444));
    fflush(stdout);
    if (fork() == 0) {
        must("unshare", unshare(CLONE_NEWIPC));
        SHOW(mq_open("/seen", O_RDONLY));
        exit(0);
    }
    wait(NULL);
    show_file("/proc/sys/fs/mqueue/queues_max");
    show_file("/proc/sys/fs/mqueue/msg_max");
    show_file("/proc/sys/fs/mqueue/msgsize_max");
    show_file("/proc/sys/fs/mqueue/msg_default");
    show_file("/proc/sys/fs/mqueue/msgsize_default");
    mq_unlink("/seen");
    SHOW(umount("queues"));
    SHOW(mq_send(queue, "x", 1, 0));
    mq_close(queue);
    rmdir("queues");
}

int main(void) {
    umask(022);
    opening();
    messages();
    waits();
    notification();
    filesystem();
    return 0;
}
