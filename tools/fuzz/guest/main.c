/*
 * Makes system calls at random from threads and processes: fuzz SEED ROUNDS CALLS.
 *
 * The first process watches: each round is a process with the seed SEED + round, whose threads make CALLS calls each. What
 * is left of a round after its time is killed. A kernel must survive.
 */
#include "fuzz.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#define THREADS 3
#define ROUND_MS 1500
#define SUPERVISOR 1

static const struct {
  const char *name;
  long number;
  const char *arguments;
  int deadly;
} calls[] = {
#define CALL(name, arguments) {#name, SYS_##name, arguments, 0},
#define DEADLY(name, arguments) {#name, SYS_##name, arguments, 1},
#define SPARED(name)
#include "calls.h"
};

static long only = -1;
static int is_verbose;
static uint64_t calls_per_thread;
static atomic_int ended_threads;

/* A process: ourselves, a child, somebody who is not there; never the one that watches. */
static uint64_t any_process(void) {
  static const int odd[] = {0, -1, 99999, 0x7fffffff, (int)0x80000000};
  if (one_in(4)) return (uint64_t)(int64_t)odd[below(COUNT(odd))];
  return one_in(2) ? (uint64_t)getpid() : (uint64_t)getpid() + below(6);
}

/* One that can be caught, mostly: what stops or kills ends a round early. */
static uint64_t any_signal(void) {
  if (one_in(8)) return nasty();
  uint64_t signal = 1 + below(64);
  return signal == SIGKILL || signal == SIGSTOP || signal == SIGUSR1 ? SIGRTMIN : signal;
}

static uint64_t any_ioctl(void) {
  static const uint32_t requests[] = {
      0x5401, 0x5402, 0x5403, 0x5404, 0x540e, 0x540f, 0x5410, 0x5411, 0x5412, 0x5413, 0x5414, 0x541b, 0x5420, 0x5421,
      0x5423, 0x5424, 0x5429, 0x5450, 0x5451, 0x5452, 0x545d, 0x5422, 0x80045430, 0x40045431, 0x5441, 0x802c542a,
      0x402c542b, 0x8901, 0x8902, 0x8904, 0x8905, 0x8906, 0x890b, 0x890c, 0x8910, 0x8912, 0x8913, 0x8914, 0x8915,
      0x8916, 0x8919, 0x891b, 0x8921, 0x8922, 0x8927, 0x8929, 0x8933, 0x8937, 0x8938, 0x8942, 0x8946, 0x8953, 0x8955,
      0x80086601, 0x40086602, 0xc020660b, 0x40049409, 0xb701, 0xb702, 0xb703, 0xb704, 0x400454ca, 0x800454d2, 0x5460,
  };
  return one_in(4) ? nasty() : requests[below(COUNT(requests))];
}

static uint64_t argument(char kind, long number) {
  if (one_in(24)) return one_in(2) ? nasty() : (uint64_t)any_pointer();
  switch (kind) {
    case 'f': return (uint64_t)any_descriptor();
    case 'd': return one_in(2) ? (uint64_t)AT_FDCWD : (uint64_t)any_descriptor();
    case 'p': case 's': return (uint64_t)path_string();
    case 'S': return (uint64_t)string_vector();
    case 'b': return (uint64_t)any_pointer();
    case 'n': return one_in(4) ? nasty() : below(2 * PAGE);
    case 'o': return one_in(3) ? nasty() : below(4 * PAGE);
    case 'i': return one_in(3) ? nasty() : below(64);
    case 'h': return number == SYS_ioctl ? any_ioctl() : one_in(2) ? 0 : one_in(2) ? 1ull << below(32) : random64() & random64();
    case 'v': return (uint64_t)iovec_array();
    case 'c': return one_in(8) ? nasty() : below(8);
    case 'a': return (uint64_t)socket_address();
    case 'A': case 'x': case 'y': return (uint64_t)(one_in(8) ? filter_program() : any_structure());
    case 't': return (uint64_t)timespec_soon();
    case 'T': return (uint64_t)itimerspec_soon();
    case 'E': return (uint64_t)signal_event();
    case 'z': return one_in(4) ? nasty() : below(2) ? 8 : below(130);
    case 'M': return (uint64_t)message();
    case 'N': return (uint64_t)message_array();
    case 'B': return (uint64_t)filter_program();
    case 'F': return (uint64_t)writable();
    case 'm': return (uint64_t)page_address();
    case 'P': return any_process();
    case 'g': return any_signal();
    case 'u': return one_in(2) ? (uint64_t)-1 : below(3);
    case 'r': return one_in(8) ? nasty() : below(16);
    case 'k': return one_in(3) ? nasty() : below(12);
    default: return 0;
  }
}

/* What would end the round, or who watches it, and what waits for the timeout of a round. */
static int is_spared(long number, uint64_t *a) {
  int target = (int)a[0];
  switch (number) {
    case SYS_kill: case SYS_tgkill: case SYS_tkill: case SYS_rt_sigqueueinfo: case SYS_rt_tgsigqueueinfo:
      return target == SUPERVISOR || target == -1 || (int)a[1] == SUPERVISOR;
    case SYS_rt_sigaction: return a[0] == SIGUSR1;
    case SYS_ptrace: return (int)a[1] == SUPERVISOR || a[0] == 0;
    case SYS_prlimit64: case SYS_process_vm_writev: case SYS_pidfd_open: case SYS_setpgid: return target == SUPERVISOR;
    case SYS_close: return target < 3;
    case SYS_close_range: return (unsigned)a[0] < 3 || a[1] > 4000;
    case SYS_dup2: case SYS_dup3: return (int)a[1] < 3 && (int)a[1] >= 0;
    default: return 0;
  }
}

static void make_call(int may_be_deadly);

/* Makes a call from a process of its own, and waits for that. */
static void make_call_apart(long number, uint64_t *a, int is_instruction) {
  int child = (int)syscall(SYS_fork);
  if (child < 0) return;
  if (child > 0) {
    for (int tries = 0; tries < 50 && syscall(SYS_wait4, child, NULL, WNOHANG, NULL) == 0; tries++) usleep(500);
    syscall(SYS_kill, child, SIGKILL);
    syscall(SYS_wait4, child, NULL, 0, NULL);
    return;
  }
  random_state += (uint64_t)number * 2 + 1;
  for (int i = is_instruction ? 1 + (int)below(3) : 0; i > 0; i--) execute_nasty_instruction();
  if (!is_instruction) syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  for (int i = 0; i < 8; i++) make_call(0);
  syscall(SYS_exit_group, 0);
}

static void make_call(int may_be_deadly) {
  unsigned which = only >= 0 && !one_in(8) ? (unsigned)only : (unsigned)below(COUNT(calls));
  uint64_t a[6] = {0};
  for (int i = 0; calls[which].arguments[i] != 0; i++) a[i] = argument(calls[which].arguments[i], calls[which].number);
  if (is_spared(calls[which].number, a)) return;
  if (may_be_deadly && one_in(40)) return make_call_apart(0, a, 1);
  if (calls[which].deadly) {
    if (may_be_deadly && (only >= 0 || one_in(3))) make_call_apart(calls[which].number, a, 0);
    return;
  }
  if (is_verbose)
    dprintf(2, "%d %s %lx %lx %lx %lx %lx %lx\n", (int)syscall(SYS_gettid), calls[which].name, a[0], a[1], a[2], a[3], a[4], a[5]);
  long result = syscall(calls[which].number, a[0], a[1], a[2], a[3], a[4], a[5]);
  if (result > 2 && result < 4096 && strchr("od", calls[which].name[0]) != NULL) remember_descriptor((int)result);
}

static void ignore(int signal) {
  (void)signal;
}

static void *run_thread(void *seed) {
  random_state = (uint64_t)seed * 0x9e3779b97f4a7c15ull | 1;
  sigset_t none;
  sigemptyset(&none);
  for (uint64_t i = 0; i < calls_per_thread; i++) {
    if (i % 8 == 0) syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, 8);
    make_call(1);
  }
  atomic_fetch_add(&ended_threads, 1);
  return NULL;
}

/* Interrupts threads that wait, until the round has been left by all of them. */
static void *poke(void *unused) {
  (void)unused;
  for (;;) {
    struct timespec pause = {0, 2000000};
    syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &pause, NULL);
    for (int tid = getpid() + 1; tid < getpid() + 12; tid++) syscall(SYS_tgkill, getpid(), tid, SIGUSR1);
    syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
  }
  return NULL;
}

static void limit(int resource, rlim_t value) {
  struct rlimit both = {value, value};
  setrlimit(resource, &both);
}

static void run_round(uint64_t seed) {
  pthread_t threads[THREADS + 1];
  random_state = seed * 0x9e3779b97f4a7c15ull | 1;
  limit(RLIMIT_AS, 1ul << 30);
  limit(RLIMIT_NPROC, 64);
  limit(RLIMIT_NOFILE, 256);
  limit(RLIMIT_CORE, 0);
  if (one_in(2)) limit(RLIMIT_FSIZE, 1ul << 24);
  /* Signals to its group and its terminal are not for who watches. */
  setsid();
  int null = open("/dev/null", O_RDWR);
  for (int fd = 0; fd < (is_verbose ? 2 : 3); fd++) dup2(null, fd);
  close(null);
  char dir[64];
  snprintf(dir, sizeof dir, "/tmp/fuzz-%llu", (unsigned long long)seed);
  if (mkdir(dir, 0777) < 0 || chdir(dir) < 0) exit(3);
  mkdir("dir", 0777);
  if (symlink("dir", "link") < 0 || symlink("loop", "loop") < 0) exit(3);
  if (one_in(2)) unshare(0x00020000 | 0x40000000);
  if (one_in(3) && (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)) exit(3);
  make_memory();
  open_descriptors();
  for (int number = 1; number <= 64; number++) {
    if (number == SIGSEGV || number == SIGBUS || number == SIGILL || number == SIGFPE || number == SIGTRAP) continue;
    struct sigaction action = {.sa_handler = ignore, .sa_flags = number % 2 == 0 ? SA_RESTART : 0};
    if (number == SIGUSR1) action.sa_flags = 0;
    sigaction(number, &action, NULL);
  }
  for (uint64_t i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, run_thread, (void *)(seed * 8 + i));
  pthread_create(&threads[THREADS], NULL, poke, NULL);
  /* Not pthread_join: threads change where the kernel tells that they have ended. */
  while (atomic_load(&ended_threads) < THREADS) usleep(1000);
  syscall(SYS_exit_group, 0);
}

static long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits until the process has ended, and kills everything that is left, whatever it did to itself. 1 if it was late. */
static int watch(pid_t child) {
  long end = now_ms() + ROUND_MS;
  int status = 0, is_late = 0;
  while (waitpid(child, &status, WNOHANG | WUNTRACED) != child || WIFSTOPPED(status)) {
    if (now_ms() > end) {
      is_late = 1;
      break;
    }
    kill(child, SIGCONT);
    usleep(2000);
  }
  kill(-1, SIGKILL);
  while (waitpid(-1, NULL, 0) > 0) continue;
  printf(is_late ? "killed\n" : WIFSIGNALED(status) ? "signal %d\n" : "status %d\n",
         WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
  return is_late;
}

int main(int argc, char **argv) {
  if (argc < 4 || getpid() != SUPERVISOR) {
    fprintf(stderr, "usage, as the first process of a sandbox: fuzz SEED ROUNDS CALLS [NAME] [v]\n");
    return 2;
  }
  uint64_t seed = strtoull(argv[1], NULL, 0), rounds = strtoull(argv[2], NULL, 0), late = 0;
  calls_per_thread = strtoull(argv[3], NULL, 0);
  for (unsigned i = 0; i < COUNT(calls); i++)
    if (argc > 4 && strcmp(argv[4], calls[i].name) == 0) only = i;
  is_verbose = argc > 5;
  for (uint64_t round = 0; round < rounds; round++) {
    printf("round %llu: ", (unsigned long long)(seed + round));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) run_round(seed + round);
    if (child < 0) return 4;
    late += (uint64_t)watch(child);
  }
  printf("done: %llu rounds, %llu of them ended by time\n", (unsigned long long)rounds, (unsigned long long)late);
  return 0;
}
