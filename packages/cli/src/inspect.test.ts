import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxBundle } from './testing/busybox-bundle.js';
import { TSV, runTsv, type TsvResult } from './testing/run-tsv.js';

jest.setTimeout(120_000);

let dir: string;
const tsv = (...args: string[]): Promise<TsvResult> => runTsv(['--root', join(dir, 'state'), ...args]);

/** Runs a command that has to succeed; returns what it printed. */
async function ok(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await tsv(...args);
  expect([args[0], status, stderr]).toEqual([args[0], 0, '']);
  return stdout;
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'tsv-inspect-'));
  const bundle = busyboxBundle(dir, ['sh', '-c', 'while :; do test -e /tmp/x; sleep 0.05; done']);
  const flags = ['--root', join(dir, 'state'), '--debug', '--debug-log', join(dir, 'log/%ID%.log')];
  const argv = [TSV, ...flags, 'run', '--detach', '--bundle', bundle, 'a'];
  // What it leaves behind has none of our descriptors.
  const child = spawn(process.execPath, argv, { stdio: 'ignore' });
  expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(0);
});
afterAll(async () => {
  await tsv('delete', '--force', 'a');
  rmSync(dir, { recursive: true, force: true });
});

interface Tree {
  [name: string]: unknown;
}

/** Paths of the fields of a document, with their types. */
function shapeOf(tree: Tree, path = ''): string[] {
  return Object.entries(tree).flatMap(([name, value]) => {
    if (Array.isArray(value)) return [`${path}${name}: list of ${typeof value[0]}`];
    if (typeof value === 'object' && value !== null) return shapeOf(value as Tree, `${path}${name}.`);
    return [`${path}${name}: ${typeof value}`];
  });
}

/** What the log of the sandbox has. */
function log(): string {
  return readdirSync(join(dir, 'log'))
    .map((name) => readFileSync(join(dir, 'log', name), 'utf8'))
    .join('');
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 600 && !condition(); tries++) await sleep(20);
  expect(condition()).toBe(true);
}

describe('tsv debug, of a sandbox that is confined', () => {
  it('tells where every thread is', async () => {
    expect(await ok('debug', '--stacks', 'a')).toMatch(/sh/);
  });

  it('lists processes', async () => {
    expect(await ok('debug', '--ps', 'a')).toMatch(/\n0 +1 +0 .* sh\n/);
  });

  it('profiles its CPU time in the format of V8', async () => {
    const file = join(dir, 'a.cpuprofile');
    await ok('debug', '--profile-cpu', file, '--duration', '1', 'a');
    const profile = JSON.parse(readFileSync(file, 'utf8')) as { nodes: unknown[]; startTime: number; endTime: number };
    expect([profile.nodes.length > 0, profile.endTime > profile.startTime]).toEqual([true, true]);
  });

  it('writes its heap in the format of V8', async () => {
    const file = join(dir, 'a.heapsnapshot');
    await ok('debug', '--profile-heap', file, 'a');
    const { snapshot } = JSON.parse(readFileSync(file, 'utf8')) as { snapshot: { node_count: number } };
    expect(snapshot.node_count).toBeGreaterThan(1000);
  });

  it('turns the log of system calls on and off while guests run', async () => {
    expect(log()).not.toContain('/tmp/x');
    await ok('debug', '--strace', 'all', 'a');
    await until(() => log().includes('/tmp/x'));
    await ok('debug', '--strace', 'off', 'a');
    const lines = (): number => log().split('/tmp/x').length;
    const before = lines();
    await tsv('exec', 'a', 'test', '-e', '/tmp/x');
    expect(lines()).toBe(before);
  });

  it.each([
    ['--log-level', 'loud', 'Cannot use log level "loud"'],
    ['--profile-cpu', '/no/such/file', 'Cannot write "/no/such/file"'],
    ['--signal', 'SIGNONE', 'SIGNONE'],
  ])('refuses %s %s', async (option, value, message) => {
    const { status, stderr } = await tsv('debug', option, value, 'a');
    expect([status, stderr]).toEqual([128, expect.stringContaining(message)]);
  });
});

describe('what engines ask of a running container', () => {
  it('tsv events --stats, in the form of runc', async () => {
    const { type, id, data } = JSON.parse(await ok('events', '--stats', 'a')) as Record<
      string,
      Record<string, unknown>
    >;
    expect([type, id]).toEqual(['stats', 'a']);
    expect(Object.keys(data!)).toEqual(expect.arrayContaining(['cpu', 'memory', 'pids']));
  });

  it('tsv events --interval, again and again', async () => {
    const argv = [TSV, '--root', join(dir, 'state'), 'events', '--interval', '1', 'a'];
    const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => (text += piece));
    const closed = new Promise((resolve) => child.once('close', resolve));
    await until(() => text.split('\n').length > 2);
    child.kill('SIGKILL');
    await closed;
    const first = JSON.parse(text.split('\n')[1]!) as { type: string };
    expect(first.type).toBe('stats');
  });

  it('tsv usage, by what memory is used for', async () => {
    const usage = JSON.parse(await ok('usage', 'a')) as Record<string, number>;
    expect(usage['anonymousBytes']).toBeGreaterThan(0);
    expect(usage['committedBytes']).toBeGreaterThan(0);
  });

  it('tsv features, of the runtime-spec', async () => {
    const { mountOptions, linux } = JSON.parse(await ok('features')) as {
      mountOptions: string[];
      linux: { seccomp: { actions: string[]; operators: string[] }; cgroup: { v2: boolean } };
    };
    expect(mountOptions).toEqual(expect.arrayContaining(['ro', 'rro', 'rslave', 'remount', 'tmpcopyup']));
    expect(linux.seccomp.actions).toContain('SCMP_ACT_ERRNO');
    expect(linux.seccomp.operators).toContain('SCMP_CMP_MASKED_EQ');
    expect(linux.cgroup.v2).toBe(true);
  });

  it('tsv features, with all fields that those of runc have', async () => {
    const theirs = JSON.parse(execFileSync('runc', ['features'], { encoding: 'utf8' })) as Tree;
    // What it was built with is its own business.
    delete theirs['annotations'];
    expect(shapeOf(JSON.parse(await ok('features')) as Tree)).toEqual(expect.arrayContaining(shapeOf(theirs)));
  });
});
