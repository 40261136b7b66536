/*
 * TCP over the loopback interface: `network BUDGET_MS NAME...` prints `name nanoseconds` a line, the median of batches
 * of each operation. The other end is a process of its own.
 */
#include "measure.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BULK (1 << 20)
/* Of the budget of one call: an operation is a dozen of them, and new code takes a while to be compiled. */
#define BUDGETS 8

static char buffer[BULK];
static struct sockaddr_in server = {.sin_family = AF_INET};
static int listener, client;
static pid_t peer;

static void listen_on_any_port(void) {
    socklen_t len = sizeof server;
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server.sin_port = 0;
    listener = socket(AF_INET, SOCK_STREAM, 0);
    must(listener >= 0 && bind(listener, (struct sockaddr *)&server, len) == 0 && listen(listener, 128) == 0, "listen");
    must(getsockname(listener, (struct sockaddr *)&server, &len) == 0, "getsockname");
}
static int connect_to_peer(void) {
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    must(fd >= 0 && connect(fd, (struct sockaddr *)&server, sizeof server) == 0, "connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}
static void start_peer(void (*serve)(void)) {
    listen_on_any_port();
    peer = fork();
    must(peer >= 0, "fork");
    if (peer == 0) {
        serve();
        _exit(0);
    }
    close(listener);
}
static void end_peer(void) {
    kill(peer, SIGKILL);
    waitpid(peer, NULL, 0);
}

/* Takes connections, gives each a byte and waits for it to end. */
static void serve_connects(void) {
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        must(fd >= 0 && write(fd, "x", 1) == 1, "accept");
        while (read(fd, buffer, 1) > 0) continue;
        close(fd);
    }
}
static void begin_connects(void) { start_peer(serve_connects); }
static void op_connect(void) {
    // A reset leaves nothing in TIME_WAIT, whose ports would run out.
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    int fd = connect_to_peer();
    must(read(fd, buffer, 1) == 1, "greeting");
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
}

/* Answers each byte with a byte; each megabyte too, so that what is measured has arrived. */
static void serve_answers(long count) {
    int fd = accept(listener, NULL, NULL);
    long left = count, n;
    while ((n = read(fd, buffer, BULK)) > 0) {
        left -= n;
        if (left > 0) continue;
        left += count;
        must(write(fd, "x", 1) == 1, "answer");
    }
}
static void serve_ping_pong(void) { serve_answers(1); }
static void serve_bulk(void) { serve_answers(BULK); }
static void begin_ping_pong(void) {
    start_peer(serve_ping_pong);
    client = connect_to_peer();
}
static void begin_bulk(void) {
    start_peer(serve_bulk);
    client = connect_to_peer();
}
static void op_ping_pong(void) {
    must(write(client, "x", 1) == 1 && read(client, buffer, 1) == 1, "ping-pong");
}
static void op_bulk(void) {
    for (long sent = 0, n; sent < BULK; sent += n) must((n = write(client, buffer, BULK - sent)) > 0, "write");
    must(read(client, buffer, 1) == 1, "answer");
}
static void end_client(void) {
    close(client);
    end_peer();
}

static const struct bench table[] = {
    {"tcp_connect_close", op_connect, begin_connects, end_peer},
    {"tcp_ping_pong", op_ping_pong, begin_ping_pong, end_client},
    {"tcp_1m", op_bulk, begin_bulk, end_client},
    {NULL, NULL, NULL, NULL},
};

int main(int argc, char **argv) {
    must(argc > 2, "usage: network BUDGET_MS NAME...");
    measure_named(table, argc, argv, 2, BUDGETS * atof(argv[1]) * 1e6);
    return 0;
}
