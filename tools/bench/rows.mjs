// The rows of the benchmark: what is measured, by which program, and how many times native it may take.

import { fileURLToPath } from 'node:url';

/**
 * @typedef {object} Row
 * @property {string} name
 * @property {string} title What the table and the chart call it.
 * @property {string} group `calls`, `threads`, `files`, `memory`, `processes`, `programs`, `network` or `sandbox`.
 * @property {number | null} targetRatio Times native, at most; null without a target of that kind.
 * @property {string} program Which program of tools/bench/programs measures it, a script if it ends so, or `sandbox`.
 * @property {readonly string[]} [command] What `timed` runs; `@` stands for the directory of the fixtures.
 * @property {readonly string[]} [fixtures] What it needs there.
 * @property {boolean} [isAgain] Whether `timed` measures the second run in a sandbox, of files that are known by then.
 * @property {string} [operation] Of `micro` or `network`, if that is not its name.
 * @property {string} [platform] The only platform of TSV that measures it.
 * @property {readonly string[]} [tsvOptions] Options of tsv for this row only; without them, it shares a sandbox.
 */

const PYTHON_LOOP = 'x = 0\nfor i in range(8000000):\n    x = (x * 31 + i) % 65521\nprint(x)';
const PYTHON_THREADS = ['/usr/bin/python3', threadsProgram('threads.py')];
const NODE_WORKERS = [process.execPath, threadsProgram('workers.mjs')];
// What a package manager does; what is made goes, so that each round finds what the first one did.
const UNPACK = 'mkdir @/unpacked && tar -xf @/modules.tar -C @/unpacked && rm -rf @/unpacked';
const COPY = 'cp -a @/modules @/copied && rm -rf @/copied';
const SHELL_LOOP = 'i=0; while [ $i -lt 500 ]; do /bin/true; i=$((i+1)); done';

const FIND = ['find', '/usr'];
const GIT_STATUS = ['git', '-c', 'safe.directory=*', '-C', '@/tree', 'status', '--porcelain'];
const DU = ['du', '-s', '@/modules'];

/** @type {readonly Row[]} */
export const ROWS = [
  micro('getpid', 'getpid', 'calls', 2),
  {
    ...micro('getpid_call', 'getpid that the kernel answers', 'calls', 2),
    operation: 'getpid',
    platform: 'systrap',
    tsvOptions: ['--systrap-in-stub=off'],
  },
  {
    ...micro('getpid_trap', 'getpid from a site that is not patched', 'calls', 25),
    operation: 'getpid',
    platform: 'systrap',
    tsvOptions: ['--systrap-patching=off', '--systrap-in-stub=off'],
  },
  micro('clock_gettime', 'clock_gettime (vDSO)', 'calls', 1.5),
  micro('read_zero_4k', 'read 4 KiB of /dev/zero', 'calls', 2),
  micro('write_null_4k', 'write 4 KiB to /dev/null', 'calls', 2),
  micro('lseek', 'lseek', 'calls', 2),
  micro('fstat', 'fstat', 'calls', 2),
  micro('pipe_write_read', 'pipe, write and read a byte', 'calls', 3),
  micro('ping_pong_threads', 'ping-pong between two threads', 'calls', 4),
  micro('ping_pong_processes', 'ping-pong between two processes', 'calls', 4),
  bulk('mutex_4_threads', 'a mutex between 4 threads', 'threads', 1.5, []),
  timed('go_channels', 'Go, a channel between 2 goroutines', 'threads', 1.5, ['@/channels'], ['channels']),
  timed('python_threads', 'python3, 4 threads and a queue', 'threads', 2, PYTHON_THREADS, []),
  timed('node_workers', 'node, messages of 2 workers', 'threads', 2, NODE_WORKERS, []),

  micro('stat_tmpfs', 'stat, tmpfs', 'files', 4),
  micro('stat_rootfs', 'stat, root filesystem', 'files', 4),
  micro('open_close_tmpfs', 'open and close, tmpfs', 'files', 4),
  micro('open_close_rootfs', 'open and close, root filesystem', 'files', 4),
  bulk('read_1g', 'read 1 GiB in 64 KiB blocks', 'files', 1.3, ['data']),
  bulk('write_1g', 'write 1 GiB in 64 KiB blocks', 'files', 1.3, []),
  bulk('getdents_10k', 'getdents of 10,000 entries', 'files', 3, ['entries']),
  timed('find_usr', 'find /usr', 'files', 3, FIND, []),
  again('find_usr_again', 'find /usr again', 3, FIND, []),
  timed('git_status', 'git status of 20,000 files', 'files', 3, GIT_STATUS, ['tree']),
  again('git_status_again', 'git status again', 3, GIT_STATUS, ['tree']),
  timed('unpack', 'tar x and rm -rf of 5,000 files', 'files', null, ['sh', '-c', UNPACK], ['modules', 'modules.tar']),
  timed('copy', 'cp -a and rm -rf of 5,000 files', 'files', null, ['sh', '-c', COPY], ['modules']),
  timed('du', 'du of 5,000 files', 'files', null, DU, ['modules']),
  again('du_again', 'du again', null, DU, ['modules']),

  micro('mmap_touch_munmap_64k', 'mmap, touch, munmap of 64 KiB', 'memory', 4),
  bulk('touch_256m', 'touch 256 MiB', 'memory', 1.5, []),

  micro('fork_wait', 'fork and wait', 'processes', 6),
  micro('vfork_exec_true', 'vfork, exec /bin/true, wait', 'processes', 4),
  timed('shell_loop', 'sh -c loop of 500 execs', 'processes', 4, ['sh', '-c', SHELL_LOOP], []),

  timed('python_loop', 'python3, a loop', 'programs', 1.05, ['/usr/bin/python3', '-c', PYTHON_LOOP], []),
  timed('gzip_200m', 'gzip -1 of 200 MB', 'programs', 1.1, ['gzip', '-1', '-c', '@/text'], ['text']),
  timed('sqlite_100k', 'sqlite3, 100,000 inserts', 'programs', 1.5, sqliteInserts(), ['inserts.sql']),
  timed('make', 'make of a C project', 'programs', 2, ['make', '-s', '-B', '-C', '@/project'], ['project']),

  network('tcp_connect_close', 'TCP over loopback: connect, a byte, close', 4),
  network('tcp_ping_pong', 'TCP over loopback: a byte there and back', 4),
  network('tcp_1m', 'TCP over loopback: 1 MiB, and an answer', 4),
  script('iperf3', 'iperf3 over loopback, a gigabit', null),
  script('redis_get', 'redis-benchmark GET, a request', 2),

  {
    name: 'start',
    title: 'start of /bin/true, whole command',
    group: 'sandbox',
    targetRatio: null,
    program: 'sandbox',
  },
  { name: 'idle', title: 'resident memory while idle', group: 'sandbox', targetRatio: null, program: 'sandbox' },
];

/** What the figures of the sandbox itself may be; they have no native counterpart. */
export const LIMITS = { start_ms: 150, rss_mb: 70, idle_cpu_ms_per_s: 3.3 };

function micro(name, title, group, targetRatio) {
  return { name, title, group, targetRatio, program: 'micro' };
}

function network(name, title, targetRatio) {
  return { name, title, group: 'network', targetRatio, program: 'network' };
}

function script(name, title, targetRatio) {
  return { name, title, group: 'network', targetRatio, program: `${name.split('_')[0]}.sh` };
}

function bulk(name, title, group, targetRatio, fixtures) {
  return { name, title, group, targetRatio, program: 'bulk', fixtures };
}

function threadsProgram(name) {
  return fileURLToPath(new URL(`programs/${name}`, import.meta.url));
}

function timed(name, title, group, targetRatio, command, fixtures) {
  return { name, title, group, targetRatio, program: 'timed', command, fixtures };
}

function again(name, title, targetRatio, command, fixtures) {
  return { ...timed(name, title, 'files', targetRatio, command, fixtures), isAgain: true };
}

function sqliteInserts() {
  return ['sh', '-c', 'rm -f @/inserts.db && sqlite3 @/inserts.db < @/inserts.sql'];
}
