/* Memory for arguments: each kind of page next to each other one. */
#include "fuzz.h"
#include <sys/mman.h>

/*
 *  0..15  readable and writable     16  nothing mapped     17  read-only     18  PROT_NONE
 *  19  writable, end of a file of half a page     20  beyond the end of that file     21, 22  shared, writable
 */
#define ARENA_PAGES 24
#define WRITABLE_PAGES 16
static char *arena;

void make_memory(void) {
  arena = mmap(NULL, ARENA_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (arena == MAP_FAILED) exit(3);
  munmap(arena + 16 * PAGE, PAGE);
  mprotect(arena + 17 * PAGE, PAGE, PROT_READ);
  mprotect(arena + 18 * PAGE, PAGE, PROT_NONE);
  int fd = memfd_create("half a page", 0);
  if (fd >= 0 && ftruncate(fd, PAGE / 2) == 0)
    mmap(arena + 19 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
  close(fd);
  mmap(arena + 21 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
}

/* At least 1 KiB that can be written, unless another thread has unmapped it. */
char *writable(void) {
  return arena + below((WRITABLE_PAGES * PAGE - 1024) / 8) * 8;
}

/* An address of any kind; mostly one that works. */
char *any_pointer(void) {
  static const uint64_t absurd[] = {0,
                                    1,
                                    0x1000,
                                    0x60000,
                                    0x7ffffffff000,
                                    0x7fffffffffff,
                                    0x800000000000,
                                    0xffff800000000000,
                                    0xffffffffff600000,
                                    -1ull,
                                    -8ull,
                                    0x7fff10000000,
                                    0x7fff40000000,
                                    1ull << 53};
  switch (below(16)) {
    case 0: return arena + 16 * PAGE - below(64);
    case 1: return arena + below(ARENA_PAGES) * PAGE + below(PAGE);
    case 2: return arena + (17 + below(5)) * PAGE - below(32);
    case 3: return (char *)absurd[below(COUNT(absurd))];
    case 4: return one_in(4) ? (char *)(uintptr_t)any_pointer + below(64) : writable();
    case 5: return one_in(8) ? (char *)__builtin_frame_address(0) - 4096 + below(2048) : writable();
    case 6: return (char *)nasty();
    default: return writable() + below(8);
  }
}

/* An address for mmap(2) and its kin: in the arena, near it, or anywhere. */
char *page_address(void) {
  if (one_in(6)) return any_pointer();
  if (one_in(3)) return NULL;
  return arena + (ARENA_PAGES + below(64)) * PAGE;
}

/* Fills memory that can be written with numbers that could be sizes, descriptors, pointers or flags. */
void scribble(char *at, size_t len) {
  for (size_t i = 0; i + 8 <= len;) {
    uint64_t value;
    switch (below(8)) {
      case 0: value = (uint64_t)writable(); break;
      case 1: value = (uint64_t)any_pointer(); break;
      case 2: value = (uint64_t)any_descriptor(); break;
      case 3: value = nasty(); break;
      case 4: value = below(64) | below(64) << 32; break;
      default: value = 0;
    }
    size_t width = one_in(3) ? 4 : 8;
    memcpy(at + i, &value, width);
    i += width;
  }
}
