/*
 * What the kernel accepts of programs and structures that are made at random, the same ones each time: filters of packets,
 * socket(7), filters of system calls, seccomp(2), and openat2(2).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define SEED_OF_CALL_FILTERS 100000
#define SEED_OF_STRUCTURES 200000

static uint32_t state;

static uint32_t below(uint32_t bound) {
  state = state * 1664525 + 1013904223;
  return (state >> 8) % bound;
}

static unsigned make_program(struct sock_filter *code) {
  static const uint16_t codes[] = {
      0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x80, 0x81, 0x60, 0x61, 0x00, 0x01, 0xb1, 0x02, 0x03, 0x07, 0x87,
      0x05, 0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d, 0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3c,
      0x44, 0x4c, 0x54, 0x5c, 0x64, 0x6c, 0x74, 0x7c, 0x84, 0x94, 0x9c, 0xa4, 0xac, 0x06, 0x16, 0x0e,
  };
  static const uint32_t constants[] = {0,  1,  4,  15, 16,         31,         32,         60,
                                       64, 68, 72, 3,  0xfffff000, 0xfffff004, 0xfffff024, 0xffffffff};
  unsigned len = 1 + below(8);
  for (unsigned i = 0; i < len; i++) {
    code[i].code = below(20) == 0 ? (uint16_t)below(300) : codes[below(COUNT(codes))];
    code[i].jt = below(4) == 0 ? (uint8_t)below(8) : 0;
    code[i].jf = below(4) == 0 ? (uint8_t)below(8) : 0;
    code[i].k = constants[below(COUNT(constants))];
  }
  if (below(8) != 0) code[len - 1] = (struct sock_filter){0x06, 0, 0, 0x7fff0000};
  return len;
}

static void filter_packets(void) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  for (uint32_t seed = 0; seed < 3000; seed++) {
    struct sock_filter code[8];
    state = seed;
    struct sock_fprog program = {(unsigned short)make_program(code), code};
    int result = setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
    printf("packets %u: %s\n", seed, result == 0 ? "ok" : strerrorname_np(errno));
  }
}

/* The child may be killed by its own filter: then that was accepted. */
static void filter_calls(void) {
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  for (uint32_t seed = 0; seed < 200; seed++) {
    struct sock_filter code[8];
    int status;
    state = SEED_OF_CALL_FILTERS + seed;
    struct sock_fprog program = {(unsigned short)make_program(code), code};
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) _exit(syscall(SYS_seccomp, 1, 0, &program) == 0 ? 0 : errno);
    waitpid(child, &status, 0);
    printf("calls %u: status %x\n", seed, status);
  }
}

static void open_files(void) {
  static const uint64_t edges[] = {1, 2, 0x3f, 0x40, 0777, 01000, 0x200000, 0x4000000, 1ull << 40, -1ull};
  static const size_t sizes[] = {24, 24, 24, 23, 25, 32, 48, 64, 4096, 4097, 0, 8};
  static uint64_t words[520];
  for (uint32_t seed = 0; seed < 1500; seed++) {
    state = SEED_OF_STRUCTURES + seed;
    memset(words, 0, sizeof words);
    for (uint32_t i = below(3); i > 0; i--) words[below(4)] = edges[below(COUNT(edges))];
    if (below(6) == 0) words[3 + below(6)] = below(3);
    long fd = syscall(SYS_openat2, AT_FDCWD, "/", words, sizes[below(COUNT(sizes))]);
    printf("openat2 %u: %s\n", seed, fd >= 0 ? "ok" : strerrorname_np(errno));
    if (fd >= 0) close((int)fd);
  }
}

int main(void) {
  filter_packets();
  open_files();
  filter_calls();
  return 0;
}
