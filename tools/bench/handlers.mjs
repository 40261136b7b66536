// Measures what the kernel itself takes for common system calls, from the guest's stop to its resume, in the bundled
// kernel over a platform without guests, beside what the host takes for the same in all.
//   node tools/bench/handlers.mjs [--json FILE]
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundledKernel, roundOf } from './bundled-kernel.mjs';

const WARM_UP_ROUNDS = 100_000;
const ROUNDS = 50_000;
const TRIES = 7;
const NATIVE_BUDGET_MS = '100';

const { values: options } = parseArgs({ options: { json: { type: 'string' } } });
const bundle = await bundledKernel();
const { abi, vfs, TestKernel, DATA_ADDR } = bundle;
const PATH = DATA_ADDR + 0x200;
const BUFFER = DATA_ADDR + 0x1000;
const FDS = DATA_ADDR + 0x100;
const LAST = Symbol('the result of the call before');
const HEADINGS = ['operation', 'kernel', 'native', 'ratio'];

/** By the row that measures the same natively: what is made ready, and the calls of one round. */
const CASES = {
  getpid: [onTmpfs, () => [[abi.SYS_getpid]]],
  lseek: [withOpenFile, () => [[abi.SYS_lseek, 0, 0, 0]]],
  fstat: [withOpenFile, () => [[abi.SYS_fstat, 0, BUFFER]]],
  pipe_write_read: [
    withPipe,
    () => [
      [abi.SYS_write, 1, BUFFER, 1],
      [abi.SYS_read, 0, BUFFER, 1],
    ],
  ],
  stat_tmpfs: [onTmpfs, () => [[abi.SYS_stat, PATH, BUFFER]]],
  stat_rootfs: [onOverlay, () => [[abi.SYS_stat, PATH, BUFFER]]],
  open_close_tmpfs: [onTmpfs, openAndClose],
  open_close_rootfs: [onOverlay, openAndClose],
  mmap_touch_munmap_64k: [
    onTmpfs,
    () => [
      [abi.SYS_mmap, 0, 65536, abi.PROT_READ | abi.PROT_WRITE, abi.MAP_PRIVATE | abi.MAP_ANONYMOUS],
      [abi.SYS_munmap, LAST, 65536],
    ],
  ],
};

const native = measureNative(Object.keys(CASES));
const kernel = Object.fromEntries(Object.entries(CASES).map(([name, of]) => [name, nsPerRound(...of)]));
if (options.json !== undefined) writeFileSync(options.json, JSON.stringify({ kernel, native }));
console.log(line(HEADINGS));
for (const name of Object.keys(CASES)) {
  const ratio = `${(kernel[name] / native[name]).toFixed(2)}x`;
  console.log(line([name, `${kernel[name].toFixed(0)} ns`, `${native[name].toFixed(0)} ns`, ratio]));
}

function line([name, ...columns]) {
  return name.padEnd(24) + columns.map((column) => column.padStart(12)).join('');
}

/** The least of several tries, in nanoseconds. */
function nsPerRound(prepare, callsOf) {
  const k = new TestKernel();
  const round = roundOf({ ...bundle, lastResult: LAST }, k, prepare(k), callsOf());
  for (let i = 0; i < WARM_UP_ROUNDS; i++) round();
  let least = Infinity;
  for (let i = 0; i < TRIES; i++) {
    const startNs = process.hrtime.bigint();
    for (let j = 0; j < ROUNDS; j++) round();
    least = Math.min(least, Number(process.hrtime.bigint() - startNs) / ROUNDS);
  }
  return least;
}

function onTmpfs(k) {
  const task = k.spawn();
  k.put(task, PATH, '/etc');
  k.call(task, abi.SYS_mkdir, PATH, 0o755);
  k.put(task, PATH, '/etc/passwd');
  k.call(task, abi.SYS_close, k.call(task, abi.SYS_open, PATH, abi.O_RDWR | abi.O_CREAT, 0o644));
  return task;
}

/** On an overlay whose lower layer has the file. */
function onOverlay(k) {
  onTmpfs(k);
  const { vfs: tree, clock } = k.kernel;
  const lower = k.rootNamespace.root.fs;
  const upper = new vfs.TmpfsFileSystem({ pool: k.memoryFile, clock, dev: tree.allocateDev(), mode: 0o755 });
  const overlay = { dev: tree.allocateDev(), clock, upper: upper.root, lowers: [lower.root] };
  k.rootNamespace = tree.createNamespace(new vfs.OverlayFileSystem(overlay));
  const task = k.spawn();
  k.put(task, PATH, '/etc/passwd');
  return task;
}

function withOpenFile(k) {
  const task = onTmpfs(k);
  k.call(task, abi.SYS_open, PATH, abi.O_RDONLY);
  return task;
}

function withPipe(k) {
  const task = k.spawn();
  k.call(task, abi.SYS_pipe, FDS);
  return task;
}

function openAndClose() {
  return [
    [abi.SYS_open, PATH, abi.O_RDONLY],
    [abi.SYS_close, LAST],
  ];
}

/** What the host takes, in nanoseconds, by name. */
function measureNative(names) {
  const scratch = mkdtempSync(join(tmpdir(), 'tsv-bench-'));
  try {
    const program = join(scratch, 'micro');
    const source = fileURLToPath(new URL('programs/micro.c', import.meta.url));
    execFileSync('cc', ['-O2', '-Wall', '-Wextra', '-pthread', '-static', '-o', program, source]);
    const output = execFileSync(program, [NATIVE_BUDGET_MS, ...names], { encoding: 'utf8' });
    const lines = output.trim().split('\n');
    return Object.fromEntries(lines.map((each) => [each.split(' ')[0], Number(each.split(' ')[1])]));
  } finally {
    rmSync(scratch, { recursive: true });
  }
}
