import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxBundle } from './testing/busybox-bundle.js';
import { TSV, runTsv, type TsvResult } from './testing/run-tsv.js';

jest.setTimeout(180_000);

const BOUND_MS = 60_000;
const STUCK = 'tsv: The sandbox is stuck: its kernel does not come back from what it does for a guest\n';
/** Makes files of the host, as long as it runs. */
const MAKES_FILES = ['sh', '-c', 'i=0; while :; do echo > /tmp/$((i += 1)); sleep 0.05; done'];

let dir: string;
/** A gofer that a test has stopped. */
let stopped: number | null;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsv-watchdog-'));
  stopped = null;
});
afterEach(async () => {
  if (stopped !== null && isRunning(stopped)) process.kill(stopped, 'SIGCONT');
  expect(await tsv('delete', '--force', 'a')).toMatchObject({ status: 0, stderr: '' });
  expect(readdirSync(join(dir, 'root'))).toEqual([]);
  rmSync(dir, { recursive: true, force: true });
});

const tsv = (...args: string[]): Promise<TsvResult> => runTsv(['--root', join(dir, 'root'), ...args], '', BOUND_MS);
const log = (): string => readFileSync(join(dir, 'log'), 'utf8');

/** Makes container `a`, whose files are its gofer's to open, and returns the processes of its sandbox. */
async function make(command: 'create' | 'run', action: string): Promise<{ sentry: number; gofer: number }> {
  const bundle = join(dir, 'bundle');
  mkdirSync(bundle);
  busyboxBundle(bundle, MAKES_FILES);
  const argv = ['--root', join(dir, 'root'), '--debug-log', join(dir, 'log'), '--directfs=false'];
  argv.push('--watchdog-timeout', '3', '--watchdog-action', action, command, '--bundle', bundle);
  if (command === 'run') argv.push('--detach');
  const child = spawn(process.execPath, [TSV, ...argv, 'a'], { stdio: 'ignore', timeout: BOUND_MS });
  expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(0);
  const state = JSON.parse(readFileSync(join(dir, 'root/a/state.json'), 'utf8')) as { sentry: { pid: number } };
  const sentry = state.sentry.pid;
  const gofer = childrenOf(sentry).find((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'tsv-gofer\n');
  return { sentry, gofer: gofer! };
}

/** Stops the gofer that the kernel waits for, as a disk does that does not answer. */
function stop(gofer: number): void {
  stopped = gofer;
  process.kill(gofer, 'SIGSTOP');
}

function childrenOf(pid: number): number[] {
  const tasks = readdirSync(`/proc/${pid}/task`);
  const lists = tasks.map((tid) => readFileSync(`/proc/${pid}/task/${tid}/children`, 'utf8'));
  return lists.join(' ').split(' ').filter(Boolean).map(Number);
}

/** Whether a process runs; a zombie, which its parent has not reaped, does not. */
function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}/stat`) && !readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ');
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const endMs = Date.now() + BOUND_MS;
  while (!holds()) {
    if (Date.now() > endMs) throw new Error(`It has not come to this: ${what}`);
    await sleep(50);
  }
}

describe('the watchdog of a sandbox whose kernel waits for a gofer that does not answer', () => {
  it('--watchdog-action=log: tells once, and the sandbox goes on when it can', async () => {
    const { gofer } = await make('run', 'log');
    stop(gofer);
    await until('the log tells', () => log() !== '');
    process.kill(gofer, 'SIGCONT');
    expect(await tsv('exec', 'a', 'echo', 'on')).toMatchObject({ status: 0, stdout: 'on\n' });
    expect(log()).toBe(STUCK);
  });

  it('--watchdog-action=panic: tells, and ends the sandbox with all its processes', async () => {
    const { sentry, gofer } = await make('run', 'panic');
    const processes = [sentry, ...childrenOf(sentry)];
    stop(gofer);
    await until('the sandbox has ended', () => !processes.some(isRunning));
    expect(log()).toBe(STUCK);
    expect(JSON.parse((await tsv('state', 'a')).stdout)).toMatchObject({ status: 'stopped' });
  });

  it('watches over the start of the first container', async () => {
    const { sentry, gofer } = await make('create', 'panic');
    stop(gofer);
    expect((await tsv('start', 'a')).stderr).toMatch(/^tsv: Cannot .*\n$/);
    await until('the sandbox has ended', () => !isRunning(sentry) && !isRunning(gofer));
    expect(log()).toBe(STUCK);
  });
});
