import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxBundle, type BundleChange } from './testing/busybox-bundle.js';
import { TSV, runTsv, type TsvResult } from './testing/run-tsv.js';

jest.setTimeout(120_000);

/** Cgroups of the host have these names: they are of this run alone. */
const RUN_B = `run-b-${process.pid}`;
const RUN_KILLED = `run-killed-${process.pid}`;

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsv-run-'));
});
afterEach(async () => {
  for (const id of (await tsv('list', '--quiet')).stdout.split('\n').filter(Boolean))
    await tsv('delete', '--force', id);
  rmSync(dir, { recursive: true, force: true });
});

const tsv = (...args: string[]): Promise<TsvResult> => runTsv(['--root', join(dir, 'root'), ...args]);

function bundle(args: readonly string[], change?: BundleChange): string {
  const path = join(dir, 'bundle');
  mkdirSync(path);
  return busyboxBundle(path, args, change);
}

/** A hook that appends its name and the status that it is told to a file of the bundle's directory. */
function hook(name: string): { path: string; args: string[]; timeout: number } {
  const script = `read -r state; echo ${name} $(echo "$state" | grep -o '"status":"[a-z]*"') >> ${dir}/hooks.log`;
  return { path: '/bin/sh', args: ['sh', '-c', script], timeout: 60 };
}
const hookLog = (): string[] => readFileSync(join(dir, 'hooks.log'), 'utf8').trim().split('\n');

/** Cgroups of the host whose name is this one, or that of a container of ours without a name for its cgroup. */
function cgroups(name: string): string[] {
  const pattern = new RegExp(`^(tsv-[0-9a-f]+-)?${name}$`);
  const top = readdirSync('/sys/fs/cgroup', { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const below = top.flatMap((entry) => readdirSync(join('/sys/fs/cgroup', entry.name)));
  return [...top.map((entry) => entry.name), ...below].filter((entry) => pattern.test(entry));
}

/** Whether this host lets us make cgroups. */
function canMakeCgroups(): boolean {
  try {
    const version1 = existsSync('/sys/fs/cgroup/pids') ? 'pids' : '';
    const path = join('/sys/fs/cgroup', version1, `tsv-probe-${process.pid}`);
    mkdirSync(path);
    rmdirSync(path);
    return true;
  } catch {
    return false; // Whatever the reason is, they cannot be tested here.
  }
}
const itWithCgroups = canMakeCgroups() ? it : it.skip;

const describeAsRoot = process.getuid?.() === 0 ? describe : describe.skip;

describeAsRoot('tsv run in the foreground (as root: it makes namespaces and cgroups)', () => {
  it('runs every hook when it is due, runtime.md "Lifecycle"', async () => {
    const kinds = ['prestart', 'createRuntime', 'createContainer', 'poststart', 'poststop'];
    const hooks = Object.fromEntries(kinds.map((kind) => [kind, [hook(kind)]]));
    const path = bundle(['sh', '-c', 'echo out; exit 7'], { hooks });
    expect(await tsv('run', '--bundle', path, 'a')).toEqual({ status: 7, signal: null, stdout: 'out\n', stderr: '' });
    expect(hookLog()).toEqual([
      'prestart "status":"creating"',
      'createRuntime "status":"creating"',
      'createContainer "status":"creating"',
      'poststart "status":"running"',
      'poststop "status":"stopped"',
    ]);
  });

  it('warns of late hooks that fail and goes on, and stops when an early one does', async () => {
    const failing = { path: '/bin/sh', args: ['sh', '-c', 'echo why >&2; exit 3'] };
    const path = bundle(['echo', 'out'], { hooks: { poststart: [failing], poststop: [failing] } });
    const result = await tsv('run', '--bundle', path, 'a');
    expect([result.status, result.stdout]).toEqual([0, 'out\n']);
    expect(result.stderr.trim().split('\n')).toEqual(
      ['poststart', 'poststop'].map(
        (kind) => `tsv: warning: Cannot run hooks.${kind}.0 "/bin/sh": it ended with status 3: why`,
      ),
    );
    writeFileSync(
      join(path, 'config.json'),
      readFileSync(join(path, 'config.json'), 'utf8').replace('"poststart"', '"createRuntime"'),
    );
    const early = await tsv('run', '--bundle', path, RUN_B);
    expect([early.status, early.stdout, early.stderr]).toEqual([
      128,
      '',
      'tsv: Cannot run hooks.createRuntime.0 "/bin/sh": it ended with status 3: why\n',
    ]);
    expect([(await tsv('list', '--quiet')).stdout, cgroups(RUN_B)]).toEqual(['', []]);
  });

  it('runs hooks of startContainer in the container, whose process is 1 still', async () => {
    const script = 'cat > /tmp/state; echo hook $$ $A > /tmp/log; sleep 0.05 & wait';
    const startContainer = [{ path: '/bin/sh', args: ['sh', '-c', script], env: ['A=b', 'PATH=/bin'], timeout: 60 }];
    const show = 'cat /tmp/log; grep -c created /tmp/state; echo main $$';
    const path = bundle(['sh', '-c', show], { hooks: { startContainer } });
    const expected = { status: 0, signal: null, stdout: 'hook 2 b\n1\nmain 1\n', stderr: '' };
    expect(await tsv('run', '--bundle', path, 'a')).toEqual(expected);
  });

  it.each`
    script                     | timeout | message
    ${'echo why >&2; exit 3'}  | ${60}   | ${'it ended with status 3: why'}
    ${'trap "" TERM; sleep 9'} | ${1}    | ${'it did not end within 1 s'}
  `('does not start a container whose startContainer hook is "$script"', async ({ script, timeout, message }: Row) => {
    const failing = { path: '/bin/sh', args: ['sh', '-c', script], env: ['PATH=/bin'], timeout };
    const hooks = { startContainer: [failing], poststop: [hook('poststop')] };
    const path = bundle(['touch', '/tmp/started'], { hooks });
    const { status, stderr } = await tsv('run', '--bundle', path, 'a');
    expect([status, stderr]).toEqual([128, `tsv: Cannot run hooks.startContainer.0 "/bin/sh": ${message}\n`]);
    expect(existsSync(join(path, 'rootfs/tmp/started'))).toBe(false);
    expect(hookLog()).toEqual(['poststop "status":"stopped"']);
  });

  it('removes the container and runs its poststop hooks when it is killed', async () => {
    const path = bundle(['sh', '-c', 'echo ready; sleep 600'], { hooks: { poststop: [hook('poststop')] } });
    const child = spawn(process.execPath, [TSV, '--root', join(dir, 'root'), 'run', '--bundle', path, RUN_KILLED]);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.kill('SIGKILL');
    const isLogged = (): boolean => existsSync(join(dir, 'hooks.log')) && hookLog()[0] !== '';
    for (let i = 0; i < 1000 && !isLogged(); i++) await sleep(20);
    expect(hookLog()).toEqual(['poststop "status":"stopped"']);
    expect([(await tsv('list', '--quiet')).stdout, cgroups(RUN_KILLED)]).toEqual(['', []]);
  });

  itWithCgroups.each([[[]], [['--directfs=false']]])(
    'is in a cgroup with its limits, and leaves none, with options %j (where cgroups can be made)',
    async (options) => {
      const linux = { resources: { pids: { limit: 99 } }, cgroupsPath: `/tsv-run-${process.pid}` };
      const path = bundle(['sh', '-c', 'echo ready; read line'], { linux });
      const child = spawn(process.execPath, [TSV, '--root', join(dir, 'root'), ...options, 'run', '-b', path, 'a']);
      const closed = new Promise((resolve) => child.once('close', resolve));
      await new Promise((resolve) => child.stdout.once('data', resolve));
      const cgroup = readFileSync(`/proc/${child.pid}/cgroup`, 'utf8');
      expect(cgroup).toContain(`:${linux.cgroupsPath}\n`);
      child.stdin.end('\n');
      expect(await closed).toBe(0);
      expect([readdirSync(join(dir, 'root')), cgroups(linux.cgroupsPath.slice(1))]).toEqual([[], []]);
    },
  );
});

interface Row {
  readonly script: string;
  readonly timeout: number;
  readonly message: string;
}
