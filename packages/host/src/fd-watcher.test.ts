import { EEXIST, ENOENT, EPERM, O_CLOEXEC, O_NONBLOCK } from '@tsv/abi';
import { openSync } from 'node:fs';
import { FdWatcher } from './fd-watcher.js';
import { close, read, write } from './open-file.js';
import { pipe2 } from './pipe.js';

const EPOLLIN = 1;
const EPOLLOUT = 4;
const EPOLLHUP = 0x10;
const EPOLLET = 0x8000_0000;
const byte = new Uint8Array(1);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

let told: [number, number][];
let watcher: FdWatcher;
let reader: number;
let writer: number;
beforeEach(() => {
  told = [];
  watcher = new FdWatcher((token, events) => told.push([token, events]));
  const pair = new Int32Array(2);
  expect(pipe2(pair, O_CLOEXEC | O_NONBLOCK)).toBe(0);
  [reader, writer] = pair as unknown as [number, number];
});
afterEach(() => {
  watcher.close();
  close(reader);
  close(writer);
});

describe('FdWatcher', () => {
  it('tells of an edge once', async () => {
    expect(watcher.add(reader, 7, EPOLLIN | EPOLLET)).toBe(0);
    await pause(10);
    expect(told).toEqual([]);
    write(writer, byte, 0, 1);
    await pause(10);
    expect(told).toEqual([[7, EPOLLIN]]);
  });

  it('tells of a level until it is gone', async () => {
    watcher.close();
    let calls = 0;
    watcher = new FdWatcher(() => {
      if (++calls === 3) read(reader, byte, 0, 1);
    });
    watcher.add(reader, 1, EPOLLIN);
    write(writer, byte, 0, 1);
    await pause(20);
    expect(calls).toBe(3);
  });

  it('keeps negative tokens, and high event bits', async () => {
    watcher.add(reader, -5, EPOLLIN | EPOLLET);
    close(writer);
    await pause(10);
    expect(told).toEqual([[-5, EPOLLHUP]]);
    writer = openSync('/dev/null', 'r');
  });

  it('tells of more descriptors than a batch has', async () => {
    const pair = new Int32Array(2);
    const fds: number[] = [];
    for (let token = 0; token < 100; token++) {
      pipe2(pair, O_CLOEXEC | O_NONBLOCK);
      fds.push(pair[0]!, pair[1]!);
      watcher.add(pair[1]!, token, EPOLLOUT | EPOLLET);
    }
    await pause(20);
    expect(new Set(told.map(([token]) => token)).size).toBe(100);
    for (const fd of fds) close(fd);
  });

  it('can be told to watch for other things, and no more', async () => {
    watcher.add(writer, 1, 0);
    expect(watcher.modify(writer, 2, EPOLLOUT | EPOLLET)).toBe(0);
    await pause(10);
    expect(told).toEqual([[2, EPOLLOUT]]);
    expect([watcher.remove(writer), watcher.remove(writer)]).toEqual([0, -ENOENT]);
  });

  it('says why it cannot watch', () => {
    const file = openSync(__filename, 'r');
    watcher.add(reader, 1, EPOLLIN);
    expect([watcher.add(file, 1, EPOLLIN), watcher.add(reader, 1, EPOLLIN)]).toEqual([-EPERM, -EEXIST]);
    expect(watcher.modify(writer, 1, EPOLLIN)).toBe(-ENOENT);
    close(file);
  });

  it('tells nothing when closed', async () => {
    watcher.add(writer, 1, EPOLLOUT);
    watcher.close();
    await pause(10);
    expect(told).toEqual([]);
  });
});
