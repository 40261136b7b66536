import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Our own C programs (`guests/*.c`), built once and run on both sides. `needs` names a compiler that may be missing:
 * the case is left out then.
 */
const guest = (name, more = {}) => ({
  name: `guest: ${name}`,
  guest: { source: `${name}.c`, compiler: 'gcc', flags: ['-O1', '-pthread'], args: [] },
  ...more,
});
const linked = (name, compiler, flags) => ({
  name: `guest: ${name}`,
  guest: { source: 'tls.c', compiler, flags: ['-O2', ...flags, '-pthread'], args: ['x y'] },
});

/** What the benchmarks have threads do. */
const PROGRAMS = fileURLToPath(new URL('../bench/programs', import.meta.url));

export const GUEST_CASES = [
  guest('pi-futex'),
  guest('inotify'),
  guest('scm-rights'),
  guest('kcmp-ioprio'),
  guest('getcpu'),
  guest('ptrace'),
  guest('patched-site'),
  guest('sysv-shm'),
  guest('sysv-sem'),
  guest('sysv-msg'),
  guest('posix-mq'),
  guest('cgroup'),
  guest('keys'),
  guest('mount-api'),
  guest('numa-and-others'),
  guest('validators', { timeoutMs: 60_000 }),
  linked('dynamic PIE', 'gcc', ['-pie', '-fPIE']),
  linked('dynamic, not PIE', 'gcc', ['-no-pie']),
  linked('static', 'gcc', ['-static']),
  linked('static-PIE', 'gcc', ['-static-pie', '-fPIE']),
  linked('musl static', 'musl-gcc', ['-static']),
  linked('musl static-PIE', 'musl-gcc', ['-static-pie', '-fPIE']),
  linked('musl dynamic', 'musl-gcc', []),
  {
    name: 'threads: Go channels',
    guest: { source: join(PROGRAMS, 'channels.go'), compiler: 'go', flags: ['build'], args: [] },
    timeoutMs: 60_000,
  },
  { name: 'threads: python3, a queue', argv: ['python3', join(PROGRAMS, 'threads.py')], timeoutMs: 60_000 },
  { name: 'threads: node, workers', argv: ['node', join(PROGRAMS, 'workers.mjs')], timeoutMs: 60_000 },
];
