import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxBundle, type BundleChange } from './testing/busybox-bundle.js';
import { TSV, runTsv, type TsvResult } from './testing/run-tsv.js';

jest.setTimeout(120_000);

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsv-life-'));
});
afterEach(async () => {
  for (const id of (await tsv('list', '--quiet')).stdout.split('\n').filter(Boolean))
    await tsv('delete', '--force', id);
  expect((await tsv('list', '--quiet')).stdout).toBe('');
  rmSync(dir, { recursive: true, force: true });
});

const tsv = (...args: string[]): Promise<TsvResult> => runTsv(['--root', join(dir, 'root'), ...args]);

/** Runs a command that has to succeed; returns what it printed. */
async function ok(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await tsv(...args);
  expect([args[0], status, stderr]).toEqual([args[0], 0, '']);
  return stdout;
}

/** Runs a command that leaves a process behind: its output is not waited for. */
async function leaving(...args: string[]): Promise<void> {
  const log = join(dir, 'leaving.log');
  const argv = [TSV, '--log', log, '--root', join(dir, 'root'), ...args];
  const child = spawn(process.execPath, argv, { stdio: 'ignore' });
  const status = await new Promise((resolve) => child.once('exit', resolve));
  expect([status, existsSync(log) ? readFileSync(log, 'utf8') : '']).toEqual([0, '']);
}

/** Whether a process runs; a zombie, which its parent has not reaped, does not. */
function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}/stat`) && !readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ');
}

function bundle(args: readonly string[], change?: BundleChange): string {
  const path = join(dir, `bundle-${Math.random().toString(36).slice(2)}`);
  mkdirSync(path);
  return busyboxBundle(path, args, change);
}

interface Shown {
  status: string;
  pid: number;
  [field: string]: unknown;
}
const stateOf = async (id: string): Promise<Shown> => JSON.parse(await ok('state', id)) as Shown;

async function untilStatus(id: string, status: string): Promise<void> {
  for (let i = 0; i < 200; i++) if ((await stateOf(id)).status === status) return;
  throw new Error(`Container ${id} is not ${status}`);
}

describe('tsv create, start, kill, delete; runtime.md "Lifecycle"', () => {
  it('goes from created to running to stopped to nothing', async () => {
    const path = bundle(['sh', '-c', 'echo out > /tmp/out; exec sleep 600'], { annotations: { a: 'b' } });
    await leaving('create', '--bundle', path, '--pid-file', join(dir, 'pid'), 'a');
    const created = await stateOf('a');
    expect(created).toMatchObject({ ociVersion: '1.0.2', id: 'a', status: 'created', bundle: path });
    expect(created['annotations']).toEqual({ a: 'b' });
    expect(readFileSync(join(dir, 'pid'), 'utf8')).toBe(String(created.pid));
    expect(existsSync(join(path, 'rootfs/tmp/out'))).toBe(false);

    await ok('start', 'a');
    expect((await stateOf('a')).status).toBe('running');
    for (let i = 0; i < 200 && !existsSync(join(path, 'rootfs/tmp/out')); i++) await sleep(20);
    expect(readFileSync(join(path, 'rootfs/tmp/out'), 'utf8')).toBe('out\n');

    const wait = tsv('wait', 'a');
    await sleep(500);
    await ok('kill', 'a', 'KILL');
    expect(JSON.parse((await wait).stdout)).toEqual({ id: 'a', exitStatus: 137 });
    await untilStatus('a', 'stopped');
    expect((await stateOf('a')).pid).toBe(0);
    expect(isRunning(created.pid)).toBe(false);
    await ok('delete', 'a');
    expect((await tsv('state', 'a')).stderr).toContain('container does not exist');
  });

  it('ends a sandbox that does not answer while it makes the container', async () => {
    const sentry = join(dir, 'sentry');
    const stop = `cat > /dev/null; for p in /proc/[0-9]*; do
      test $p != /proc/$$ && grep -q "^PPid:.$PPID$" $p/status && tr '\\0' ' ' < $p/cmdline | grep -q ' boot ' && kill -STOP \${p#/proc/} && echo \${p#/proc/} > ${sentry}
    done; test -s ${sentry}`;
    const path = bundle(['true'], {
      hooks: { createRuntime: [{ path: '/bin/sh', args: ['sh', '-c', stop] }] },
    });
    expect(await tsv('--create-timeout', '0.5', 'create', '--bundle', path, 'a')).toMatchObject({
      status: 128,
      stderr: 'tsv: Cannot talk to the sandbox: it has not answered within 0.5 seconds\n',
    });
    expect(isRunning(Number(readFileSync(sentry, 'utf8')))).toBe(false);
    expect((await tsv('state', 'a')).stderr).toContain('container does not exist');
  });

  it('refuses operations that do not fit the state', async () => {
    const path = bundle(['sleep', '600']);
    await leaving('create', '--bundle', path, 'a');
    const refuse = async (message: string, ...args: string[]): Promise<void> => {
      const { status, stderr } = await tsv(...args);
      expect([args.join(' '), status, stderr.includes(message)]).toEqual([args.join(' '), 128, true]);
    };
    await refuse('container with given ID already exists', 'create', '--bundle', path, 'a');
    await refuse('it is created', 'exec', 'a', 'true');
    await refuse('it is created', 'pause', 'a');
    await ok('start', 'a');
    await refuse('it is running', 'start', 'a');
    await refuse('it is running', 'resume', 'a');
    await refuse('container is not stopped', 'delete', 'a');
    await refuse('there is none', 'kill', 'a', 'FLY');
    await ok('kill', 'a', '9');
    await untilStatus('a', 'stopped');
    await refuse('container not running', 'kill', 'a', '9');
    await refuse('container not running', 'exec', 'a', 'true');
    await refuse('it is stopped', 'start', 'a');
    await refuse('container does not exist', 'start', 'b');
    await refuse('container does not exist', 'delete', 'b');
    await ok('delete', '--force', 'b');
    await refuse('Cannot use container ID "a/b"', 'state', 'a/b');
  });

  it('leaves nothing of a container that cannot be created', async () => {
    const { status, stderr } = await tsv('create', '--bundle', bundle(['nosuchprogram']), 'a');
    expect([status, stderr]).toEqual([127, 'tsv: Cannot run "nosuchprogram": executable file not found in $PATH\n']);
    expect(await ok('list', '--quiet')).toBe('');
  });

  it('ends a created container by a signal, and deletes one', async () => {
    const path = bundle(['sleep', '600']);
    await leaving('create', '--bundle', path, 'a');
    await ok('kill', 'a', 'TERM');
    await untilStatus('a', 'stopped');
    await leaving('create', '--bundle', path, 'b');
    await ok('delete', 'b');
  });

  it('writes why it failed where engines read it', async () => {
    const log = join(dir, 'log');
    await tsv('--log', log, '--log-format', 'json', 'start', 'a');
    const line = JSON.parse(readFileSync(log, 'utf8')) as { level: string; msg: string };
    expect([line.level, line.msg]).toEqual(['error', 'Cannot open container "a": container does not exist']);
  });

  it('stops when its process on the host is killed, and the other way round', async () => {
    const path = bundle(['sleep', '600']);
    await leaving('create', '--bundle', path, 'a');
    await ok('start', 'a');
    process.kill((await stateOf('a')).pid, 'SIGKILL');
    await untilStatus('a', 'stopped');
    await leaving('create', '--bundle', path, 'b');
    await ok('start', 'b');
    const saved = JSON.parse(readFileSync(join(dir, 'root/b/state.json'), 'utf8')) as { sentry: { pid: number } };
    process.kill(saved.sentry.pid, 'SIGKILL');
    await untilStatus('b', 'stopped');
  });

  it('runs detached, lists, pauses and resumes', async () => {
    const path = bundle(['sh', '-c', 'while :; do echo >> /tmp/ticks; sleep 0.02; done']);
    await leaving('run', '--detach', '--bundle', path, 'a');
    const [row] = JSON.parse(await ok('list', '--format', 'json')) as Shown[];
    expect(row).toMatchObject({ id: 'a', status: 'running', bundle: path });
    expect(await ok('list')).toMatch(/^ID +PID +STATUS +BUNDLE +CREATED +OWNER\na +\d+ +running +/);
    const ticks = (): number =>
      existsSync(join(path, 'rootfs/tmp/ticks')) ? readFileSync(join(path, 'rootfs/tmp/ticks')).length : 0;
    for (let i = 0; i < 200 && ticks() === 0; i++) await sleep(20);
    await ok('pause', 'a');
    expect((await stateOf('a')).status).toBe('paused');
    const before = ticks();
    await sleep(500);
    expect(ticks()).toBe(before);
    await ok('resume', 'a');
    for (let i = 0; i < 200 && ticks() === before; i++) await sleep(20);
    expect(ticks()).toBeGreaterThan(before);
    await ok('pause', 'a');
    await ok('kill', 'a', 'KILL'); // It ends the pause.
    await untilStatus('a', 'stopped');
  });

  it('signals one process, a group or all', async () => {
    const script =
      'trap "echo a >> /tmp/log" USR1; (trap "echo b >> /tmp/log" USR1; while :; do sleep 0.05; done) & while :; do sleep 0.05; done';
    const path = bundle(['sh', '-c', script]);
    const log = (): string[] => {
      const file = join(path, 'rootfs/tmp/log');
      // It is there, and empty, before the line is.
      return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean).sort() : [];
    };
    const untilLogged = async (lines: string[]): Promise<void> => {
      for (let i = 0; i < 300 && log().length < lines.length; i++) await sleep(20);
      expect(log()).toEqual(lines);
    };
    await leaving('run', '-d', '--bundle', path, 'a');
    await sleep(1000);
    await ok('kill', 'a', 'USR1');
    await untilLogged(['a']);
    await ok('kill', '--pid', '2', 'a', 'USR1');
    await untilLogged(['a', 'b']);
    await ok('kill', '--pgid', '1', 'a', 'USR1');
    await untilLogged(['a', 'a', 'b', 'b']);
    expect((await tsv('kill', '--pid', '99', 'a')).stderr).toContain('no such process');
  });
});

describe('tsv run in the foreground', () => {
  it('is found by other commands, and leaves nothing', async () => {
    const path = bundle(['sh', '-c', 'echo ready; sleep 600; exit 1']);
    const child = spawn(process.execPath, [TSV, '--root', join(dir, 'root'), 'run', '--bundle', path, 'a']);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    expect((await stateOf('a')).status).toBe('running');
    expect(await ok('exec', 'a', 'echo', 'inside')).toBe('inside\n');
    const closed = new Promise((resolve) => child.once('close', resolve));
    await ok('kill', 'a', 'KILL');
    expect(await closed).toBe(137);
    expect(await ok('list', '--quiet')).toBe('');
  });
});

describe('tsv exec', () => {
  beforeEach(async () => {
    const change = { process: { user: { uid: 1000, gid: 1000 }, env: ['PATH=/bin', 'A=1'], cwd: '/tmp' } };
    const path = bundle(['sleep', '600'], change);
    await leaving('run', '-d', '--bundle', path, 'a');
    // runtime.md "Lifecycle" 2: what becomes of config.json then is nothing to the container.
    writeFileSync(join(path, 'config.json'), 'changed');
  });

  it('passes input, output and status through', async () => {
    const result = await runTsv(
      ['--root', join(dir, 'root'), 'exec', 'a', 'sh', '-c', 'cat; echo err >&2; exit 7'],
      'in\n',
    );
    expect(result).toEqual({ status: 7, signal: null, stdout: 'in\n', stderr: 'err\n' });
  });

  it('takes user, directory and variables from the container, then from its options', async () => {
    const script = 'id -u; id -g; id -G; pwd; echo $A $B $HOME';
    expect(await ok('exec', 'a', 'sh', '-c', script)).toBe('1000\n1000\n1000\n/tmp\n1 /home/user\n');
    const options = ['--user', '0:5', '--additional-gids', '6', '--cwd', '/bin', '-e', 'A=2', '--env', 'B=3'];
    expect(await ok('exec', ...options, 'a', 'sh', '-c', script)).toBe('0\n5\n5 6\n/bin\n2 3 /root\n');
  });

  it.each([
    ['nosuchprogram', 127, 'executable file not found in $PATH'],
    ['/tmp', 126, 'permission denied'],
  ])('tells that %s cannot run', async (program, status, message) => {
    const result = await tsv('exec', 'a', program);
    expect([result.status, result.stderr.includes(message)]).toEqual([status, true]);
  });

  it('runs a process from a file, detached, whose host process ends with its status', async () => {
    const file = join(dir, 'process.json');
    writeFileSync(file, JSON.stringify({ cwd: '/', args: ['sh', '-c', 'read x; exit 9'], env: ['PATH=/bin'] }));
    // The shell waits for the process that "exec" leaves to it.
    const script = `${process.execPath} ${TSV} --root ${dir}/root exec --detach --process ${file} --pid-file ${dir}/pid --internal-pid-file ${dir}/inner a`;
    const python = `
import ctypes, os, subprocess, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
r, w = os.pipe()
subprocess.run(sys.argv[1].split(), stdin=r, check=True)
pid = int(open('${dir}/pid').read())
os.write(w, b'go\\n')
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))`;
    const child = spawn('python3', ['-c', python, script], { stdio: ['ignore', 'pipe', 'inherit'] });
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    await new Promise((resolve) => child.once('close', resolve));
    expect(stdout).toBe('9\n');
    expect(Number(readFileSync(join(dir, 'inner'), 'utf8'))).toBeGreaterThan(1);
  });

  it('passes signals to its host process on', async () => {
    await leaving(
      'exec',
      '-d',
      '--pid-file',
      join(dir, 'pid'),
      'a',
      'sh',
      '-c',
      'trap "exit 3" TERM; while :; do sleep 0.05; done',
    );
    await sleep(500);
    const count = async (): Promise<number> => (await ok('ps', 'a')).trim().split('\n').length - 1;
    expect(await count()).toBeGreaterThan(1);
    process.kill(Number(readFileSync(join(dir, 'pid'), 'utf8')), 'SIGTERM');
    for (let i = 0; i < 200 && (await count()) > 1; i++) await sleep(20);
    expect(await count()).toBe(1);
  });

  it('lists processes', async () => {
    await leaving('exec', '-d', '--pid-file', join(dir, 'pid'), 'a', 'sleep', '500');
    const executed = Number(readFileSync(join(dir, 'pid'), 'utf8'));
    expect(JSON.parse(await ok('ps', '--format', 'json', 'a'))).toEqual([(await stateOf('a')).pid, executed]);
    process.kill(executed, 'SIGKILL');
    for (let i = 0; i < 200 && (await ok('ps', 'a')).split('\n').length > 3; i++) await sleep(20);
    expect(JSON.parse(await ok('ps', '--format', 'json', 'a'))).toEqual([(await stateOf('a')).pid]);
    expect(await ok('ps', 'a')).toMatch(
      /^UID +PID +PPID +C +TTY +STIME +TIME +CMD\n1000 +1 +0 +\d+ +\? +[\d:]+ +\S+ +sleep\n$/,
    );
  });
});

describe('a terminal over --console-socket', () => {
  /** Listens on the socket, runs a command, then types into the terminal that came and prints what is shown. */
  const PYTHON = `
import fcntl, os, select, socket, struct, subprocess, sys, termios
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen()
child = subprocess.Popen(sys.argv[3:])
conn, _ = server.accept()
_, (master,), _, _ = socket.recv_fds(conn, 64, 1)
if child.wait() != 0: sys.exit(1)
fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack('HHHH', 31, 77, 0, 0))
if sys.argv[2] == 'start':
    subprocess.run([a for a in sys.argv[3:] if a != 'create'][:4] + ['start', sys.argv[-1]], check=True)
shown = b''
typed = False
while True:
    if not select.select([master], [], [], 60)[0]: break
    try: data = os.read(master, 4096)
    except OSError: break
    if not data: break
    shown += data
    if not typed and b'ready' in shown:
        typed = True
        os.write(master, b'typed\\n')
sys.stdout.buffer.write(shown)`;
  const GUEST = ['sh', '-c', 'echo ready; read line; tty; stty size; echo "got $line"'];

  function onConsole(mode: 'start' | 'run', ...args: string[]): Promise<string> {
    const argv = [process.execPath, TSV, '--root', join(dir, 'root'), ...args];
    const child = spawn('python3', ['-c', PYTHON, join(dir, 'console.sock'), mode, ...argv], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    return new Promise((resolve) => child.once('close', () => resolve(stdout.replaceAll('\r', ''))));
  }
  const shown = 'ready\ntyped\n/dev/pts/0\n31 77\ngot typed\n';

  it("is the created container's", async () => {
    const path = bundle(GUEST, { process: { terminal: true } });
    const socket = join(dir, 'console.sock');
    expect(await onConsole('start', 'create', '--bundle', path, '--console-socket', socket, 'a')).toBe(shown);
  });

  it("is the executed process's", async () => {
    await leaving('run', '-d', '--bundle', bundle(['sleep', '600']), 'a');
    const socket = join(dir, 'console.sock');
    expect(await onConsole('run', 'exec', '-t', '-d', '--console-socket', socket, 'a', ...GUEST)).toBe(shown);
  });
});
