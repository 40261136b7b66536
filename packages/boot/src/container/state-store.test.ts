import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { checkContainerId } from './container-id.js';
import { STATE_VERSION, containerStatus, type ContainerState } from './container-state.js';
import { identifyProcess, isAlive } from './host-process.js';
import { StateStore } from './state-store.js';

let root: string;
let store: StateStore;
beforeEach(() => {
  root = join(mkdtempSync(join(tmpdir(), 'tsv-store-')), 'root');
  store = new StateStore(root);
});
afterEach(() => {
  rmSync(join(root, '..'), { recursive: true, force: true });
});

function stateOf(id: string, change: Partial<ContainerState> = {}): ContainerState {
  return {
    version: STATE_VERSION,
    id,
    ociVersion: '1.2.0',
    bundle: '/b',
    rootfs: '/b/rootfs',
    annotations: {},
    created: '2026-01-01T00:00:00.000Z',
    owner: 'root',
    phase: 'creating',
    sandboxId: id,
    process: null,
    sentry: null,
    cgroupPath: null,
    hooks: { poststart: [], poststop: [] },
    ...change,
  };
}

describe('checkContainerId, as runc', () => {
  it.each(['a', 'A-b_c.d+e', '0', 'x'.repeat(128)])('takes "%s"', (id) => {
    expect(() => {
      checkContainerId(id);
    }).not.toThrow();
  });

  it.each(['', '.', '..', 'a/b', 'a b', 'ä', 'a\n', 'x'.repeat(129)])('refuses "%s"', (id) => {
    expect(() => {
      checkContainerId(id);
    }).toThrow(/^Cannot use container ID/);
  });
});

describe('StateStore', () => {
  it('keeps what was saved last', () => {
    const directory = store.create('a');
    directory.save(stateOf('a'));
    directory.save(stateOf('a', { phase: 'created' }));
    directory.unlock();
    expect(store.read('a').phase).toBe('created');
    expect(readdirSync(join(root, 'a')).sort()).toEqual(['lock', 'state.json']);
  });

  it('lets nobody else look into a container', () => {
    store.create('a').unlock();
    expect(statSync(join(root, 'a')).mode & 0o077).toBe(0);
  });

  it('refuses a second container of the same name', () => {
    store.create('a').unlock();
    expect(() => store.create('a')).toThrow('container with given ID already exists');
  });

  it.each([['read'], ['open']] as const)('says on %s that there is no container', (method) => {
    expect(() => store[method]('a')).toThrow('container does not exist');
  });

  it('tells a root that cannot be made', () => {
    writeFileSync(join(root, '..', 'file'), '');
    expect(() => new StateStore(join(root, '..', 'file', 'x')).create('a')).toThrow(
      'Cannot create container "a": not a directory',
    );
  });

  it('forgets a container that is removed', () => {
    const directory = store.create('a');
    directory.save(stateOf('a'));
    directory.remove();
    expect([store.list(), existsSync(join(root, 'a'))]).toEqual([[], false]);
  });

  it('makes others wait for the lock, and gives it to them when its holder is killed', async () => {
    store.create('a').unlock();
    const holder = spawn('flock', [join(root, 'a', 'lock'), 'sh', '-c', 'echo locked; exec cat'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    expect(store.list()).toEqual([{ id: 'a', status: 'creating', state: null }]);
    holder.stdin.destroy();
    await new Promise((resolve) => holder.once('close', resolve));
    store.open('a').unlock();
    expect(store.list()).toEqual([{ id: 'a', status: 'stopped', state: null }]);
  });

  it.each([
    ['nothing', ''],
    ['half a state', '{"version":1,"id":'],
    ['a state of another version', JSON.stringify(stateOf('a')).replace('"version":1', '"version":9')],
    ['a state with a wrong field', JSON.stringify({ ...stateOf('a'), phase: 7 })],
  ])('survives %s in the file', (_, text) => {
    mkdirSync(join(root, 'a'), { recursive: true });
    writeFileSync(join(root, 'a', 'state.json'), text);
    expect(store.list()).toEqual([{ id: 'a', status: 'stopped', state: null }]);
    store.open('a').remove();
    expect(store.list()).toEqual([]);
  });

  it('has no containers where there is no directory', () => {
    expect(store.list()).toEqual([]);
  });
});

describe('containerStatus', () => {
  const self = identifyProcess(process.pid);

  it('believes a phase as long as the process runs', () => {
    expect(containerStatus(stateOf('a', { phase: 'paused', process: self }))).toBe('paused');
  });

  it.each([
    ['no process', null],
    ['a process that is gone', { pid: 4194303, startTicks: 1 }],
    ['another process with the same ID', { pid: process.pid, startTicks: 1 }],
  ])('is stopped with %s', (_, host) => {
    expect(containerStatus(stateOf('a', { phase: 'running', process: host }))).toBe('stopped');
  });

  it('does not take a zombie for alive', async () => {
    // The shell starts a program that ends with descriptor 3, and becomes one that does not know of it.
    const shell = spawn('sh', ['-c', 'cat <&3 >&2 & echo $!; exec cat 3<&-'], {
      stdio: ['pipe', 'pipe', 'inherit', 'pipe'],
    });
    const line = () => new Promise<string>((resolve) => shell.stdout!.once('data', (data) => resolve(String(data))));
    const pid = Number(await line());
    shell.stdin!.write('the second program\n');
    await line();
    const zombie = identifyProcess(pid)!;
    (shell.stdio[3] as Writable).end();
    for (let i = 0; i < 1000 && isAlive(zombie); i++) await new Promise((resolve) => setTimeout(resolve, 5));
    expect([isAlive(zombie), identifyProcess(pid)]).toEqual([false, zombie]);
    shell.stdin!.destroy();
    await new Promise((resolve) => shell.once('close', resolve));
  });
});
