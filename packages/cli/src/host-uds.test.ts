import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runTsv } from './testing/run-tsv.js';

jest.setTimeout(120_000);

/** Both sides are Python, each in `data`: its first lines, and what serves and asks. */
const COMMON = `
import array, errno, os, select, socket, struct, sys, threading, time
socket.setdefaulttimeout(40)
KINDS = {'stream': socket.SOCK_STREAM, 'seqpacket': socket.SOCK_SEQPACKET}
def make(kind, path):
    made = socket.socket(socket.AF_UNIX, kind)
    made.bind(path)
    if kind != socket.SOCK_DGRAM: made.listen(4)
    return made
def rights(fd):
    return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [fd]))]
def refused(call, *args):
    try: return call(*args)
    except OSError as error: return errno.errorcode[error.errno]
def until(path):
    end = time.time() + 40
    while not os.path.exists(path) and time.time() < end: time.sleep(0.02)
`;

const SERVE = `
listeners = {name: make(kind, name) for name, kind in KINDS.items()}
datagrams = make(socket.SOCK_DGRAM, 'dgram')
poll = select.epoll()
for each in [*listeners.values(), datagrams]: poll.register(each, select.EPOLLIN)
open('ready', 'w').close()
for name, listener in listeners.items():
    poll.poll(40)
    connection, address = listener.accept()
    poll.register(connection, select.EPOLLIN)
    text = connection.recv(100)
    connection.sendmsg([text.upper()], rights(1) if SENDS_RIGHTS else [])
    more = connection.recv(100)
    print(name, repr(address), text.decode(), more.decode(), connection.recv(100) == b'')
    connection.close()
print('dgram', *[datagrams.recvfrom(100) for _ in range(2)])
`;

const ASK = `
until('ready')
for name, kind in KINDS.items():
    client = socket.socket(socket.AF_UNIX, kind)
    client.connect(name)
    uid = struct.unpack('3i', client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]
    client.send(b'hello')
    poll = select.epoll()
    poll.register(client, select.EPOLLIN)
    ready = [events for _, events in poll.poll(40)]
    text, control, flags, _ = client.recvmsg(100, 100)
    again = refused(client.connect, name)
    passed = refused(client.sendmsg, [b'x'], rights(1)) if ASKS_RIGHTS else ''
    client.send(b'more')
    client.shutdown(socket.SHUT_WR)
    print(name, client.getpeername(), uid, ready, text.decode(), len(control), bool(flags & socket.MSG_CTRUNC), again, passed,
          client.recv(100) == b'')
sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sender.sendto(b'one', 'dgram')
sender.connect('dgram')
print(sender.getpeername(), sender.send(b'two'))
`;

let dir: string;
let data: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsv-host-uds-'));
  data = join(dir, 'data');
  mkdirSync(data);
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

/** Runs Python over the host's files, which it does not change but for those in `data`. */
async function guest(options: readonly string[], code: string): Promise<string> {
  const bundle = join(dir, 'bundle');
  mkdirSync(bundle);
  const config = {
    ociVersion: '1.0.2',
    root: { path: '/' },
    mounts: [{ destination: '/tmp/data', type: 'bind', source: data, options: ['bind'] }],
    process: { cwd: '/tmp/data', args: ['python3', '-c', COMMON + code], env: ['PATH=/usr/bin:/bin'], user: USER },
  };
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(config));
  const { status, stdout, stderr } = await runTsv(
    [
      ...['--root', join(dir, 'state'), '--overlay2', 'root:memory', ...options],
      ...['run', '--bundle', bundle, `uds-${process.pid}`],
    ],
    '',
    60_000,
  );
  expect([status, stderr]).toEqual([0, '']);
  return stdout;
}

const uid = process.getuid!();
const USER = { uid, gid: process.getgid!() };

/** The same on the host. */
async function host(code: string): Promise<string> {
  const child = spawn('python3', ['-c', COMMON + code], { cwd: data, stdio: ['ignore', 'pipe', 'inherit'] });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
  const status = await new Promise((resolve) => child.on('close', resolve));
  clearTimeout(timer);
  expect(status).toBe(0);
  return stdout;
}

const SERVED = [
  "stream '' hello more True",
  "seqpacket '' hello more True",
  "dgram (b'one', None) (b'two', None)",
  '',
].join('\n');

function asked(passed: string): string {
  const line = (name: string): string =>
    `${name} ${name} ${uid} [1] HELLO 0 ${passed === '' ? 'False' : 'True'} EISCONN ${passed} True`;
  return [line('stream'), line('seqpacket'), 'dgram 3', ''].join('\n');
}

describe('--host-uds', () => {
  it.each([['--directfs'], ['--directfs=false']])(
    'all: guests reach what the host serves, and the host guests: %s',
    async (files) => {
      const options = ['--host-uds', 'all', files];
      const outside = host(`SENDS_RIGHTS = True\n${SERVE}`);
      // Open files do not go over the border: they are refused, or dropped and MSG_CTRUNC tells.
      expect(await guest(options, `ASKS_RIGHTS = True\n${ASK}`)).toBe(asked('EINVAL'));
      expect(await outside).toBe(SERVED);

      rmSync(join(dir, 'bundle'), { recursive: true });
      rmSync(data, { recursive: true });
      mkdirSync(data);
      const served = guest(options, `SENDS_RIGHTS = False\nos.umask(0o027)\n${SERVE}`);
      expect(await host(`ASKS_RIGHTS = False\n${ASK}`)).toBe(asked(''));
      expect(await served).toBe(SERVED);
      expect(statSync(join(data, 'stream')).mode & 0o7777).toBe(0o750);
    },
  );

  it('create: guests still find each other there, with open files and credentials, and none of the host', async () => {
    const outside = host(`made = make(socket.SOCK_STREAM, 'theirs')\nuntil('done')`);
    const inside = await guest(
      ['--host-uds', 'create'],
      `
until('theirs')
print(refused(socket.socket(socket.AF_UNIX).connect, 'theirs'))
server = make(socket.SOCK_STREAM, 'ours')
client = socket.socket(socket.AF_UNIX)
client.connect('ours')
connection = server.accept()[0]
client.sendmsg([b'x'], rights(1))
text, control, flags, _ = connection.recvmsg(10, 100)
pid = struct.unpack('3i', connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
print(text, len(control), flags & socket.MSG_CTRUNC, pid == os.getpid())
print(refused(make, socket.SOCK_STREAM, 'ours'))
open('done', 'w').close()`,
    );
    expect(inside).toBe("ECONNREFUSED\nb'x' 1 0 True\nEADDRINUSE\n");
    await outside;
  });

  it.each([[[]], [['--host-uds', 'open']]])('what guests bind is theirs alone: %j', async (options) => {
    const inside = guest(options, `made = make(socket.SOCK_STREAM, 'ours')\nopen('ready', 'w').close()\nuntil('done')`);
    const outside = `until('ready')\nprint(refused(socket.socket(socket.AF_UNIX).connect, 'ours'))\nopen('done', 'w').close()`;
    expect(await host(outside)).toBe('ECONNREFUSED\n');
    await inside;
  });

  it('open: a connection waits while the queue of who serves it is full', async () => {
    const outside = host(`
made = make(socket.SOCK_STREAM, 'theirs')
made.listen(0)
until('waiting')
for _ in range(2): print(made.accept()[0].recv(10))`);
    await guest(
      ['--host-uds', 'open'],
      `
until('theirs')
first, second = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
first.connect('theirs')
open('waiting', 'w').close()
second.setblocking(True)
second.connect('theirs')
for each in (first, second): each.send(b'x')`,
    );
    expect(await outside).toBe("b'x'\nb'x'\n");
  });

  it('none: sockets of the host refuse guests', async () => {
    const outside = host(`made = make(socket.SOCK_STREAM, 'theirs')\nuntil('done')`);
    const code = `until('theirs')\nprint(refused(socket.socket(socket.AF_UNIX).connect, 'theirs'))\nopen('done', 'w').close()`;
    expect(await guest([], code)).toBe('ECONNREFUSED\n');
    await outside;
  });
});
