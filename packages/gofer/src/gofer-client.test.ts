import * as abi from '@tsv/abi';
import { close, getThreadCapabilities, listen, openat2, pollFd, read, readlinkat, statx } from '@tsv/host';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GoferClient, GoferOperation } from './gofer-client.js';

jest.setTimeout(60_000);

const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const AT_REMOVEDIR = 0x200;
const isRoot = getThreadCapabilities() > 0;

let dir: string;
let dirFd: number;
let gofer: GoferClient;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsv-gofer-'));
  dirFd = openat2(AT_FDCWD, dir, abi.O_PATH | abi.O_DIRECTORY, 0, 0);
  gofer = GoferClient.start({ isRoot });
  gofer.awaitReady();
});
afterEach(() => {
  gofer.close();
  close(dirFd);
  rmSync(dir, { recursive: true, force: true });
});

function textOf(fd: number): string {
  const buffer = new Uint8Array(100);
  const len = read(fd, buffer, 0, buffer.length);
  close(fd);
  return Buffer.from(buffer.subarray(0, len)).toString();
}

describe('GoferClient', () => {
  it('leaves no process behind when it is closed, nor when the gofer has ended by itself', () => {
    const other = GoferClient.start({ isRoot });
    other.close();
    expect(existsSync(`/proc/${other.pid}`)).toBe(false);
    const third = GoferClient.start({ isRoot });
    process.kill(third.pid, 'SIGKILL');
    pollFd(third.pidfd, abi.POLLIN, 30_000);
    third.reap();
    expect(existsSync(`/proc/${third.pid}`)).toBe(false);
    third.close();
  });

  it('opens files and gives their descriptors', () => {
    writeFileSync(join(dir, 'file'), 'text');
    const path = gofer.call(GoferOperation.OPEN, { flags: abi.O_PATH }, dirFd, 'file');
    expect(textOf(gofer.call(GoferOperation.OPEN, { flags: abi.O_RDONLY }, dirFd, 'file'))).toBe('text');
    expect(textOf(gofer.call(GoferOperation.REOPEN, { flags: abi.O_RDONLY }, path, ''))).toBe('text');
    close(path);
  });

  it('makes, links, renames and removes', () => {
    const call = gofer.call.bind(gofer);
    expect(call(GoferOperation.MAKE_DIRECTORY, { mode: 0o751 }, dirFd, 'd')).toBe(0);
    expect(statSync(join(dir, 'd')).mode & 0o7777).toBe(0o751);
    expect(call(GoferOperation.MAKE_NODE, { mode: abi.S_IFREG | 0o640 }, dirFd, 'f')).toBe(0);
    expect(call(GoferOperation.MAKE_LINK, {}, dirFd, '../any where', -1, 's')).toBe(0);
    expect(readlinkSync(join(dir, 's'))).toBe('../any where');
    expect(call(GoferOperation.LINK, {}, dirFd, 'f', dirFd, 'g')).toBe(0);
    expect(statSync(join(dir, 'g')).nlink).toBe(2);
    expect(call(GoferOperation.RENAME, {}, dirFd, 'g', dirFd, 'h')).toBe(0);
    expect(call(GoferOperation.CHANGE_MODE, { mode: 0o604 }, dirFd, 'h')).toBe(0);
    expect(call(GoferOperation.CHANGE_TIMES, { times: [5, 0, 2 ** 33, 7] }, dirFd, 'h')).toBe(0);
    expect([statSync(join(dir, 'h')).mode & 0o777, statSync(join(dir, 'h')).mtimeMs]).toEqual([0o604, 2 ** 33 * 1000]);
    expect(call(GoferOperation.UNLINK, {}, dirFd, 'h')).toBe(0);
    expect(call(GoferOperation.UNLINK, { flags: AT_REMOVEDIR }, dirFd, 'd')).toBe(0);
    expect([existsSync(join(dir, 'h')), existsSync(join(dir, 'd'))]).toEqual([false, false]);
  });

  it('tells what the host says', () => {
    expect(gofer.call(GoferOperation.OPEN, {}, dirFd, 'absent')).toBe(-abi.ENOENT);
    expect(gofer.call(GoferOperation.UNLINK, {}, dirFd, 'absent')).toBe(-abi.ENOENT);
    expect(gofer.call(GoferOperation.OPEN, {}, dirFd, 'n'.repeat(5000))).toBe(-abi.ENAMETOOLONG);
    expect(gofer.call(GoferOperation.OPEN, {}, -abi.ENOENT, 'x')).toBe(-abi.ENOENT);
  });

  it.each(['..', '../etc', '/etc/passwd', 'a/b'])('does not follow the name "%s"', (name) => {
    expect(gofer.call(GoferOperation.OPEN, { flags: abi.O_PATH }, dirFd, name)).toBe(-abi.EINVAL);
  });

  it('follows no link, and opens and makes no device', () => {
    gofer.call(GoferOperation.MAKE_LINK, {}, dirFd, '/etc/passwd', -1, 'link');
    expect(gofer.call(GoferOperation.OPEN, { flags: abi.O_RDONLY }, dirFd, 'link')).toBe(-abi.ELOOP);
    const link = gofer.call(GoferOperation.OPEN, { flags: abi.O_PATH | abi.O_NOFOLLOW }, dirFd, 'link');
    const buffer = new Uint8Array(64);
    expect(readlinkat(link, '', buffer)).toBe('/etc/passwd'.length);
    close(link);
    const dev = openat2(AT_FDCWD, '/dev', abi.O_PATH, 0, 0);
    expect(gofer.call(GoferOperation.OPEN, { flags: abi.O_RDONLY }, dev, 'null')).toBe(-abi.ENXIO);
    close(dev);
    expect(gofer.call(GoferOperation.MAKE_NODE, { mode: abi.S_IFCHR | 0o600 }, dirFd, 'dev')).toBe(-abi.EPERM);
  });

  it('makes sockets with names where it was started for that, and ends at the attempt elsewhere', () => {
    expect(gofer.call(GoferOperation.BIND_SOCKET, { flags: abi.SOCK_STREAM }, dirFd, 'sock')).toBe(-abi.EIO);
    const other = GoferClient.start({ isRoot, hasSockets: true });
    const call = other.call.bind(other);
    const server = call(GoferOperation.BIND_SOCKET, { flags: abi.SOCK_STREAM, mode: 0o720 }, dirFd, 'sock');
    expect(statSync(join(dir, 'sock')).mode).toBe(abi.S_IFSOCK | 0o720);
    expect(call(GoferOperation.BIND_SOCKET, { flags: abi.SOCK_STREAM }, dirFd, 'sock')).toBe(-abi.EADDRINUSE);
    expect(call(GoferOperation.BIND_SOCKET, { flags: abi.SOCK_STREAM }, dirFd, '')).toBe(-abi.EINVAL);
    const path = openat2(dirFd, 'sock', abi.O_PATH, 0, 0);
    const connect = (type: number): number => call(GoferOperation.CONNECT_SOCKET, { flags: type }, path, '');
    expect(connect(abi.SOCK_STREAM)).toBe(-abi.ECONNREFUSED);
    expect(listen(server, 0)).toBe(0);
    const client = connect(abi.SOCK_STREAM);
    expect(client).toBeGreaterThan(0);
    expect([connect(abi.SOCK_STREAM), connect(abi.SOCK_DGRAM), connect(0)]).toEqual([
      -abi.EAGAIN,
      -abi.EPROTOTYPE,
      -abi.EINVAL,
    ]);
    for (const fd of [client, path, server]) close(fd);
    other.close();
  });

  it('is EIO when it is gone', async () => {
    process.kill(gofer.pid, 'SIGKILL');
    for (let i = 0; i < 200 && existsSync(`/proc/${gofer.pid}/root/.`); i++) await sleep(20);
    expect(gofer.call(GoferOperation.OPEN, {}, dirFd, 'x')).toBe(-abi.EIO);
  });
});

// Without root a gofer has nothing to give up and no namespaces.
const describeAsRoot = isRoot ? describe : describe.skip;

describeAsRoot('a gofer that root starts', () => {
  it('has a root of its own, namespaces, a filter, and capabilities on files only', () => {
    const status = readFileSync(`/proc/${gofer.pid}/status`, 'utf8');
    expect(status).toMatch(/^CapEff:\t000000000000001f$/m);
    expect(status).toMatch(/^Seccomp:\t2$/m);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    for (const kind of ['mnt', 'net', 'ipc', 'uts', 'pid']) {
      const theirs = readlinkSync(`/proc/${gofer.pid}/ns/${kind}`);
      expect([kind, theirs === readlinkSync(`/proc/self/ns/${kind}`)]).toEqual([kind, false]);
    }
    expect(existsSync(`/proc/${gofer.pid}/root/etc`)).toBe(false);
  });

  it('acts on files whoever owns them', () => {
    mkdirSync(join(dir, 'd'), { mode: 0o700 });
    writeFileSync(join(dir, 'd', 'secret'), 'text');
    chmodSync(join(dir, 'd', 'secret'), 0);
    expect(gofer.call(GoferOperation.CHANGE_OWNER, { uid: 1234, gid: 4321 }, dirFd, 'd')).toBe(0);
    expect(statSync(join(dir, 'd'))).toMatchObject({ uid: 1234, gid: 4321 });
    const inner = gofer.call(GoferOperation.OPEN, { flags: abi.O_PATH }, dirFd, 'd');
    expect(textOf(gofer.call(GoferOperation.OPEN, { flags: abi.O_RDONLY }, inner, 'secret'))).toBe('text');
    const fields = new Float64Array(24);
    expect(statx(inner, '', AT_EMPTY_PATH, 0xfff, fields)).toBe(0);
    close(inner);
  });
});
