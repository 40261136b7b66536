import { EINVAL, ENOTTY, O_CLOEXEC, O_NOCTTY, O_RDWR } from '@tsv/abi';
import { execFileSync } from 'node:child_process';
import { close, memfdCreate, read, write } from './open-file.js';
import {
  SIZEOF_TERMIOS,
  isatty,
  openPtyMaster,
  openPtyPeer,
  ptsname,
  tcgetattr,
  tcgetwinsize,
  tcsetattr,
  tcsetwinsize,
} from './terminal.js';

const FLAGS = O_RDWR | O_NOCTTY | O_CLOEXEC;
const C_OFLAG = 4;
const OPOST = 1;
const native = JSON.stringify(require.resolve('../native/index.js'));

let master: number;
let peer: number;
beforeEach(() => {
  master = openPtyMaster(FLAGS);
  peer = openPtyPeer(master, FLAGS);
});
afterEach(() => {
  expect([close(master), close(peer)]).toEqual([0, 0]);
});

describe('a pseudoterminal', () => {
  it('has a name, and is a terminal', () => {
    expect(ptsname(master)).toMatch(/^\/dev\/pts\/\d+$/);
    const memfd = memfdCreate('file', 0);
    expect([isatty(peer), isatty(memfd), isatty(-1)]).toEqual([true, false, false]);
    expect([ptsname(memfd), openPtyPeer(memfd, FLAGS)]).toEqual([-ENOTTY, -ENOTTY]);
    close(memfd);
  });

  it('has attributes that change what comes out', () => {
    const termios = new Uint8Array(SIZEOF_TERMIOS);
    const buffer = new Uint8Array(8);
    const newline = new Uint8Array([10]);
    expect(tcgetattr(peer, termios)).toBe(0);
    write(peer, newline, 0, 1);
    expect([...buffer.subarray(0, read(master, buffer, 0, 8))]).toEqual([13, 10]);
    termios[C_OFLAG] = termios[C_OFLAG]! & ~OPOST;
    expect(tcsetattr(peer, 1, termios)).toBe(0);
    write(peer, newline, 0, 1);
    expect([...buffer.subarray(0, read(master, buffer, 0, 8))]).toEqual([10]);
  });

  it.each([
    [SIZEOF_TERMIOS - 1, 0],
    [SIZEOF_TERMIOS, 3],
  ])('refuses %d bytes of attributes, action %d', (len, action) => {
    expect(tcsetattr(peer, action, new Uint8Array(len))).toBe(-EINVAL);
  });

  it('has a size', () => {
    expect(tcsetwinsize(master, Uint16Array.of(50, 132, 0, 0))).toBe(0);
    const size = new Uint16Array(4);
    expect(tcgetwinsize(peer, size)).toBe(0);
    expect([...size]).toEqual([50, 132, 0, 0]);
    expect(tcgetwinsize(peer, new Uint16Array(3))).toBe(-EINVAL);
  });

  it('becomes the controlling terminal of a new session', () => {
    const script = `
      const native = require(${native});
      const master = native.openPtyMaster(${FLAGS});
      const peer = native.openPtyPeer(master, ${FLAGS});
      const session = native.setsid();
      const results = [session === process.pid, native.setsid(), native.setControllingTerminal(peer, 0)];
      console.log(JSON.stringify([...results, require('fs').openSync('/dev/tty', 'r+') > 0]));`;
    // A child of a child is no group leader, which setsid(2) demands.
    const shell = `"$0" -e "$1"; exit $?`;
    const output = execFileSync('/bin/sh', ['-c', shell, process.execPath, script], { encoding: 'utf8' });
    expect(JSON.parse(output)).toEqual([true, -1, 0, true]);
  });
});
