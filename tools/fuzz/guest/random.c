/* Numbers that a seed decides: xorshift64*, Marsaglia and Vigna. */
#include "fuzz.h"

__thread uint64_t random_state = 1;

uint64_t random64(void) {
  uint64_t x = random_state;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  random_state = x;
  return x * 0x2545f4914f6cdd1dull;
}

uint64_t below(uint64_t bound) {
  return (random64() >> 16) % bound;
}

int one_in(uint64_t n) {
  return below(n) == 0;
}

/* A number near one where something ends. */
uint64_t nasty(void) {
  static const uint64_t edges[] = {
      0,          1,          2,           3,           4,           7,           8,          16,
      64,         100,        255,         256,         4095,        4096,        65535,      65536,
      0x7fffffff, 0x80000000, 0xffffffff,  0x100000000, 1ull << 31,  1ull << 40,  1ull << 47, (1ull << 47) - 4096,
      1ull << 53, 1ull << 62, 1ull << 63,  -1ull,       -2ull,       -4096ull,    -100ull,    0x7fffffffffffffff,
  };
  switch (below(6)) {
    case 0: return below(16);
    case 1: return edges[below(COUNT(edges))] + below(5) - 2;
    case 2: return 1ull << below(64);
    case 3: return random64() >> below(64);
    default: return edges[below(COUNT(edges))];
  }
}
