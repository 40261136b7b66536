import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxBundle, type BundleChange } from './testing/busybox-bundle.js';
import { TSV, runTsv, type TsvResult } from './testing/run-tsv.js';

jest.setTimeout(120_000);

let dir: string;
let upper: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsv-overlay-'));
  upper = join(dir, 'upper');
  mkdirSync(upper);
  mkdirSync(join(dir, 'bundle'));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

const tsv = (...args: string[]): Promise<TsvResult> => runTsv(['--root', join(dir, 'state'), ...args]);

function bundle(script: string, change?: BundleChange): string {
  return busyboxBundle(join(dir, 'bundle'), ['sh', '-c', script], change);
}

/** Names of stores in the directories that may have one. */
function stores(): string[] {
  const places = [upper, join(dir, 'bundle/rootfs'), join(dir, 'data')].filter((place) => existsSync(place));
  return places.flatMap((place) => readdirSync(place).filter((name) => name.startsWith('.tsv.filestore')));
}

describe('--overlay2 with files of the host', () => {
  it.each([
    ['self', 'true'],
    ['self', 'false'],
    ['dir', 'true'],
    ['dir', 'false'],
  ])('%s, --directfs=%s: programs run from what is written, and nothing stays', async (medium, directfs) => {
    const script = [
      'ls -a / | grep -c filestore',
      'cat /bin/busybox > /busybox && chmod 755 /busybox && /busybox echo copied',
      'echo more >> /etc/passwd && tail -n 1 /etc/passwd',
      'rm /busybox; ls /busybox',
    ].join('; ');
    const place = medium === 'dir' ? `dir=${upper}` : medium;
    const flags = [`--overlay2=root:${place}`, `--directfs=${directfs}`];
    const { stdout, stderr } = await tsv(...flags, 'run', '--bundle', bundle(script), 'a');
    expect([stdout, stderr]).toEqual(['0\ncopied\nmore\n', 'ls: /busybox: No such file or directory\n']);
    expect(readFileSync(join(dir, 'bundle/rootfs/etc/passwd'), 'utf8')).not.toContain('more');
    expect(stores()).toEqual([]);
  });

  it('has an overlay over each mount of host directories with all:self', async () => {
    mkdirSync(join(dir, 'data'));
    const mounts = [{ destination: '/data', source: join(dir, 'data'), options: ['bind'] }];
    const place = bundle('echo x > /data/x; cat /data/x; ls -a /data', { mounts });
    const { stdout } = await tsv('--overlay2=all:self', 'run', '--bundle', place, 'a');
    expect(stdout).toBe('x\n.\n..\nx\n');
    expect([stores(), readdirSync(join(dir, 'data'))]).toEqual([[], []]);
  });

  it.each(['self', 'dir'])('%s: the root filesystem is full when its size is reached', async (medium) => {
    const place = medium === 'dir' ? `dir=${upper}` : medium;
    const full = bundle('head -c 300000 /dev/zero > /full || echo full; wc -c < /full; echo x > /y || echo full');
    const { stdout } = await tsv(`--overlay2=root:${place},size=128k`, 'run', '--bundle', full, 'a');
    const [first, written, second] = stdout.trim().split('\n');
    // There is a file of the sandbox's own, too.
    expect([first, Number(written) >= 120 * 1024, Number(written) <= 128 * 1024, second]).toEqual([
      'full',
      true,
      true,
      'full',
    ]);
  });

  it('leaves what delete removes when the sandbox is killed', async () => {
    const place = bundle('echo x > /x; sleep 600');
    const flags = [`--overlay2=root:dir=${upper}`];
    const argv = [TSV, '--root', join(dir, 'state'), ...flags, 'run', '--detach', '--bundle', place, 'a'];
    // What it leaves behind has none of our descriptors.
    const child = spawn(process.execPath, argv, { stdio: 'ignore' });
    expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(0);
    const { sentry } = JSON.parse(readFileSync(join(dir, 'state/a/state.json'), 'utf8')) as { sentry: { pid: number } };
    process.kill(sentry.pid, 'SIGKILL');
    expect(stores()).toEqual(['.tsv.filestore.a']);
    expect((await tsv('delete', '--force', 'a')).status).toBe(0);
    expect(stores()).toEqual([]);
  });

  it.each(['run', 'do'])('has nothing left when `tsv %s -- COMMAND` is killed', async (command) => {
    const argv = [TSV, `--overlay2=root:dir=${upper}`, command, '--', 'sh', '-c', 'echo x > /x; echo; sleep 600'];
    const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    expect(readdirSync(join(upper, stores()[0]!))).not.toEqual([]);
    child.kill('SIGKILL');
    for (let tries = 0; tries < 1000 && stores().length > 0; tries++) await sleep(20);
    expect(stores()).toEqual([]);
  });

  it.each(['memory', 'self'])('%s: tsv tar tells what was written, as a layer of an image', async (medium) => {
    const long = `/made/${'long'.repeat(40)}`;
    const script = `mkdir /made; echo text > /made/file; ln /made/file /made/link; ln -s file /made/symbolic;
      rm /etc/passwd; echo x > ${long}; echo; exec sleep 600`;
    const place = bundle(script.replace(/\bln\b/g, 'busybox ln').replace(/\brm\b/, 'busybox rm'));
    const argv = [TSV, '--root', join(dir, 'state'), `--overlay2=root:${medium}`, 'run', '--bundle', place, 'a'];
    const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    const closed = new Promise((resolve) => child.once('close', resolve));
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const file = join(dir, 'layer.tar');
    expect(await tsv('tar', 'rootfs-upper', '--file', file, 'a')).toMatchObject({ status: 0, stderr: '' });
    await tsv('kill', 'a', 'KILL');
    await closed;
    mkdirSync(join(dir, 'out'));
    execFileSync('tar', ['-C', join(dir, 'out'), '-xf', file, '--exclude=dev/*']);
    const out = (path: string): string => join(dir, 'out', path);
    expect([readFileSync(out('made/symbolic'), 'utf8'), readFileSync(out(long), 'utf8')]).toEqual(['text\n', 'x\n']);
    expect(statSync(out('made/link')).ino).toBe(statSync(out('made/file')).ino);
    expect(readdirSync(out('etc'))).toContain('.wh.passwd');
    expect(readdirSync(out('.')).filter((name) => name.includes('filestore'))).toEqual([]);
  });

  it('removes the store of `tsv do`, and tells when there can be none', async () => {
    const done = await tsv(
      `--overlay2=root:dir=${upper}`,
      'do',
      '--',
      'sh',
      '-c',
      'echo x > /etc/of-a-guest; cat /etc/of-a-guest',
    );
    expect([done.stdout, stores()]).toEqual(['x\n', []]);
    const refused = await tsv(`--overlay2=root:dir=${join(dir, 'none')}`, 'run', '--bundle', bundle('true'), 'a');
    expect(refused.stderr).toMatch(/^tsv: Cannot make the store of --overlay2: .*no such file or directory.*\n$/);
    expect(refused.status).not.toBe(0);
  });
});
