import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getThreadCapabilities } from '@tsv/host';

jest.setTimeout(60_000);

const BUILT = JSON.stringify(join(__dirname, '../../dist/confinement/confine-sentry.js'));
const HOST = JSON.stringify(require.resolve('@tsv/host/native'));

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsv-confine-'));
  writeFileSync(join(dir, 'inside'), 'text');
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

/** A program in the sentry's place: it opens `dir`, confines itself and then runs `code`. */
function program(code: string, options: object = {}): string {
  return `
    const native = require(${HOST}), fs = require('fs');
    const tree = native.cloneMount(${JSON.stringify(dir)}, 0, true);
    const root = tree >= 0 ? tree : native.openat2(-100, ${JSON.stringify(dir)}, 0o200000, 0, 0);
    const say = (value) => fs.writeSync(1, JSON.stringify(value));
    const log = { info: () => undefined, warn: () => undefined };
    const options = { platform: 'systrap', network: 'none', isDirectfs: true, isSeccompDisabled: false, isStartedInNamespaces: false, log,
      directories: [{ path: ${JSON.stringify(dir)}, isWritable: false }], ...${JSON.stringify(options)} };
    import(${BUILT}).then(async ({ confineSentry }) => {
      await fs.promises.access('/'); // The threads of the pool run.
      confineSentry(options);
      ${code}
    }).catch((error) => { say(error.message); process.exitCode = 9; });`;
}

/** What the program says, or the signal that ends it. */
function outcome(code: string, options: object = {}, uid?: number): unknown {
  const child = spawnSync(process.execPath, ['-e', program(code, options)], {
    encoding: 'utf8',
    ...(uid !== undefined && { uid, gid: uid }),
  });
  return child.signal ?? (JSON.parse(child.stdout || JSON.stringify(child.stderr)) as unknown);
}

const START = `native.startProcess({ file: '/bin/true', argv: [], envp: [], fds: [], namespaces: 0, uidMap: '',
  gidMap: '', parentDeathSignal: 0, landlock: -1 }, new Int32Array(2))`;

// Without root there is no namespace to be had for a process that runs.
const describeAsRoot = getThreadCapabilities() > 0 ? describe : describe.skip;

describeAsRoot('confineSentry, as root', () => {
  it.each`
    what                                      | code                                                                      | expected
    ${'its files are in reach'}               | ${`say(native.openat2(root, 'inside', 0, 0, 0) > 0)`}                     | ${true}
    ${'no file of the host is, through Node'} | ${`try { fs.openSync('/etc/passwd') } catch (error) { say(error.code) }`} | ${'EACCES'}
    ${'no file of the host is, by name'}      | ${`say(native.openat2(-100, '/etc/passwd', 0, 0, 0))`}                    | ${-2}
    ${'nor above its files'}                  | ${`say(native.openat2(root, '../../../../etc/passwd', 0, 0, 0))`}         | ${-2}
    ${'nothing can be made in the root'}      | ${`say(native.mkdirat(-100, '/x', 0o700))`}                               | ${-30}
    ${'a socket'}                             | ${`native.socket(2, 1, 0)`}                                               | ${'SIGSYS'}
    ${'a Unix socket'}                        | ${`native.socket(1, 1, 0)`}                                               | ${'SIGSYS'}
    ${'execve(2)'}                            | ${START}                                                                  | ${'SIGSYS'}
    ${'mount(2)'}                             | ${`native.mount('none', '/', 'tmpfs', 0, null)`}                          | ${'SIGSYS'}
    ${'chroot(2)'}                            | ${`native.chroot('/')`}                                                   | ${'SIGSYS'}
    ${'a network of the host'}                | ${`native.unshare(0x40000000)`}                                           | ${'SIGSYS'}
  `('$what: $expected', ({ code, expected }: { code: string; expected: unknown }) => {
    expect(outcome(code)).toEqual(expected);
  });

  it('opens nothing itself when its gofer does', () => {
    expect(outcome(`say(native.openat2(root, 'inside', 0, 0, 0))`, { isDirectfs: false })).toBe('SIGSYS');
    expect(outcome(`say(native.statx(root, 'inside', 0, 0xfff, new Float64Array(24)))`, { isDirectfs: false })).toBe(0);
  });

  it('without seccomp there are still namespaces and no capabilities, and a warning', () => {
    const code = `say([native.chroot('/'), native.unshare(0x20000), warnings])`;
    const warned = `let warnings = 0; log.warn = () => { warnings++; };`;
    const script = program(code, { isSeccompDisabled: true }).replace('confineSentry(options);', `${warned}$&`);
    const child = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
    expect(JSON.parse(child.stdout)).toEqual([-1, -1, 1]);
  });

  it('holds for every thread', async () => {
    const child = spawn(process.execPath, ['-e', program(`say('ready'); process.stdin.resume();`)]);
    try {
      await sayingOf(child);
      const proc = `/proc/${child.pid!}`;
      for (const tid of readdirSync(`${proc}/task`)) {
        const status = readFileSync(`${proc}/task/${tid}/status`, 'utf8');
        const fields = ['CapEff', 'CapPrm', 'CapBnd', 'NoNewPrivs', 'Seccomp'].map((name) => fieldOf(status, name));
        expect(fields).toEqual([NO_CAPABILITIES, NO_CAPABILITIES, NO_CAPABILITIES, '1', '2']);
        expect(readdirSync(`${proc}/task/${tid}/root`)).toEqual([]);
        for (const kind of ['mnt', 'net', 'ipc', 'uts']) {
          const theirs = readlinkSync(`${proc}/task/${tid}/ns/${kind}`);
          expect([kind, theirs === readlinkSync(`/proc/self/ns/${kind}`)]).toEqual([kind, false]);
        }
      }
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('keeps the network of the host when guests use it', () => {
    const network = JSON.stringify(readlinkSync('/proc/self/ns/net'));
    const code = `const buffer = Buffer.alloc(64);
      const len = native.readlinkat(links, 'net', buffer);
      say([buffer.toString('latin1', 0, len) === ${network}, native.socket(2, 1, 0) > 0]);`;
    const script = program(code, { network: 'host' }).replace(
      'confineSentry(options);',
      `const links = native.openat2(-100, '/proc/self/ns', 0o200000, 0, 0); $&`,
    );
    const child = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
    expect(JSON.parse(child.stdout)).toEqual([true, true]);
  });
});

describeAsRoot('confineSentry, as a user', () => {
  const NOBODY = 65534;

  it('leaves only the files of guests in reach', () => {
    const file = JSON.stringify(join(dir, 'inside'));
    const code = `say([native.openat2(-100, ${file}, 0, 0, 0) > 0, native.openat2(-100, '/etc/passwd', 0, 0, 0)]);`;
    spawnSync('chmod', ['-R', 'a+rX', dir]);
    const hasLandlock = outcome(`say(native.getNoNewPrivs())`, {}, NOBODY);
    expect(hasLandlock).toBe(1);
    const [inside, outside] = outcome(code, {}, NOBODY) as [boolean, number];
    expect(inside).toBe(true);
    // Hosts without Landlock leave it readable, and the log says so.
    expect(hasLandlockHere() ? outside : -13).toBe(-13);
  });

  it('tells in one line what the host did not allow', () => {
    const script = program('say(told)').replace(
      'confineSentry(options);',
      `let told = []; log.info = (line) => told.push(line); $&`,
    );
    const child = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8', uid: NOBODY, gid: NOBODY });
    const told = JSON.parse(child.stdout) as string[];
    expect(told).toHaveLength(1);
    expect(told[0]).toMatch(/does not let the sandbox have .*namespaces.*root directory/);
  });
});

const NO_CAPABILITIES = '0000000000000000';

function fieldOf(status: string, name: string): string | undefined {
  return new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1];
}

function sayingOf(child: ChildProcessWithoutNullStreams): Promise<string> {
  return new Promise((resolve, reject) => {
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
    child.stdout.setEncoding('utf8').once('data', resolve);
    child.once('close', () => {
      reject(new Error(`It ended early: ${errors}`));
    });
  });
}

function hasLandlockHere(): boolean {
  const script = `const native = require(${HOST}); process.exit(native.createLandlockRuleset(['/'], [], 0) >= 0 ? 0 : 1)`;
  return spawnSync(process.execPath, ['-e', script]).status === 0;
}
