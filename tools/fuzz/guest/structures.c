/* Arguments that are structures, more often well-formed than random bytes would be. */
#include "fuzz.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>

/* One of eight times NULL or an address of any kind. */
static char *or_else(char *at) {
  return one_in(8) ? (one_in(2) ? NULL : any_pointer()) : at;
}

char *path_string(void) {
  static const char *const paths[] = {
      "", ".", "..", "/", "file", "dir", "dir/inner", "link", "loop", "link/..", "../..", "/tmp", "//tmp//", "fifo",
      "/proc/self/fd/3", "/proc/self/fd/7", "/proc/self/exe", "/proc/self/root/..", "/proc/self/cwd/..", "/proc/1/root",
      "/proc/self/task", "/proc/self/ns/net", "/proc/self/mem", "/proc/sys/kernel", "/sys/fs/cgroup", "/dev/pts/0",
      "/dev/ptmx", "/dev/tty", "/dev/shm", "/dev/fd/4", "/dev/null", "/etc/passwd", "/usr/bin/env", "/usr/lib", "/sys",
      "/sys/fs/cgroup/child", "/nonexistent", "file/", "new", "dir/new", "..//../../../../etc/shadow", "socket",
      "tmpfs", "proc", "overlay", "cgroup2", "mqueue", "devpts", "sysfs", "lowerdir=/usr:/etc", "upperdir=dir", "size=4096",
  };
  char *at = writable();
  switch (below(12)) {
    case 0: return any_pointer();
    case 1:
      memset(at, 'a', 300);
      at[one_in(2) ? 255 : 256] = 0;
      return at;
    case 2:
      snprintf(at, 64, "/proc/self/fd/%d", any_descriptor());
      return at;
    case 3:
      snprintf(at, 64, "dir/%llu", (unsigned long long)below(8));
      return at;
    default: return strcpy(at, paths[below(COUNT(paths))]);
  }
}

char *iovec_array(void) {
  struct iovec *list = (struct iovec *)writable();
  for (int i = 0; i < 8; i++) {
    list[i].iov_base = or_else(writable());
    list[i].iov_len = one_in(6) ? nasty() : below(2 * PAGE);
  }
  return or_else((char *)list);
}

char *socket_address(void) {
  static const uint32_t hosts[] = {INADDR_LOOPBACK, INADDR_ANY, INADDR_BROADCAST, 0xe0000001, 0x0a000201};
  char *at = writable();
  scribble(at, 128);
  uint16_t port = htons((uint16_t)(one_in(3) ? 0 : 40000 + below(8)));
  switch (below(7)) {
    case 0: {
      struct sockaddr_in v4 = {AF_INET, port, {htonl(hosts[below(COUNT(hosts))])}, {0}};
      memcpy(at, &v4, sizeof v4);
      break;
    }
    case 1: {
      struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = port, .sin6_scope_id = (uint32_t)below(3)};
      v6.sin6_addr.s6_addr[15] = (uint8_t)below(2);
      if (one_in(3)) v6.sin6_addr.s6_addr[10] = v6.sin6_addr.s6_addr[11] = 0xff;
      memcpy(at, &v6, sizeof v6);
      break;
    }
    case 2:
      *(uint16_t *)at = AF_UNIX;
      strcpy(at + 2, one_in(2) ? "socket" : "file");
      if (one_in(3)) at[2] = 0;
      break;
    case 3: {
      struct sockaddr_nl nl = {AF_NETLINK, 0, one_in(2) ? 0 : (uint32_t)nasty(), (uint32_t)nasty()};
      memcpy(at, &nl, sizeof nl);
      break;
    }
    case 4: {
      struct sockaddr_ll ll = {.sll_family = AF_PACKET, .sll_protocol = 0x0300, .sll_ifindex = (int)below(4)};
      ll.sll_halen = (uint8_t)nasty();
      memcpy(at, &ll, sizeof ll);
      break;
    }
    case 5: *(uint16_t *)at = (uint16_t)(one_in(2) ? AF_UNSPEC : below(48)); break;
    default: break;
  }
  return or_else(at);
}

/* A netlink message with attributes that may claim to be longer than they are. */
static char *netlink_message(size_t *len) {
  char *at = writable();
  scribble(at, 256);
  struct nlmsghdr *header = (struct nlmsghdr *)at;
  *len = sizeof *header + below(200);
  header->nlmsg_len = (uint32_t)(one_in(5) ? nasty() : *len);
  header->nlmsg_type = (uint16_t)(one_in(5) ? nasty() : 16 + below(90));
  header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | (one_in(2) ? NLM_F_ACK : random64()));
  size_t offset = NLMSG_HDRLEN + (size_t[]){1, 8, 12, 16}[below(4)];
  at[NLMSG_HDRLEN] = (char)(int[]){0, AF_INET, AF_INET6, 17}[below(4)];
  while (offset + 8 < *len) {
    struct rtattr *attribute = (struct rtattr *)(at + offset);
    attribute->rta_len = (unsigned short)(one_in(6) ? nasty() : 4 + below(24));
    attribute->rta_type = (unsigned short)(below(64) | (one_in(4) ? NLA_F_NESTED : 0));
    offset += 4 + below(24) / 4 * 4;
  }
  return at;
}

static size_t control_messages(char *at) {
  size_t total = 0, claimed;
  while (total < 200 && !one_in(3)) {
    struct cmsghdr *control = (struct cmsghdr *)(at + total);
    size_t data = below(5) * 4;
    claimed = one_in(6) ? nasty() : CMSG_LEN(data);
    control->cmsg_len = claimed;
    control->cmsg_level = one_in(3) ? (int)nasty() : (int[]){SOL_SOCKET, IPPROTO_IP, IPPROTO_IPV6, 17}[below(4)];
    control->cmsg_type = one_in(4) ? (int)nasty() : (int[]){SCM_RIGHTS, SCM_CREDENTIALS, 103, 50}[below(4)];
    int *words = (int *)CMSG_DATA(control);
    for (size_t i = 0; i < data / 4; i++) words[i] = any_descriptor();
    total += CMSG_SPACE(data);
  }
  return total;
}

static void fill_message(struct msghdr *header) {
  size_t len;
  char *control = writable();
  memset(header, 0, sizeof *header);
  header->msg_name = one_in(2) ? NULL : socket_address();
  header->msg_namelen = (socklen_t)(one_in(5) ? nasty() : below(32));
  header->msg_iov = (struct iovec *)iovec_array();
  header->msg_iovlen = one_in(6) ? nasty() : below(8);
  if (one_in(3)) {
    struct iovec *one = (struct iovec *)writable();
    one->iov_base = netlink_message(&len);
    one->iov_len = len;
    header->msg_iov = one;
    header->msg_iovlen = 1;
  }
  header->msg_controllen = control_messages(control);
  header->msg_control = or_else(control);
  if (one_in(8)) header->msg_controllen = nasty();
}

char *message(void) {
  char *at = writable();
  fill_message((struct msghdr *)at);
  return or_else(at);
}

char *message_array(void) {
  struct mmsghdr *list = (struct mmsghdr *)writable();
  for (int i = 0; i < 4; i++) fill_message(&list[i].msg_hdr);
  return or_else((char *)list);
}

char *filter_program(void) {
  struct sock_fprog *program = (struct sock_fprog *)writable();
  struct sock_filter *code = (struct sock_filter *)writable();
  static const uint16_t loads[] = {0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x80, 0x60, 0xb1, 0x00, 0x01};
  unsigned len = (unsigned)(1 + below(24));
  for (unsigned i = 0; i < len; i++) {
    code[i].code = (uint16_t)(one_in(3) ? loads[below(COUNT(loads))] : below(0x100));
    code[i].jt = (uint8_t)below(8);
    code[i].jf = (uint8_t)below(8);
    code[i].k = (uint32_t)(one_in(2) ? below(20) * 4 : nasty());
  }
  code[len - 1] = (struct sock_filter){BPF_RET | (one_in(2) ? BPF_K : BPF_A), 0, 0, (uint32_t)nasty()};
  program->len = (unsigned short)(one_in(8) ? nasty() : len);
  program->filter = (struct sock_filter *)or_else((char *)code);
  return or_else((char *)program);
}

char *timespec_soon(void) {
  struct timespec *time = (struct timespec *)writable();
  time->tv_sec = one_in(12) ? (time_t)nasty() : 0;
  time->tv_nsec = one_in(12) ? (long)nasty() : (long)below(2000000);
  return one_in(12) ? or_else((char *)time) : (char *)time;
}

char *itimerspec_soon(void) {
  struct itimerspec *time = (struct itimerspec *)writable();
  memset(time, 0, sizeof *time);
  time->it_value.tv_nsec = (long)below(3000000);
  if (one_in(3)) time->it_interval.tv_nsec = one_in(2) ? 1 : (long)nasty();
  if (one_in(6)) time->it_value.tv_sec = (time_t)nasty();
  return or_else((char *)time);
}

char *signal_event(void) {
  struct sigevent *event = (struct sigevent *)writable();
  memset(event, 0, sizeof *event);
  event->sigev_notify = (int)(one_in(6) ? nasty() : below(5));
  event->sigev_signo = one_in(4) ? (int)nasty() : SIGUSR1;
  event->sigev_value.sival_int = any_descriptor();
  return one_in(4) ? NULL : or_else((char *)event);
}

char *string_vector(void) {
  char **list = (char **)writable();
  for (int i = 0; i < 6; i++) list[i] = one_in(6) ? any_pointer() : path_string();
  list[one_in(16) ? 100 : below(6)] = NULL;
  return or_else((char *)list);
}

/* Enough for most structures; sometimes at the very end of what is mapped. */
char *any_structure(void) {
  char *at = writable();
  scribble(at, one_in(4) ? 512 : 128);
  return or_else(at);
}
