// Runs guests that make system calls at random, and checks that their sandbox survives: rounds end by themselves or by
// time, the kernel throws nothing and leaks nothing, its heap stays bounded, and no process or file is left. A round is
// named by its seed. Threads race, so that a seed repeats what is called and not always what happens.
// Ends with `N passed, N failed`.
//   node tools/fuzz/run.mjs [--seed N] [--rounds N] [--calls N] [--platform NAME[,NAME]] [--call NAME]
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const CLI = fileURLToPath(new URL('../../packages/cli/bin/tsv.js', import.meta.url));
const GUEST = fileURLToPath(new URL('guest', import.meta.url));
const TABLES = fileURLToPath(new URL('../../packages/kernel/src/syscalls', import.meta.url));
const SOURCES = ['main.c', 'random.c', 'memory.c', 'descriptors.c', 'structures.c', 'instructions.c'];
/** Of what the guest allows a round, what a slow machine takes on top, and what a sandbox takes to start and end. */
const ROUND_MS = 4000;
const SANDBOX_MS = 60_000;
/** The heap of the sentry, which has no guest memory: several times what it needs for a round. */
const HEAP_BYTES_MAX = 768 << 20;
/** What the sentry prints when something is wrong with it, and not with its guest. */
const COMPLAINTS = /kernel failed|is stuck|leak|internal|panicked|Error:|at .*\.cjs:/i;

const { values: options } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '20' },
    calls: { type: 'string', default: '300' },
    platform: { type: 'string', default: 'systrap,ptrace' },
    call: { type: 'string', default: '' },
  },
});
const dir = mkdtempSync(join(tmpdir(), 'tsv-fuzz-'));
let passed = 0;
let failed = 0;

try {
  report('every system call is on the list', missingCalls());
  const guest = join(dir, 'fuzz');
  const sources = SOURCES.map((name) => join(GUEST, name));
  execFileSync('gcc', ['-O1', '-static', '-pthread', '-o', guest, ...sources], { stdio: 'inherit' });
  for (const platform of options.platform.split(',')) await fuzz(platform, guest);
} finally {
  rmSync(dir, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;

/** Rounds one after the other in a sandbox; in a new one after each that failed. */
async function fuzz(platform, guest) {
  const end = Number(options.seed) + Number(options.rounds);
  for (let seed = Number(options.seed); seed < end;) {
    const { roundCount, problem } = await runSandbox(platform, guest, seed, end - seed);
    passed += problem === null ? roundCount : Math.max(roundCount - 1, 0);
    seed += Math.max(roundCount, 1);
    if (problem === null) continue;
    const again = `--platform ${platform} --seed ${seed - 1} --rounds 1 --calls ${options.calls}`;
    report(`seed ${seed - 1}; again with node tools/fuzz/run.mjs ${again}`, problem);
  }
}

async function runSandbox(platform, guest, seed, rounds) {
  const tmp = mkdtempSync(join(dir, 'tmp-'));
  const log = ['--ref-leak-mode', 'panic', '--watchdog-action', 'panic', '--watchdog-timeout', '40'];
  const size = ['--overlay2', 'root:memory,size=256m'];
  const command = [guest, String(seed), String(rounds), options.calls, options.call];
  const child = spawn(process.execPath, [CLI, '--platform', platform, ...log, ...size, 'do', '--', ...command], {
    env: { PATH: process.env.PATH, TMPDIR: tmp },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('latin1').on('data', (text) => (output += text));
  const { status, isLate, heapBytes } = await ended(child, SANDBOX_MS + rounds * ROUND_MS);
  const lines = output.split('\n');
  const done = lines.find((line) => line.startsWith('done: '));
  const problem =
    (isLate && 'it does not end') ||
    (heapBytes > HEAP_BYTES_MAX && `its heap grew to ${heapBytes >> 20} MiB`) ||
    ((status !== '0' || done === undefined || COMPLAINTS.test(output)) &&
      `status ${status}\n${lines.slice(-30).join('\n')}`) ||
    (await leftovers(child.pid, tmp));
  if (problem === null) console.log(`${platform}: ${done}, a heap of ${heapBytes >> 20} MiB at most`);
  return { roundCount: lines.filter((line) => line.startsWith('round ')).length, problem };
}

/** Waits until the command has ended, and ends it where it is too late or takes too much memory. */
async function ended(child, timeoutMs) {
  const endMs = Date.now() + timeoutMs;
  let heapBytes = 0;
  let status = null;
  let isLate = false;
  child.on('close', (code, signal) => (status = signal ?? String(code)));
  while (status === null) {
    await sleep(50);
    heapBytes = Math.max(heapBytes, heapOf(child.pid));
    isLate ||= Date.now() > endMs;
    if (isLate || heapBytes > HEAP_BYTES_MAX) child.kill('SIGKILL');
  }
  return { status, isLate, heapBytes };
}

function heapOf(pid) {
  const found = /^RssAnon:\s*(\d+) kB/m.exec(readIfThere(`/proc/${pid}/status`));
  return found === null ? 0 : Number(found[1]) * 1024;
}

/** Null when no process of the sandbox and no file of it is left. */
async function leftovers(session, tmp) {
  let left = [];
  for (let tries = 0; tries < 200; tries++) {
    left = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && sessionOf(pid) === session);
    if (left.length === 0) break;
    await sleep(25);
  }
  if (left.length > 0) return `processes are left: ${left.join(', ')}`;
  const files = readdirSync(tmp);
  if (files.length > 0) return `files are left: ${files.join(', ')}`;
  return readIfThere('/proc/self/mountinfo').includes(tmp) ? 'a mount is left' : null;
}

/** The session of a process that is no zombie; NaN for others. */
function sessionOf(pid) {
  const fields = readIfThere(`/proc/${pid}/stat`)
    .replace(/^.*\) /, '')
    .split(' ');
  return fields[0] === 'Z' ? NaN : Number(fields[3]);
}

function readIfThere(path) {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return '';
    throw error;
  }
}

/** Null, or the system calls of the kernel's table that the guest does not make. */
function missingCalls() {
  const list = readFileSync(join(GUEST, 'calls.h'), 'utf8');
  const made = new Set([...list.matchAll(/(?:CALL|DEADLY|SPARED)\((\w+)/g)].map(([, name]) => name));
  const names = readdirSync(TABLES)
    .filter((file) => /^table.*\.ts$/.test(file))
    .flatMap((file) => [...readFileSync(join(TABLES, file), 'utf8').matchAll(/name: '(\w+)'/g)])
    .map(([, name]) => name);
  const missing = names.filter((name) => !made.has(name));
  return missing.length === 0 ? null : `not made: ${missing.join(', ')}`;
}

function report(name, problem) {
  if (problem === null) passed++;
  else failed++;
  if (problem !== null) console.log(`FAIL ${name}: ${problem}`);
}
