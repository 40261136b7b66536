// Measures what a platform itself costs, without a kernel: prints ns per getpid round trip (the guest calls, JavaScript
// answers), its ratio to a native getpid, and what address spaces and threads cost; beside them what two processors need to
// send each other a word, which no platform that answers on another processor can be faster than.
//   npx nx run-many -t build && node tools/bench/platform.mjs [--platform ptrace] [--patching on|off] [--rounds N]
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    platform: { type: 'string', default: 'ptrace' },
    patching: { type: 'string', default: 'on' },
    rounds: { type: 'string', default: '5' },
  },
});
const { createMemoryFile } = await load('pgalloc');
const { PAGE_BYTES, REG_RAX, REG_RIP, UsageKind, chunkAt, chunkOf } = await load('platform');
const type = (await load(`platform-${options.platform}`))[`${options.platform}Platform`];

const CODE = 0x40_0000;
const PROT_READ_EXEC = 5;
/** endbr64; mov eax, 39; syscall; jmp back */
const GETPID_LOOP = [0xf3, 0x0f, 0x1e, 0xfa, 0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf3];
/** Batches of each operation a round; the median is of all. */
const BATCHES = 20;
/** What the answer of a guest's getpid is. */
const PID = 1;

const reason = type.unavailableReason();
if (reason !== null) throw new Error(reason);
const memoryFile = createMemoryFile();
const platform = type.create({ memoryFile, deviceFd: -1, mayPatchCode: options.patching === 'on' });
// The loop has nothing to do while guests run, and is in the phase in which it would sleep.
await delay(1);
try {
  const nativeNs = nativeFigure('micro', ['20', 'getpid']);
  tell('native getpid', nativeNs, nativeNs);
  if (availableParallelism() > 1) {
    tell('a word to another processor and back', nativeFigure('round-trip', []), nativeNs);
    tell('the same by way of two cache lines', nativeFigure('round-trip', ['two']), nativeNs);
  }
  for (const [name, count, operation] of operations()) {
    measure(count, operation); // What a program does at first is compiled, patched and moved to its processor.
    tell(
      name,
      median(Array.from({ length: BATCHES * Number(options.rounds) }, () => measure(count, operation))),
      nativeNs,
    );
  }
} finally {
  platform.close();
  memoryFile.close();
}

function* operations() {
  const { space, context } = guest();
  run(context);
  yield ['getpid', 2000, () => answer(context)];
  yield ['map and unmap a page', 100, () => mapAndUnmap(space)];
  yield ['thread: create, run, release', 100, () => runAndRelease(made(space.createContext(context)), null)];
  yield ['fork, run, release', 10, () => forkAndRelease(space, context)];
  yield ['address space: new, run, release', 10, () => newAndRelease()];
}

function guest() {
  const space = made(platform.createAddressSpace());
  const pfn = memoryFile.allocate(1, UsageKind.ANONYMOUS, -1);
  memoryFile.chunks[chunkOf(pfn)].set(GETPID_LOOP, chunkAt(pfn));
  space.codeMemory = codeAt(space, pfn);
  space.mapMemory(CODE, PAGE_BYTES, PROT_READ_EXEC, pfn);
  const context = made(space.createContext(null));
  context.page.set(REG_RIP, CODE);
  return { space, context, pfn };
}

/** Code that a platform may change: the page `pfn`, in place of which a copy is mapped. */
function codeAt(space, pfn) {
  const bytes = () => memoryFile.chunks[chunkOf(pfn)].subarray(chunkAt(pfn), chunkAt(pfn) + PAGE_BYTES);
  return {
    read(addr, dst, len) {
      dst.set(bytes().subarray(addr - CODE, addr - CODE + len));
      return true;
    },
    replace(addr, patch) {
      const old = bytes();
      pfn = memoryFile.allocate(1, UsageKind.ANONYMOUS, -1);
      bytes().set(old);
      bytes().set(patch, addr - CODE);
      space.mapMemory(CODE, PAGE_BYTES, PROT_READ_EXEC, pfn);
      return space.flush() === 0;
    },
  };
}

/** Lets a context run to its next stop. */
function run(context) {
  context.resume();
  while (platform.next() < 0) platform.sleep(Infinity);
}

function answer(context) {
  context.page.set(REG_RAX, PID);
  run(context);
}

function mapAndUnmap(space) {
  space.mapMemory(0x7000_0000, PAGE_BYTES, PROT_READ_EXEC, 0);
  space.flush();
  space.unmap(0x7000_0000, PAGE_BYTES);
  space.flush();
}

function runAndRelease(context, space) {
  run(context);
  context.release();
  space?.release();
}

function forkAndRelease(space, context) {
  const copy = made(space.fork());
  runAndRelease(made(copy.createContext(context)), copy);
}

function newAndRelease() {
  const { space, context, pfn } = guest();
  runAndRelease(context, space);
  memoryFile.decRef(pfn, 1);
}

function measure(count, operation) {
  const start = process.hrtime.bigint();
  for (let i = 0; i < count; i++) operation();
  return Number(process.hrtime.bigint() - start) / count;
}

/** Prints a row. */
function tell(name, ns, nativeNs) {
  console.log(`${name.padEnd(36)} ${ns.toFixed(0).padStart(9)} ns   ${(ns / nativeNs).toFixed(1)} x native getpid`);
}

/** What a program of this directory measures, natively. */
function nativeFigure(name, args) {
  const scratch = mkdtempSync(join(tmpdir(), 'tsv-bench-'));
  try {
    const program = join(scratch, name);
    const source = fileURLToPath(new URL(`programs/${name}.c`, import.meta.url));
    execFileSync('cc', ['-O2', '-pthread', '-static', '-o', program, source]);
    return Number(/ (\S+)$/m.exec(execFileSync(program, args, { encoding: 'utf8' }))[1]);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function median(values) {
  return values.sort((a, b) => a - b)[values.length >> 1];
}

function made(result) {
  if (typeof result === 'number') throw new Error(`Cannot measure: errno ${-result}`);
  return result;
}

async function load(name) {
  return import(pathToFileURL(fileURLToPath(new URL(`../../packages/${name}/dist/index.js`, import.meta.url))).href);
}
