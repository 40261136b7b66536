/* Open files of each kind. What cannot be opened is left out. */
#include "fuzz.h"
#include <fcntl.h>
#include <linux/netlink.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

#define DESCRIPTORS 96
static int descriptors[DESCRIPTORS];
static unsigned count;

void remember_descriptor(int fd) {
  if (fd < 3) return;
  descriptors[count < DESCRIPTORS ? count++ : below(DESCRIPTORS)] = fd;
}

int any_descriptor(void) {
  static const int odd[] = {-1, -100, 0, 1, 2, 1023, 1024, 65535, 0x7fffffff, (int)0x80000000};
  if (one_in(12)) return odd[below(COUNT(odd))];
  return count == 0 ? 0 : descriptors[below(count)];
}

static void open_paths(void) {
  static const struct {
    const char *path;
    int flags;
  } files[] = {
      {"file", O_RDWR | O_CREAT},
      {"append", O_RDWR | O_CREAT | O_APPEND | O_NONBLOCK},
      {".", O_RDONLY | O_DIRECTORY},
      {"/", O_RDONLY | O_DIRECTORY},
      {"/", O_PATH},
      {"/usr", O_RDONLY | O_DIRECTORY},
      {"/etc/passwd", O_RDONLY},
      {"/etc/passwd", O_PATH},
      {"fifo", O_RDWR | O_NONBLOCK},
      {"/dev/null", O_RDWR},
      {"/dev/zero", O_RDWR},
      {"/dev/full", O_RDWR},
      {"/dev/urandom", O_RDWR},
      {"/dev/tty", O_RDWR},
      {"/dev/net/tun", O_RDWR},
      {"/dev/fuse", O_RDWR},
      {"/proc/self/mem", O_RDWR},
      {"/proc/self/maps", O_RDONLY},
      {"/proc/self/pagemap", O_RDONLY},
      {"/proc/self/status", O_RDONLY},
      {"/proc/self/task", O_RDONLY},
      {"/proc/self/fd", O_RDONLY},
      {"/proc/self/fdinfo", O_RDONLY},
      {"/proc/self/ns/net", O_RDONLY},
      {"/proc/self/ns/mnt", O_RDONLY},
      {"/proc/self/ns/user", O_RDONLY},
      {"/proc/self/oom_score_adj", O_RDWR},
      {"/proc/self/uid_map", O_RDWR},
      {"/proc/self/setgroups", O_RDWR},
      {"/proc/self/comm", O_RDWR},
      {"/proc/self/clear_refs", O_WRONLY},
      {"/proc/self/attr/current", O_RDWR},
      {"/proc/sys/kernel/hostname", O_RDWR},
      {"/proc/sys/kernel/sem", O_RDWR},
      {"/proc/sys/net/ipv4/ip_forward", O_RDWR},
      {"/proc/net/tcp", O_RDONLY},
      {"/proc/mounts", O_RDONLY},
      {"/sys", O_RDONLY | O_DIRECTORY},
      {"/sys/fs/cgroup", O_RDONLY | O_DIRECTORY},
      {"/sys/fs/cgroup/cgroup.procs", O_RDWR},
      {"/sys/fs/cgroup/cgroup.subtree_control", O_RDWR},
  };
  mkfifo("fifo", 0600);
  for (unsigned i = 0; i < COUNT(files); i++)
    if (!one_in(3)) remember_descriptor(open(files[i].path, files[i].flags, 0644));
  int pty = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK), zero = 0;
  if (pty < 0) return;
  remember_descriptor(pty);
  syscall(SYS_ioctl, pty, 0x40045431 /* TIOCSPTLCK */, &zero);
  remember_descriptor((int)syscall(SYS_ioctl, pty, 0x5441 /* TIOCGPTPEER */, O_RDWR | O_NOCTTY | O_NONBLOCK));
}

static void remember_pair(int result, const int pair[2]) {
  if (result < 0) return;
  remember_descriptor(pair[0]);
  remember_descriptor(pair[1]);
}

static void open_sockets(void) {
  static const int kinds[][3] = {
      {AF_INET, SOCK_STREAM, 0},
      {AF_INET, SOCK_DGRAM, 0},
      {AF_INET6, SOCK_STREAM, 0},
      {AF_INET6, SOCK_DGRAM, 0},
      {AF_INET, SOCK_RAW, IPPROTO_ICMP},
      {AF_INET, SOCK_RAW, IPPROTO_RAW},
      {AF_INET6, SOCK_RAW, IPPROTO_ICMPV6},
      {AF_INET, SOCK_DGRAM, IPPROTO_ICMP},
      {AF_PACKET, SOCK_RAW, 0x0300},
      {AF_PACKET, SOCK_DGRAM, 0x0008},
      {AF_NETLINK, SOCK_RAW, NETLINK_ROUTE},
      {AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG},
      {AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER},
      {AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT},
      {AF_UNIX, SOCK_STREAM, 0},
      {AF_UNIX, SOCK_DGRAM, 0},
  };
  int pair[2];
  for (unsigned i = 0; i < COUNT(kinds); i++)
    if (!one_in(3)) remember_descriptor(socket(kinds[i][0], kinds[i][1] | (one_in(3) ? 0 : SOCK_NONBLOCK), kinds[i][2]));
  static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
  for (unsigned i = 0; i < COUNT(types); i++)
    remember_pair(socketpair(AF_UNIX, types[i] | (one_in(2) ? 0 : SOCK_NONBLOCK), 0, pair), pair);
  struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t len = sizeof local;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (bind(listener, (struct sockaddr *)&local, len) < 0 || listen(listener, 4) < 0) return;
  getsockname(listener, (struct sockaddr *)&local, &len);
  connect(client, (struct sockaddr *)&local, len);
  remember_descriptor(listener);
  remember_descriptor(client);
  remember_descriptor(accept(listener, NULL, NULL));
}

static void open_objects(void) {
  sigset_t set;
  sigfillset(&set);
  sigdelset(&set, SIGUSR1);
  int pair[2];
  remember_pair(pipe(pair), pair);
  remember_pair(pipe2(pair, O_NONBLOCK), pair);
  remember_pair(pipe2(pair, O_DIRECT | O_NONBLOCK), pair);
  remember_descriptor(epoll_create1(0));
  remember_descriptor(epoll_create1(0));
  remember_descriptor(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
  remember_descriptor(timerfd_create(CLOCK_REALTIME, 0));
  remember_descriptor(eventfd(3, EFD_NONBLOCK));
  remember_descriptor(eventfd(0, EFD_SEMAPHORE));
  remember_descriptor(signalfd(-1, &set, SFD_NONBLOCK));
  remember_descriptor(inotify_init1(IN_NONBLOCK));
  int memory = memfd_create("memory", MFD_ALLOW_SEALING);
  if (ftruncate(memory, 3 * PAGE) == 0) remember_descriptor(memory);
  struct mq_attr attributes = {.mq_maxmsg = 4, .mq_msgsize = 64};
  remember_descriptor(mq_open("/queue", O_RDWR | O_CREAT | O_NONBLOCK, 0600, &attributes));
  remember_descriptor((int)syscall(SYS_pidfd_open, getpid(), 0));
  remember_descriptor((int)syscall(SYS_fsopen, "tmpfs", 0));
  remember_descriptor((int)syscall(SYS_open_tree, AT_FDCWD, ".", 1));
}

void open_descriptors(void) {
  open_paths();
  open_sockets();
  open_objects();
}
