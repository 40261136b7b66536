import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { EAGAIN } from '@tsv/abi';
import { interfaceIndex } from './network-interface.js';
import { PacketFd } from './packet-fd.js';

const name = `tsvt${process.pid % 100_000}`;

/** Why TAP devices cannot be made here; an empty string if they can. */
function obstacle(): string {
  if (process.getuid?.() !== 0) return 'not root';
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
    execFileSync('ip', ['link', 'show', 'lo'], { stdio: 'ignore' });
  } catch (error) {
    return String(error);
  }
  return '';
}

const reason = obstacle();

describe('PacketFd', () => {
  it('says which error there is', () => {
    expect(PacketFd.openSocket(0x7fff_ffff)).toBeLessThan(0);
    expect(PacketFd.openTap('a-name-that-is-too-long')).toBeLessThan(0);
  });

  (reason === '' ? it : it.skip)(`carries frames between a TAP and a packet socket on it ${reason}`, () => {
    const tap = PacketFd.openTap(name);
    if (typeof tap === 'number') throw new Error(`openTap: ${tap}`);
    execFileSync('sysctl', ['-qw', `net.ipv6.conf.${name}.disable_ipv6=1`]);
    execFileSync('ip', ['link', 'set', name, 'up']);
    const socket = PacketFd.openSocket(interfaceIndex(name));
    if (typeof socket === 'number') throw new Error(`openSocket: ${socket}`);
    // Three frames of an EtherType for experiments, behind empty virtio-net headers.
    const frame = (n: number) =>
      [...new Array<number>(22).fill(2), 0x88, 0xb5, n, ...new Array<number>(45).fill(0)].fill(0, 0, 10);
    const bytes = Uint8Array.from([1, 2, 3].flatMap(frame));
    const ends = Int32Array.of(70, 140, 210);
    const [buffer, lens] = [new Uint8Array(8 * 2048), new Int32Array(8)];

    expect(tap.send(bytes, ends, 0, 3)).toBe(3);
    expect([socket.receive(buffer, 2048, lens), ...lens.subarray(0, 3)]).toEqual([3, 70, 70, 70]);
    expect([0, 1, 2].map((i) => buffer[i * 2048 + 24])).toEqual([1, 2, 3]);
    expect(socket.receive(buffer, 2048, lens)).toBe(-EAGAIN);

    expect(socket.send(bytes, ends, 1, 3)).toBe(2);
    expect([tap.receive(buffer, 2048, lens), buffer[24], buffer[2048 + 24]]).toEqual([2, 2, 3]);
    expect(tap.receive(buffer, 2048, lens)).toBe(-EAGAIN);
    socket.close();
    tap.close();
  });
});
