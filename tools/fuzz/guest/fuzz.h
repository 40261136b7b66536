/* What the parts of the fuzzer's guest share. */
#ifndef FUZZ_H
#define FUZZ_H
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Younger than the headers of some C libraries. */
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif
#ifndef SYS_futex_wake
#define SYS_futex_wake 454
#define SYS_futex_wait 455
#define SYS_futex_requeue 456
#endif

#define PAGE 4096ul
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* random.c: numbers that a seed decides, apart for each thread. */
extern __thread uint64_t random_state;
uint64_t random64(void);
uint64_t below(uint64_t bound);
int one_in(uint64_t n);
uint64_t nasty(void);

/* memory.c: pages of each kind, with what may be read, written or neither beside each other. */
void make_memory(void);
char *writable(void);
char *any_pointer(void);
char *page_address(void);
void scribble(char *at, size_t len);

/* descriptors.c: open files of each kind. */
void open_descriptors(void);
int any_descriptor(void);
void remember_descriptor(int fd);

/* structures.c: arguments that are structures. */
char *path_string(void);
char *iovec_array(void);
char *message(void);
char *message_array(void);
char *socket_address(void);
char *filter_program(void);
char *timespec_soon(void);
char *itimerspec_soon(void);
char *signal_event(void);
char *string_vector(void);
char *any_structure(void);

/* instructions.c: what a program may execute, and better did not. */
void execute_nasty_instruction(void);

#endif
