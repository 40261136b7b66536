// Counts what the handlers of common system calls allocate: prints bytes of heap a call, from the guest's stop to its
// resume, in the bundled kernel over a platform without guests. Fails when one allocates a byte or more.
//   node tools/bench/allocations.mjs
import { bundledKernel, roundOf } from './bundled-kernel.mjs';

const WARM_UP_CALLS = 50_000;
const CALLS = 20_000;
const ROUNDS = 10;

const bundle = await bundledKernel();
const results = Object.entries(callsOf(bundle.abi, bundle.DATA_ADDR)).map(([name, prepare]) => [
  name,
  bytesPerCall(new bundle.TestKernel(), prepare),
]);
for (const [name, bytes] of results) console.log(`${name.padEnd(36)} ${bytes.toFixed(2).padStart(8)} bytes`);
if (results.some(([, bytes]) => bytes >= 1)) process.exitCode = 1;

/** What is measured: each entry prepares and returns the system calls that make one round. */
function callsOf(abi, dataAddr) {
  const [fds, arg, buf] = [dataAddr + 0x100, dataAddr + 0x200, dataAddr + 0x1000];
  const file = (k, call) => {
    k.put(k.task(1), arg, '/f');
    call(abi.SYS_open, arg, abi.O_RDWR | abi.O_CREAT, 0o600);
    call(abi.SYS_write, 0, buf, 64);
  };
  return {
    getpid: () => [[abi.SYS_getpid]],
    'clock_gettime of CLOCK_MONOTONIC': () => [[abi.SYS_clock_gettime, abi.CLOCK_MONOTONIC, buf]],
    'futex, wake': () => [[abi.SYS_futex, dataAddr, abi.FUTEX_WAKE | abi.FUTEX_PRIVATE_FLAG, 1]],
    'fstat of a file': (k, call) => {
      file(k, call);
      return [[abi.SYS_fstat, 0, buf]];
    },
    'lseek and read of a file': (k, call) => {
      file(k, call);
      return [
        [abi.SYS_lseek, 0, 0, 0],
        [abi.SYS_read, 0, buf, 64],
      ];
    },
    'lseek and write of a file': (k, call) => {
      file(k, call);
      return [
        [abi.SYS_lseek, 0, 0, 0],
        [abi.SYS_write, 0, buf, 64],
      ];
    },
    'pread of a file': (k, call) => {
      file(k, call);
      return [[abi.SYS_pread64, 0, buf, 32]];
    },
    'write and read of a pipe': (k, call) => {
      call(abi.SYS_pipe, fds);
      return [
        [abi.SYS_write, 1, buf, 64],
        [abi.SYS_read, 0, buf, 64],
      ];
    },
    'epoll_wait of a ready eventfd': (k, call) => {
      call(abi.SYS_eventfd2, 1, 0);
      const ep = call(abi.SYS_epoll_create1, 0);
      k.put(k.task(1), arg, new Uint8Array([abi.EPOLLIN, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0]));
      call(abi.SYS_epoll_ctl, ep, abi.EPOLL_CTL_ADD, 0, arg);
      return [[abi.SYS_epoll_wait, ep, buf, 8]];
    },
  };
}

/** The least of several rounds: now and then a collection or V8 itself puts something on the heap. */
function bytesPerCall(k, prepare) {
  const task = k.spawn();
  const round = roundOf(
    bundle,
    k,
    task,
    prepare(k, (nr, ...args) => k.call(task, nr, ...args)),
  );
  for (let i = 0; i < WARM_UP_CALLS; i++) round();
  let least = Infinity;
  for (let i = 0; i < ROUNDS; i++) {
    const before = process.memoryUsage().heapUsed;
    for (let j = 0; j < CALLS; j++) round();
    const bytes = (process.memoryUsage().heapUsed - before) / CALLS;
    if (bytes >= 0 && bytes < least) least = bytes;
  }
  return least;
}
