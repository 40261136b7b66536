/* What a program may execute, and better did not. Whoever calls this is a process that may die of it. */
#include "fuzz.h"
#include <sys/mman.h>
#include <ucontext.h>

/* Calls of other tables: the 32-bit one, x32, and numbers that are none. */
static void call_other_tables(void) {
  uint64_t number = one_in(2) ? below(500) : nasty(), argument = (uint64_t)any_pointer(), other = nasty();
  switch (below(3)) {
    case 0: asm volatile("int $0x80" : "+a"(number) : "b"(argument), "c"(other), "d"(other) : "memory", "r8", "r9", "r10", "r11"); break;
    case 1: syscall((long)(number | 0x40000000), argument, other, other, other, other, other); break;
    default: syscall((long)nasty(), argument, other, other, other, other, other);
  }
}

/* Returns from a signal that never was, with a frame full of numbers. */
static void forge_frame(void) {
  static _Alignas(64) char frame[8192];
  ucontext_t *context = (ucontext_t *)(frame + 64);
  getcontext(context);
  greg_t *registers = context->uc_mcontext.gregs;
  registers[REG_RIP] = one_in(2) ? (greg_t)&call_other_tables : (greg_t)any_pointer();
  registers[REG_RSP] = one_in(2) ? (greg_t)(frame + 4096) : (greg_t)any_pointer();
  registers[REG_EFL] = (greg_t)(one_in(2) ? 0x202 : random64());
  registers[REG_CSGSFS] = (greg_t)(one_in(2) ? 0x002b000000000033 : random64());
  if (one_in(3)) registers[below(NGREG)] = (greg_t)nasty();
  if (one_in(2)) scribble(frame + 2048, 2048);
  if (one_in(2)) context->uc_mcontext.fpregs = one_in(2) ? (fpregset_t)any_pointer() : (fpregset_t)(frame + 2048);
  if (one_in(3)) context->uc_flags = nasty();
  if (one_in(3)) {
    /* fpx_sw_bytes: magic, the size of all, features, the size of the state. */
    uint32_t software[] = {0x46505853, (uint32_t)nasty(), (uint32_t)nasty(), 0, (uint32_t)nasty()};
    memcpy(frame + 2048 + 464, software, sizeof software);
    context->uc_mcontext.fpregs = (fpregset_t)(frame + 2048);
  }
  asm volatile("mov %0, %%rsp\n mov $15, %%eax\n syscall" ::"r"(context) : "memory");
}

static void execute_bytes(void) {
  static const unsigned char programs[][16] = {
      {0xcc}, {0xf1}, {0xcd, 0x03}, {0xcd, 0x04}, {0xcd, 0xff}, {0x0f, 0x0b}, {0xf4}, {0xfa}, {0xec}, {0xee},
      {0x0f, 0x34}, {0x0f, 0x35}, {0x0f, 0x07}, {0x48, 0xcf}, {0x0f, 0x01, 0xd0}, {0x0f, 0x01, 0xd1}, {0x0f, 0x01, 0xf8},
      {0x0f, 0x30}, {0x0f, 0x32}, {0x0f, 0x20, 0xc0}, {0x0f, 0x31}, {0xf3, 0x0f, 0xc7, 0xf8}, {0x9c, 0x58, 0x50, 0x9d},
      /* push $0x40100; popf; nop: single step and alignment check. */
      {0x68, 0x00, 0x01, 0x04, 0x00, 0x9d, 0x90, 0x90}, {0x68, 0x00, 0x41, 0x00, 0x00, 0x9d, 0x0f, 0x05},
      /* wrgsbase and wrfsbase of what is in rax, then syscall. */
      {0xf3, 0x48, 0x0f, 0xae, 0xd8, 0x0f, 0x05}, {0xf3, 0x48, 0x0f, 0xae, 0xd0, 0x0f, 0x05},
      /* mov %eax to each segment register. */
      {0x8e, 0xd8}, {0x8e, 0xd0}, {0x8e, 0xe8, 0x0f, 0x05}, {0x8e, 0xe0, 0x0f, 0x05},
      /* A far return to 32-bit code: pushq $0x23; push $..; lretq. */
      {0x6a, 0x23, 0x68, 0x00, 0x00, 0x40, 0x00, 0x48, 0xcb}, {0xff, 0x24, 0xe5, 0x00, 0x00, 0x06, 0x00},
      {0x0f, 0xae, 0x28}, {0x0f, 0xae, 0x08}, {0x0f, 0xc7, 0x18}, {0x0f, 0x01, 0xca}, {0xe6, 0x80},
      /* A stack that is not there: mov %rax, %rsp; push; syscall. */
      {0x48, 0x89, 0xc4, 0x50}, {0x48, 0x89, 0xc4, 0x0f, 0x05}, {0xff, 0xe0}, {0x48, 0x89, 0xc4, 0xcc},
  };
  static char *code;
  if (code == NULL) code = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (code == MAP_FAILED) return;
  size_t at = one_in(4) ? PAGE - 16 : 0;
  if (one_in(4)) for (size_t i = 0; i < 16; i++) code[at + i] = (char)random64();
  else memcpy(code + at, programs[below(COUNT(programs))], 16);
  /* A ret behind it, where the program does not fill everything. */
  if (one_in(2)) code[at + 15] = (char)0xc3;
  for (size_t i = 0; i < 15; i++) if (one_in(4) && code[at + i] == 0) code[at + i] = (char)0x90;
  uint64_t rax = one_in(2) ? below(340) : (uint64_t)any_pointer();
  asm volatile("call *%1"
               : "+a"(rax)
               : "r"(code + at), "c"(nasty()), "d"(nasty()), "D"(any_pointer()), "S"(any_pointer())
               : "memory", "r8", "r9", "r10", "r11", "cc");
}

/* Goes to where a platform may have put something of its own. */
static void jump_into_the_platform(void) {
  static const uint64_t places[] = {0x60000, 0x7fff10000000, 0x7fff10001000, 0x7fff40000000, 0x7ffff000, 0x7ffffffff000};
  uint64_t target = places[below(COUNT(places))] + below(one_in(2) ? 256 : 4096);
  uint64_t a = one_in(2) ? below(340) : nasty(), b = (uint64_t)any_pointer(), c = nasty();
  asm volatile("call *%1" : "+a"(a) : "r"(target), "b"(b), "c"(c), "d"(c), "D"(b), "S"(c) : "memory", "r8", "r9", "r10", "r11");
}

static void write_into_the_platform(void) {
  static const uint64_t places[] = {0x60000, 0x7fff10000000, 0x7fff10003000, 0x7fff10004000, 0x7fff40000000, 0x7fff40001000};
  volatile uint64_t *at = (volatile uint64_t *)(places[below(COUNT(places))] + below(512) * 8);
  *at = nasty();
}

/* Under systrap GS leads to the page by which this thread and the kernel tell each other of stops. */
static void write_the_context_page(void) {
  char *page;
  asm volatile("rdgsbase %0" : "=r"(page));
  if (page == NULL) return;
  for (int i = (int)below(4); i >= 0; i--) {
    uint32_t value = (uint32_t)(one_in(2) ? below(40) : nasty());
    memcpy(page + below(one_in(2) ? 64 : 256) * 4, &value, 4);
  }
  if (one_in(2)) call_other_tables();
  else *(volatile char *)any_pointer() = 0;
}

void execute_nasty_instruction(void) {
  switch (below(8)) {
    case 6: case 7: return write_the_context_page();
    case 0: return call_other_tables();
    case 1: return forge_frame();
    case 2: return jump_into_the_platform();
    case 3: return write_into_the_platform();
    default: return execute_bytes();
  }
}
