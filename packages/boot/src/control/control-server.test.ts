import { close, fcntl, recvFds, sendFds, unixSocketpair } from '@tsv/host';
import { HostFdWatcher } from '@tsv/gofer';
import { F_GETFD, MSG_DONTWAIT, O_CLOEXEC, SOCK_STREAM } from '@tsv/abi';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync, openSync, closeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bindControlSocket } from '../container/launch-sentry.js';
import { SandboxError } from '../sandbox-error.js';
import { ControlClient } from './control-client.js';
import { ControlServer } from './control-server.js';
import { FRAME_BYTES_MAX } from './frame-socket.js';
import { PROTOCOL_VERSION, type MethodHandlers } from './methods.js';

let dir: string;
let path: string;
let watcher: HostFdWatcher;
let server: ControlServer | null = null;
let clients: ControlClient[];
let closedCount: number;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsv-control-'));
  path = join(dir, 'control.sock');
  watcher = new HostFdWatcher();
  clients = [];
  closedCount = 0;
});
afterEach(() => {
  for (const client of clients) client.close();
  server?.close();
  watcher.close();
  rmSync(dir, { recursive: true, force: true });
});

function serve(handlers: MethodHandlers): void {
  server = new ControlServer(bindControlSocket(path), watcher, handlers, () => closedCount++);
}

function connected(): ControlClient {
  const client = ControlClient.connect(path);
  clients.push(client);
  return client;
}

/** A client that says what it wants. */
function rawClient(): number {
  const pair = new Int32Array(2);
  unixSocketpair(SOCK_STREAM | O_CLOEXEC, pair);
  server!.serve(pair[0]!);
  return pair[1]!;
}

function frame(text: string, fdCount = 0, length = Buffer.byteLength(text)): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(length, 0);
  header.writeUInt32LE(fdCount, 4);
  return Buffer.concat([header, Buffer.from(text)]);
}

/** The text of the first frame that comes, which is a small one. */
async function untilFrame(fd: number): Promise<unknown> {
  const bytes = Buffer.alloc(4096);
  for (let i = 0; i < 1000; i++) {
    const n = recvFds(fd, bytes, 0, bytes.length, new Int32Array(0), MSG_DONTWAIT);
    if (n > 0) return JSON.parse(bytes.toString('utf8', 8, n));
    await sleep(5);
  }
  throw new Error('The server did not answer');
}

async function untilClosed(fd: number): Promise<void> {
  const bytes = new Uint8Array(4096);
  for (let i = 0; i < 1000; i++) {
    if (recvFds(fd, bytes, 0, bytes.length, new Int32Array(0), MSG_DONTWAIT) === 0) return;
    await sleep(5);
  }
  throw new Error('The server did not close the connection');
}

describe('ControlServer and ControlClient', () => {
  it('carry a call and its answer', async () => {
    serve({ 'containerManager.WaitPID': ({ id, pid }) => ({ waitStatus: id === 'a' ? pid : 0 }) });
    expect(await connected().call('containerManager.WaitPID', { id: 'a', pid: 7 })).toEqual({ waitStatus: 7 });
  });

  it('carry descriptors', async () => {
    const file = join(dir, 'profile');
    serve({
      'Profile.Heap': (_, fds) => {
        writeFileSync(fds[0]!, 'written');
        fds.forEach((fd) => close(fd));
        return {};
      },
    });
    const fd = openSync(file, 'w');
    await connected().call('Profile.Heap', {}, [fd]);
    closeSync(fd);
    expect(readFileSync(file, 'utf8')).toBe('written');
  });

  it('carry a large text', async () => {
    serve({ 'containerManager.ExecuteAsync': ({ process }) => ({ pid: process.length }) });
    const params = {
      id: 'a',
      process: 'x'.repeat(3_000_000),
      terminal: 'none',
      passedAt: [] as number[],
      cgroup: '',
      mayBePaused: false,
      hostPid: 0,
    } as const;
    expect(await connected().call('containerManager.ExecuteAsync', params)).toEqual({ pid: 3_000_000 });
  });

  it('answer calls of one client in any order', async () => {
    const waiting: ((status: { waitStatus: number }) => void)[] = [];
    serve({
      'containerManager.Wait': () => new Promise((resolve) => waiting.push(resolve)),
      'containerManager.Pause': () => ({}),
    });
    const client = connected();
    const first = client.call('containerManager.Wait', { id: 'a' });
    await client.call('containerManager.Pause', { id: 'a' });
    waiting[0]!({ waitStatus: 3 });
    expect(await first).toEqual({ waitStatus: 3 });
  });

  it('work at a path that is longer than an address', async () => {
    path = join(dir, 'x'.repeat(200), 'control.sock');
    mkdirSync(join(dir, 'x'.repeat(200)));
    serve({ 'containerManager.Pause': () => ({}) });
    await expect(connected().call('containerManager.Pause', { id: 'a' })).resolves.toEqual({});
  });

  it('tell an error with its exit status', async () => {
    serve({
      'containerManager.Pause': () => {
        throw new SandboxError('Cannot pause: it is late', 42);
      },
    });
    const failure = connected().call('containerManager.Pause', { id: 'a' });
    await expect(failure).rejects.toMatchObject({ message: 'Cannot pause: it is late', exitStatus: 42 });
  });

  it.each([
    ['a wrong type', { id: 'a', pid: 'x' }, 'pid: Invalid type'],
    ['a missing field', { id: 'a' }, 'pid: Invalid key'],
    ['a number out of range', { id: 'a', pid: -1 }, 'pid: Invalid value'],
  ])('refuse parameters with %s, and close what came along', async (_, params, message) => {
    let isCalled = false;
    serve({
      'containerManager.WaitPID': () => {
        isCalled = true;
        return { waitStatus: 0 };
      },
    });
    const wrong = connected().call('containerManager.WaitPID', params as { id: string; pid: number }, [0]);
    await expect(wrong).rejects.toThrow(message);
    expect(isCalled).toBe(false);
  });

  it('refuse an answer in the wrong form', async () => {
    serve({ 'containerManager.Wait': () => ({ waitStatus: -1 }) });
    await expect(connected().call('containerManager.Wait', { id: 'a' })).rejects.toThrow('Invalid value');
  });

  it('refuse a method that is not there', async () => {
    serve({});
    await expect(connected().call('containerManager.Pause', { id: 'a' })).rejects.toThrow('there is no such method');
  });

  it.each([
    ['an older client', {}, 'version 0'],
    ['a newer client', { protocol: PROTOCOL_VERSION + 1 }, `version ${PROTOCOL_VERSION + 1}`],
  ])('tell %s which versions do not fit and what to do', async (_, protocol, version) => {
    let isCalled = false;
    serve({
      'containerManager.Pause': () => {
        isCalled = true;
        return {};
      },
    });
    const fd = rawClient();
    // The parameters are wrong too: what another version sends is not looked at.
    const call = frame(JSON.stringify({ id: 1, ...protocol, method: 'containerManager.Pause', params: { name: 'a' } }));
    sendFds(fd, call, 0, call.length, new Int32Array(0), 0);
    const answer = await untilFrame(fd);
    close(fd);
    expect(answer).toMatchObject({ id: 1, error: { message: expect.stringContaining(version) as string } });
    expect(answer).toMatchObject({ error: { message: expect.stringContaining('tsv delete --force') as string } });
    expect(isCalled).toBe(false);
  });

  it('say that nobody listens', () => {
    expect(() => ControlClient.connect(path)).toThrow('container not running');
    close(bindControlSocket(path));
    expect(() => ControlClient.connect(path)).toThrow('container not running');
  });

  it.each([
    ['goes', 50],
    ['goes before it has read them', 0],
  ])('end calls when the server %s', async (_what, delayMs) => {
    serve({ 'containerManager.Wait': () => new Promise(() => undefined) });
    const call = connected().call('containerManager.Wait', { id: 'a' });
    if (delayMs > 0) await sleep(delayMs);
    server!.close();
    await expect(call).rejects.toThrow('Cannot talk to the sandbox: it has ended');
  });

  it.each([
    ['no JSON', frame('nonsense')],
    ['no call', frame('{"id":1}')],
    ['a frame that is too large', frame('', 0, FRAME_BYTES_MAX + 1)],
    ['descriptors that did not come', frame('{}', 3)],
    ['too many descriptors', frame('{}', 254)],
  ])('cut off a client that sends %s, and serve others', async (_, bytes) => {
    serve({ 'containerManager.Pause': () => ({}) });
    const fd = rawClient();
    sendFds(fd, bytes, 0, bytes.length, new Int32Array(0), 0);
    await untilClosed(fd);
    close(fd);
    expect(closedCount).toBe(1);
    await expect(connected().call('containerManager.Pause', { id: 'a' })).resolves.toEqual({});
  });

  it('serve others while a client sends half a frame or does not read', async () => {
    serve({ 'debug.Stacks': () => ({ text: 'x'.repeat(1_000_000) }), 'containerManager.Pause': () => ({}) });
    const half = rawClient();
    sendFds(half, frame('{}', 0, 100), 0, 10, new Int32Array(0), 0);
    const deaf = rawClient();
    for (let id = 0; id < 40; id++) {
      const call = frame(JSON.stringify({ id, protocol: PROTOCOL_VERSION, method: 'debug.Stacks', params: {} }));
      sendFds(deaf, call, 0, call.length, new Int32Array(0), 0);
    }
    await expect(connected().call('containerManager.Pause', { id: 'a' })).resolves.toEqual({});
    for (let i = 0; i < 1000 && closedCount === 0; i++) await sleep(5);
    expect(closedCount).toBe(1); // The one whose answers have piled up.
    close(half);
    close(deaf);
  });

  it('close descriptors of a client that goes', async () => {
    serve({});
    const fd = rawClient();
    const bytes = frame('{}', 5, 100);
    sendFds(fd, bytes, 0, bytes.length, Int32Array.of(0, 1, 2), 0);
    await sleep(50);
    close(fd);
    for (let i = 0; i < 1000 && closedCount === 0; i++) await sleep(5);
    expect([closedCount, fcntl(fd, F_GETFD, 0) < 0]).toEqual([1, true]);
  });
});
