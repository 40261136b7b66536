import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TSV, runTsv } from './testing/run-tsv.js';
import { VERSION } from './version.js';

jest.setTimeout(60_000);

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsv-cli-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

/** Stub processes that `pid` has started. */
function stubsOf(pid: number): string[] {
  return readdirSync('/proc').filter(
    (name) => /^\d+$/.test(name) && commOf(name) === 'tsv-stub' && parentOf(name) === pid,
  );
}

function statOf(pid: string): string {
  return readProc(`/proc/${pid}/stat`);
}

function parentOf(pid: string): number {
  const stat = statOf(pid);
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

function commOf(pid: string): string {
  return readProc(`/proc/${pid}/comm`).trim();
}

/** Text of a file of /proc; empty when its process has ended meanwhile. */
function readProc(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return '';
    throw error;
  }
}

function bundleWith(config: unknown): string {
  writeFileSync(join(dir, 'config.json'), typeof config === 'string' ? config : JSON.stringify(config));
  return dir;
}

describe('tsv', () => {
  it('tells its version in the form of runsc', async () => {
    const { stdout, status } = await runTsv(['--version']);
    expect([stdout, status]).toEqual([`tsv version ${VERSION}\nspec: 1.2.0\n`, 0]);
  });

  it('has the version of its package', () => {
    const manifest = JSON.parse(readFileSync(join(__dirname, '../package.json'), 'utf8')) as { version: string };
    expect(VERSION).toBe(manifest.version);
  });

  it.each([
    ['no command', [], 'Say a command'],
    ['an unknown command', ['fly'], 'Unknown argument: fly'],
    ['an unknown option', ['run', '--fly'], 'Unknown argument: fly'],
    [
      'no such platform',
      ['--platform', 'vmware', 'do', 'true'],
      'Cannot use platform "vmware": there is none; choose from auto, systrap, ptrace',
    ],
    [
      'a missing bundle',
      ['run', '--bundle', '/nonexistent', 'id'],
      'Cannot open bundle "/nonexistent": no such directory',
    ],
    ['a bundle without a name', ['run', '--bundle', '/tmp'], 'the container has no name'],
    ['a name without a bundle', ['run', 'id'], 'no bundle was given'],
    ['nothing to do', ['do'], 'Cannot do nothing'],
    [
      'an unreadable root',
      ['do', '--root', '/nonexistent', 'true'],
      'Cannot open root.path "/nonexistent": no such file or directory',
    ],
    ['a bad working directory', ['do', '--cwd', '/nonexistent', 'true'], 'Cannot enter process.cwd "/nonexistent"'],
    ['a bad user', ['do', '--uid', '-5', 'true'], 'Cannot use --uid'],
    ['a bad variable', ['do', '--env', 'X', 'true'], 'Cannot set the variable "X"'],
  ])('refuses %s with status 128 and says why', async (_, args, message) => {
    const { status, stderr, stdout } = await runTsv(args);
    expect([status, stdout]).toEqual([128, '']);
    expect(stderr).toContain(message);
  });
});

describe('tsv do', () => {
  it('passes output, input and status through', async () => {
    const result = await runTsv(['do', '--', 'sh', '-c', 'cat; echo err >&2; exit 7'], 'hello\n');
    expect(result).toEqual({ status: 7, signal: null, stdout: 'hello\n', stderr: 'err\n' });
  });

  it.each([
    ['not found in PATH', ['nosuchprogram'], 127, 'Cannot run "nosuchprogram": executable file not found in $PATH'],
    ['not found by path', ['/nosuch/program'], 127, 'Cannot run "/nosuch/program": no such file or directory'],
    ['not executable', ['/etc/passwd'], 126, 'Cannot run "/etc/passwd": permission denied'],
    ['a directory', ['/etc'], 126, 'Cannot run "/etc": permission denied'],
  ])('a program that is %s', async (_, argv, status, message) => {
    const result = await runTsv(['do', '--', ...argv]);
    expect(result.status).toBe(status);
    expect(result.stderr).toContain(message);
  });

  it('tells a death by signal as 128 + n', async () => {
    expect((await runTsv(['do', '--', 'sh', '-c', 'kill -TERM $$'])).status).toBe(143);
  });

  it('sets environment, directory and user', async () => {
    const { stdout } = await runTsv([
      'do',
      '--cwd',
      '/usr',
      '--env',
      'A=b c',
      '--uid',
      '1234',
      '--',
      'sh',
      '-c',
      'pwd; echo $A; id -u',
    ]);
    expect(stdout).toBe('/usr\nb c\n1234\n');
  });

  it('keeps writes off the host', async () => {
    const path = join(dir, 'file');
    const { stdout } = await runTsv(['do', '--', 'sh', '-c', `echo inside > ${path}; cat ${path}`]);
    expect([stdout, readdirSync(dir)]).toEqual(['inside\n', []]);
  });

  it('writes to volumes, and to the host without an overlay', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'tsv-do-'));
    writeFileSync(join(dir, 'read'), 'read\n');
    const volumes = ['--volume', `${dir}:/tmp/volume`, '-v', `${dir}/read:/tmp/one:ro`];
    const script = 'cat /tmp/one; echo x > /tmp/volume/written; echo x > /tmp/one';
    const mounted = await runTsv(['do', '--quiet', ...volumes, '--', 'sh', '-c', script]);
    expect([mounted.stdout, mounted.stderr]).toEqual(['read\n', expect.stringContaining('Read-only file system')]);
    await runTsv(['do', '--', 'sh', '-c', `echo x > ${dir}/overlaid`]);
    await runTsv(['do', '--force-overlay=false', '--', 'sh', '-c', `echo x > ${dir}/through`]);
    expect(readdirSync(dir).sort()).toEqual(['read', 'through', 'written']);
    expect((await runTsv(['do', '--volume', ':/a', '--', 'true'])).stderr).toContain('SOURCE[:/DESTINATION][:ro]');
    rmSync(dir, { recursive: true });
  });

  it('names the system calls with --strace', async () => {
    const { stderr } = await runTsv(['--strace=write,exit_group', 'do', '--', 'echo', 'hi']);
    expect(stderr).toMatch(/echo: write\(1, "hi\\n", 3\) = 3\n.*echo: exit_group\(0\) = \?\n/);
  });

  it('names the system calls that were made and do not exist, at the end', async () => {
    const script = `syscall(323, 0) for 1..3; syscall(184); print "$!\\n"`;
    const result = await runTsv(['do', '--', 'perl', '-e', script]);
    expect(result.stdout).toBe('Function not implemented\n');
    expect(result.stderr).toBe(
      'tsv: warning: System calls that are not implemented were made: userfaultfd (3, first by perl)\n',
    );
  });

  it('leaves no process behind, also when it is killed', async () => {
    const child = spawn(process.execPath, [TSV, 'do', '--', 'sh', '-c', 'sleep 60 & sleep 60'], { stdio: 'ignore' });
    let stubs: string[] = [];
    for (let i = 0; i < 100 && stubs.length < 3; i++) {
      await sleep(50);
      stubs = stubsOf(child.pid!);
    }
    expect(stubs.length).toBeGreaterThanOrEqual(3);
    const closed = new Promise((resolve) => child.on('close', resolve));
    child.kill('SIGKILL');
    await closed;
    await sleep(300);
    // One that has ended may wait to be reaped by whoever inherits it.
    expect(stubs.filter((pid) => /\) [^ZX] /.test(statOf(pid)))).toEqual([]);
  });

  it('gives a signal to the command', async () => {
    const child = spawn(
      process.execPath,
      [TSV, 'do', '--', 'sh', '-c', 'trap "echo got; exit 3" TERM; echo ready; while :; do sleep 0.05; done'],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    let stdout = '';
    const status = new Promise((resolve) => child.on('close', resolve));
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      if (stdout === 'ready\n') child.kill('SIGTERM');
    });
    expect([await status, stdout]).toEqual([3, 'ready\ngot\n']);
  });
});

describe('tsv on a terminal', () => {
  /** Runs a shell line on a pty of the host; `typed` is typed when the guest says it is ready. */
  function onTerminal(line: string, typed: string): Promise<string> {
    const child = spawn('script', ['-qec', line, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
    let output = '';
    let isTyped = false;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (isTyped || !output.includes('ready')) return;
      isTyped = true;
      child.stdin.write(typed);
    });
    return new Promise((resolve) => child.on('close', () => resolve(output.replaceAll('\r', ''))));
  }
  const tsv = `${process.execPath} ${TSV}`;

  it('gives the command one of the same size', async () => {
    const guest = `echo ready; read line; tty; stty size; test -t 1 && echo "a terminal, $line"`;
    const output = await onTerminal(`stty rows 27 cols 93; ${tsv} do -- sh -c '${guest}'`, 'hello\n');
    expect(output).toBe('ready\nhello\n/dev/pts/0\n27 93\na terminal, hello\n');
  });

  it('turns ^C into SIGINT for the foreground, and gives the terminal back as it was', async () => {
    const line = `before=$(stty -g); ${tsv} do -- sh -c 'echo ready; sleep 30'; echo "status $?"; test "$(stty -g)" = "$before" && echo restored`;
    expect(await onTerminal(line, '\x03')).toBe('ready\n^Cstatus 130\nrestored\n');
  });
});

describe('tsv run', () => {
  it('runs a command without a bundle', async () => {
    const { stdout, status } = await runTsv(['run', '--', 'echo', '--strace', 'x']);
    expect([stdout, status]).toEqual(['--strace x\n', 0]);
  });

  it('writes --pid-file while it runs', async () => {
    const file = join(dir, 'pid');
    const result = await runTsv(['run', '--pid-file', file, '--', 'cat', file]);
    expect(result).toMatchObject({ status: 0, stdout: expect.stringMatching(/^\d+$/) });
    expect(existsSync(file)).toBe(false);
  });

  it('runs a bundle', async () => {
    const config = {
      ociVersion: '1.0.2',
      hostname: 'box',
      root: { path: '/', readonly: true },
      process: {
        cwd: '/usr',
        args: [
          'sh',
          '-c',
          'pwd; hostname; echo $A; id -u; id -g; ulimit -n; touch /x; cat /tmp/t/none 2>/dev/null; ls -d /proc/self',
        ],
        env: ['PATH=/usr/bin:/bin', 'A=1', 'A=2'],
        user: { uid: 7, gid: 8 },
        rlimits: [{ type: 'RLIMIT_NOFILE', soft: 99, hard: 100 }],
      },
      mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }],
    };
    const result = await runTsv(['run', '--bundle', bundleWith(config), 'id']);
    expect(result.stdout).toBe('/usr\nbox\n2\n7\n8\n99\n/proc/self\n');
    expect(result.stderr).toContain("touch: cannot touch '/x': Read-only file system");
  });

  it('writes to a bundle, unless it has an overlay', async () => {
    mkdirSync(join(dir, 'rootfs'));
    writeFileSync(join(dir, 'rootfs/busybox'), readFileSync('/bin/busybox'));
    chmodSync(join(dir, 'rootfs/busybox'), 0o755);
    const config = {
      ociVersion: '1.0.2',
      root: { path: 'rootfs' },
      process: { cwd: '/', args: ['/busybox', 'sh', '-c', '/busybox mkdir /made; echo x > /made/file'] },
    };
    const bundle = bundleWith(config);
    expect((await runTsv(['--overlay2=root:memory', 'run', '--bundle', bundle, 'a'])).status).toBe(0);
    expect(readdirSync(join(dir, 'rootfs'))).toEqual(['busybox']);
    expect((await runTsv(['run', '--bundle', bundle, 'b'])).status).toBe(0);
    expect(readFileSync(join(dir, 'rootfs/made/file'), 'utf8')).toBe('x\n');
  });

  it.each([
    ['no JSON', '{', 'it is not JSON'],
    ['a wrong field', { ociVersion: '1.0.0', process: { cwd: '/', args: 'sh' } }, 'process.args: must be array'],
    ['another spec version', { ociVersion: '9.0.0' }, 'ociVersion: "9.0.0" is not supported'],
    ['no process', { ociVersion: '1.0.0', root: { path: '/' } }, 'config.json has no "process"'],
    [
      'an unknown limit',
      {
        ociVersion: '1.0.0',
        root: { path: '/' },
        process: { cwd: '/', args: ['true'], rlimits: [{ type: 'RLIMIT_X', soft: 1, hard: 1 }] },
      },
      'process.rlimits.0: "RLIMIT_X" is no limit',
    ],
    [
      'an unknown filesystem',
      {
        ociVersion: '1.0.0',
        root: { path: '/' },
        process: { cwd: '/', args: ['true'] },
        mounts: [{ destination: '/x', type: 'zfs' }],
      },
      'Cannot mount mounts.0: there is no filesystem "zfs"',
    ],
    [
      'a missing root',
      { ociVersion: '1.0.0', root: { path: 'nope' }, process: { cwd: '/', args: ['true'] } },
      'Cannot open root.path',
    ],
  ])('refuses a config.json with %s', async (_, config, message) => {
    const { status, stderr } = await runTsv(['run', '--bundle', bundleWith(config), 'id']);
    expect(status).toBe(128);
    expect(stderr).toContain(message);
  });
});

describe('tsv spec', () => {
  it('writes a config.json that run takes, once', async () => {
    expect((await runTsv(['spec', '--bundle', dir, '--', 'echo', 'x'])).status).toBe(0);
    const config = JSON.parse(readFileSync(join(dir, 'config.json'), 'utf8')) as { process: { args: string[] } };
    expect(config.process.args).toEqual(['echo', 'x']);
    const again = await runTsv(['spec', '--bundle', dir]);
    expect([again.status, again.stderr.includes('it exists already')]).toEqual([128, true]);
  });
});
