import { EAGAIN, EINPROGRESS, ENOBUFS } from '@tsv/abi';
import { VirtualClock } from '@tsv/clock';
import { FdLink, type FrameDevice } from './fd-link.js';
import { SeededRandom } from '../net/random.js';
import { TcpSocket } from '../socket/tcp-socket.js';
import { Stack } from '../stack.js';
import { parseLinkAddress } from '../wire/ethernet.js';
import { IpAddress, parsePrefix } from '../wire/ip-address.js';
import { VIRTIO_NET_HDR_BYTES } from '../wire/virtio-net.js';

/** A device in memory: what is sent into one end comes out of the other. */
class MemoryDevice implements FrameDevice {
  readonly frames: Uint8Array[] = [];
  /** Frames taken before there is no room; refused with `errno` if that is set. */
  room = Infinity;
  errno = EAGAIN;
  peer: MemoryDevice = this;
  largest = 0;

  receive(buffer: Uint8Array, slotBytes: number, lens: Int32Array): number {
    const count = Math.min(this.frames.length, lens.length);
    if (count === 0) return -EAGAIN;
    for (const [i, frame] of this.frames.splice(0, count).entries()) {
      buffer.set(frame.subarray(0, slotBytes), i * slotBytes);
      lens[i] = frame.length;
    }
    return count;
  }

  send(buffer: Uint8Array, ends: Int32Array, from: number, to: number): number {
    let count = 0;
    for (let i = from; i < to && this.room > 0; i++, count++, this.room--) {
      const frame = buffer.slice(i === 0 ? 0 : ends[i - 1], ends[i]);
      this.largest = Math.max(this.largest, frame.length);
      this.peer.frames.push(frame);
    }
    return count > 0 ? count : -this.errno;
  }
}

interface Pair {
  readonly clock: VirtualClock;
  readonly stacks: [Stack, Stack];
  readonly links: [FdLink, FdLink];
  readonly devices: [MemoryDevice, MemoryDevice];
  readonly pump: () => void;
}

function pair(hasVirtioHeader: boolean, gro: boolean): Pair {
  const clock = new VirtualClock(1000);
  const devices: Pair['devices'] = [new MemoryDevice(), new MemoryDevice()];
  [devices[0].peer, devices[1].peer] = [devices[1], devices[0]];
  const make = (n: number): [Stack, FdLink] => {
    const stack = new Stack({ clock, random: new SeededRandom(n), dadTransmits: 0 });
    const linkAddress = parseLinkAddress(`02:00:00:00:00:0${n}`);
    const link = new FdLink(devices[n - 1]!, { mtu: 1500, linkAddress, hasVirtioHeader, gro });
    stack.addNic('eth0', link, { addresses: [`10.0.0.${n}/24`, `fd00::${n}/64`].map(parsePrefix) });
    return [stack, link];
  };
  const [[a, linkA], [b, linkB]] = [make(1), make(2)];
  const pump = (): void => {
    for (let isBusy = true; isBusy;) isBusy = linkA.receive() + linkB.receive() > 0;
  };
  return { clock, stacks: [a, b], links: [linkA, linkB], devices, pump };
}

/** Sends `len` bytes from the first stack to the second and returns what arrives. */
function transfer({ clock, stacks: [a, b], pump }: Pair, address: string, len: number): Uint8Array {
  const [client, listener] = [new TcpSocket(a, true), new TcpSocket(b, true)];
  listener.bind(IpAddress.parse('::'), 80);
  listener.listen(1);
  expect(client.connect(IpAddress.parse(address), 80)).toBe(-EINPROGRESS);
  pump();
  const server = listener.accept() as TcpSocket;
  const data = Uint8Array.from({ length: len }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
  const got = new Uint8Array(len);
  let [sent, received] = [0, 0];
  for (let round = 0; round < 5000 && received < len; round++) {
    if (sent < len) sent += Math.max(0, client.send(data, sent, len - sent));
    pump();
    received += Math.max(0, server.receive(got, received, len - received));
    clock.advance(1);
    for (const stack of [a, b]) stack.poll();
    pump();
  }
  expect(Buffer.compare(got, data)).toBe(0);
  client.close();
  server.close();
  listener.close();
  return got;
}

describe('FdLink', () => {
  it.each([
    ['10.0.0.2', true],
    ['fd00::2', true],
    ['10.0.0.2', false],
    ['fd00::2', false],
  ])('carries TCP to %s, virtio header %s', (address, hasVirtioHeader) => {
    const network = pair(hasVirtioHeader, true);
    transfer(network, address, 1_000_000);
    const isCutUp = network.devices[0].largest <= 1514 + VIRTIO_NET_HDR_BYTES;
    expect(isCutUp).toBe(!hasVirtioHeader);
  });

  it('joins segments of a batch that the host has not joined, and gives them out the same', () => {
    const counts = [true, false].map((gro) => {
      const network = pair(false, gro);
      transfer(network, '10.0.0.2', 300_000);
      return network.stacks[1].tcp.context.counters.InSegs;
    });
    expect(counts[0]).toBeLessThan(counts[1]! / 2);
  });

  it('keeps what there is no room for, and says so', () => {
    const network = pair(true, true);
    const told: boolean[] = [];
    network.links[0].onBlocked = (isBlocked) => told.push(isBlocked);
    network.devices[0].room = 0;
    const client = new TcpSocket(network.stacks[0], false);
    client.connect(IpAddress.parse('10.0.0.2'), 80);
    expect([told, network.links[0].waitingCount]).toEqual([[true], 1]);
    network.devices[0].room = Infinity;
    network.links[0].flush();
    expect([told, network.links[0].waitingCount, network.devices[1].frames.length]).toEqual([[true, false], 0, 2]);
  });

  it('drops a frame that the device refuses, and goes on', () => {
    const network = pair(true, true);
    Object.assign(network.devices[0], { room: 0, errno: ENOBUFS });
    new TcpSocket(network.stacks[0], false).connect(IpAddress.parse('10.0.0.2'), 80);
    expect([network.links[0].waitingCount, network.links[0].sendDroppedCount]).toEqual([0, 1]);
  });

  it('survives headers and frames that lie', () => {
    const network = pair(true, true);
    transfer(network, '10.0.0.2', 50_000);
    const random = new SeededRandom(5);
    const corpus: Uint8Array[] = [];
    new TcpSocket(network.stacks[0], false).connect(IpAddress.parse('10.0.0.2'), 80);
    corpus.push(...network.devices[1].frames.splice(0));
    expect(corpus.length).toBeGreaterThan(0);
    for (let i = 0; i < 8_000; i++) {
      const frame = corpus[i % corpus.length]!.slice(0, random.fraction() < 0.2 ? random.fraction() * 80 : undefined);
      for (let edits = random.fraction() * 5; edits > 0; edits--)
        frame[random.fraction() * frame.length] = random.fraction() * 256;
      network.devices[1].frames.push(frame);
      if (i % 16 === 0) network.links[1].receive();
      network.devices[0].frames.length = 0;
    }
    const { tcp, ipv4, ipv6 } = network.stacks[1];
    for (let i = 0; i < 1000 && network.stacks[1].pollAtMs() < Infinity; i++) {
      network.clock.advance(Math.max(0, network.stacks[1].pollAtMs() - network.clock.monotonicMs()));
      network.stacks[1].poll();
    }
    expect([tcp.connections.count, ipv4.reassembler.count, ipv6.reassembler.count]).toEqual([0, 0, 0]);
  });
});
