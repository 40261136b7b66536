/*
 * Uses names in /shared/place, which somebody swaps for a link to ../outside all the while: links COUNT. In the sandbox that
 * is nowhere; on the host it is beside the mount. Prints what was read. The one who swaps is links swap DIRECTORY.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXCHANGE 2

static int outside;

static void use(int i) {
  char text[16] = {0}, name[64];
  int fd = open("/shared/place/secret", O_RDONLY);
  if (fd >= 0 && read(fd, text, sizeof text - 1) > 0 && strcmp(text, "inside") != 0) outside = 1;
  if (fd >= 0) close(fd);
  chmod("/shared/place/secret", 0600);
  snprintf(name, sizeof name, "/shared/place/new-%d", i % 8);
  close(open(name, O_CREAT | O_RDWR, 0600));
  rename(name, "/shared/place/renamed");
  unlink("/shared/place/renamed");
  mkdir("/shared/place/made", 0700);
  symlink("x", "/shared/place/linked");
  unlink("/shared/place/linked");
}

int main(int argc, char **argv) {
  if (argc > 2 && chdir(argv[2]) == 0)
    for (;;) syscall(SYS_renameat2, AT_FDCWD, "place", AT_FDCWD, "link", EXCHANGE);
  for (int i = 0, count = argc > 1 ? atoi(argv[1]) : 0; i < count; i++) use(i);
  puts(outside ? "outside" : "inside");
  return 0;
}
