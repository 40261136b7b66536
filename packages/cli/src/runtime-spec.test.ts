// The MUSTs of the OCI runtime specification 1.2, runtime.md, a test each, named by section. Hooks are in run.test.ts.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxBundle, type BundleChange } from './testing/busybox-bundle.js';
import { TSV, runTsv, type TsvResult } from './testing/run-tsv.js';

jest.setTimeout(180_000);

const LOOP = 'trap "echo usr1 >> /tmp/log" USR1; echo started >> /tmp/log; while :; do sleep 0.05; done';

let dir: string;
let bundle: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsv-spec-'));
  bundle = makeBundle(['sh', '-c', LOOP]);
});
afterEach(async () => {
  for (const id of (await tsv('list', '--quiet')).stdout.split('\n').filter(Boolean))
    await tsv('delete', '--force', id);
  rmSync(dir, { recursive: true, force: true });
});

const tsv = (...args: string[]): Promise<TsvResult> => runTsv(['--root', join(dir, 'root'), ...args]);
const log = (): string[] => {
  const path = join(bundle, 'rootfs/tmp/log');
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
};

function makeBundle(args: readonly string[], change: BundleChange = {}): string {
  const path = join(dir, `bundle-${readdirSync(dir).length}`);
  mkdirSync(path);
  return busyboxBundle(path, args, change);
}

function changeConfig(change: (config: { mounts: object[] }) => object): void {
  const path = join(bundle, 'config.json');
  const config = JSON.parse(readFileSync(path, 'utf8')) as { mounts: object[] };
  writeFileSync(path, JSON.stringify({ ...config, ...change(config) }));
}

/** Creates a container; what it leaves behind has none of our descriptors. */
async function create(id = 'a'): Promise<void> {
  const argv = [TSV, '--root', join(dir, 'root'), 'create', '--bundle', bundle, id];
  const child = spawn(process.execPath, argv, { stdio: 'ignore' });
  expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(0);
}

async function start(id = 'a'): Promise<void> {
  expect(await tsv('start', id)).toMatchObject({ status: 0, stderr: '' });
}

async function started(): Promise<void> {
  await create();
  await start();
  await until(() => log().length > 0);
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (await condition()) return;
    await sleep(20);
  }
  throw new Error('It has not come to that');
}

async function stateOf(id = 'a'): Promise<Record<string, unknown>> {
  return JSON.parse((await tsv('state', id)).stdout) as Record<string, unknown>;
}

async function stopped(): Promise<void> {
  await tsv('kill', 'a', 'KILL');
  await until(async () => (await stateOf())['status'] === 'stopped');
}

async function expectError(...args: string[]): Promise<void> {
  const { status, stderr } = await tsv(...args);
  expect([args.join(' '), status, stderr.startsWith('tsv: ')]).toEqual([args.join(' '), 128, true]);
}

describe('runtime.md "State"', () => {
  it('has ociVersion, id, status, pid, bundle and annotations, as JSON', async () => {
    changeConfig(() => ({ annotations: { key: 'value' } }));
    await create();
    const state = await stateOf();
    expect(state).toMatchObject({
      ociVersion: '1.0.2',
      id: 'a',
      status: 'created',
      bundle,
      annotations: { key: 'value' },
    });
    expect(state['pid']).toBeGreaterThan(0);
    await start();
    expect(await stateOf()).toMatchObject({ status: 'running', pid: state['pid'] });
    await stopped();
  });
});

describe('runtime.md "Lifecycle"', () => {
  it('2: "the user-specified program (from process) MUST NOT be run at this time"', async () => {
    await create();
    expect(log()).toEqual([]);
  });

  it('2: "Any updates to config.json after this step MUST NOT affect the container"', async () => {
    await create();
    changeConfig(() => ({ process: { cwd: '/', args: ['false'] }, root: { path: 'nowhere' } }));
    await start();
    await until(() => log().includes('started'));
  });

  it('2: "the runtime MUST generate an error" when it cannot create the environment', async () => {
    changeConfig(() => ({ mounts: [{ destination: '/x', type: 'nofs', source: 'x' }] }));
    await expectError('create', '--bundle', bundle, 'a');
  });

  it('8: "The runtime MUST run the user-specified program, as specified by process"', async () => {
    bundle = makeBundle(['sh', '-c', 'echo "$0 $1 $A $(pwd) $(id -u)" > /tmp/log', 'zero', 'one'], {
      process: { env: ['PATH=/bin', 'A=b'], cwd: '/tmp', user: { uid: 0, gid: 0 } },
    });
    await create();
    await start();
    await until(() => log()[0] === 'zero one b /tmp 0');
  });

  it('12: "The container MUST be destroyed by undoing the steps performed during create phase"', async () => {
    await started();
    const pid = Number((await stateOf())['pid']);
    await stopped();
    expect(await tsv('delete', 'a')).toMatchObject({ status: 0 });
    expect(readdirSync(join(dir, 'root'))).toEqual([]);
    expect(existsSync(`/proc/${pid}/stat`) && !readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ')).toBe(
      false,
    );
  });
});

describe('runtime.md "Errors"', () => {
  it('"the state of the environment MUST be as if the operation were never attempted"', async () => {
    changeConfig(() => ({ process: { cwd: '/', args: ['nosuchprogram'] } }));
    const before = readdirSync(join(bundle, 'rootfs')).sort();
    expect((await tsv('create', '--bundle', bundle, 'a')).status).toBe(127);
    expect([readdirSync(join(dir, 'root')), readdirSync(join(bundle, 'rootfs')).sort()]).toEqual([[], before]);
  });
});

describe('runtime.md "Operations"', () => {
  it('"MUST generate an error if it is not provided the ID of a container"', async () => {
    for (const name of ['state', 'create', 'start', 'kill', 'delete']) await expectError(name);
  });

  it('"Query State", "Start", "Kill", "Delete" of one that does not exist: "MUST generate an error"', async () => {
    for (const name of ['state', 'start', 'kill', 'delete']) await expectError(name, 'nobody');
  });

  it('"Create": "If the ID provided is not unique ... MUST generate an error and a new container MUST NOT be created"', async () => {
    await create();
    const before = await stateOf();
    await expectError('create', '--bundle', bundle, 'a');
    expect(await stateOf()).toEqual(before);
  });

  it.each(['a/b', '..', '', 'a b', 'x'.repeat(1025)])('"Create": an ID that is not valid, "%s"', async (id) => {
    await expectError('create', '--bundle', bundle, id);
    expect((await tsv('list', '--quiet')).stdout).toBe('');
  });

  it('"Create": "If the runtime cannot apply a property ... a new container MUST NOT be created"', async () => {
    changeConfig(() => ({ linux: { sysctl: { 'no.such': '1' } } }));
    await expectError('create', '--bundle', bundle, 'a');
    expect((await tsv('list', '--quiet')).stdout).toBe('');
  });

  it('"Start": one that is not created "MUST have no effect on the container and MUST generate an error"', async () => {
    await started();
    await expectError('start', 'a');
    expect([(await stateOf())['status'], log()]).toEqual(['running', ['started']]);
    await stopped();
    await expectError('start', 'a');
    expect(log()).toEqual(['started']);
  });

  it('"Start": "MUST generate an error if process was not set"', async () => {
    changeConfig(() => ({ process: undefined }));
    // It is told already when the container is created.
    await expectError('create', '--bundle', bundle, 'a');
  });

  it('"Kill": "MUST send the specified signal to the container process"', async () => {
    await started();
    expect((await tsv('kill', 'a', 'USR1')).status).toBe(0);
    await until(() => log().includes('usr1'));
  });

  it('"Kill": one that is neither created nor running: "MUST generate an error"', async () => {
    await started();
    await stopped();
    await expectError('kill', 'a', 'TERM');
  });

  it('"Delete": one that is not stopped "MUST have no effect on the container and MUST generate an error"', async () => {
    await started();
    await expectError('delete', 'a');
    expect((await stateOf())['status']).toBe('running');
  });

  it('"Delete": "resources ... not created by this container, MUST NOT be deleted", and the ID may be used again', async () => {
    mkdirSync(join(dir, 'data'));
    writeFileSync(join(dir, 'data/file'), 'kept');
    changeConfig((config) => ({
      mounts: [...config.mounts, { destination: '/data', type: 'bind', source: join(dir, 'data'), options: ['bind'] }],
    }));
    await started();
    await stopped();
    expect((await tsv('delete', 'a')).status).toBe(0);
    expect(readFileSync(join(dir, 'data/file'), 'utf8')).toBe('kept');
    expect(existsSync(join(bundle, 'rootfs/bin/busybox'))).toBe(true);
    await create();
    expect((await stateOf())['status']).toBe('created');
  });
});
