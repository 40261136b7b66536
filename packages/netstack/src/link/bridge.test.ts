import { EAGAIN, EINPROGRESS } from '@tsv/abi';
import { VirtualClock } from '@tsv/clock';
import { PacketBuffer } from '../buffer/packet-buffer.js';
import { SeededRandom } from '../net/random.js';
import { TcpSocket } from '../socket/tcp-socket.js';
import { Stack } from '../stack.js';
import { parseLinkAddress } from '../wire/ethernet.js';
import { IpAddress, parsePrefix } from '../wire/ip-address.js';
import { Bridge, BRIDGE_ADDRESS_COUNT_MAX } from './bridge.js';
import { ChannelLink } from './channel.js';
import { PipeLink } from './pipe.js';

const mac = (n: number): Uint8Array => parseLinkAddress(`02:00:00:00:00:${n.toString(16).padStart(2, '0')}`);

function frame(to: Uint8Array, from: Uint8Array): PacketBuffer {
  return PacketBuffer.copyOf(Uint8Array.of(...to, ...from, 0x88, 0xb5, 1, 2, 3));
}

/** A bridge with three channels on it. */
function ports(clock = new VirtualClock(1)) {
  const bridge = new Bridge(clock, mac(0xff));
  const links = [1, 2, 3].map((n) => new ChannelLink({ linkAddress: mac(n) }));
  for (const link of links) bridge.addPort(link);
  const counts = (): number[] =>
    links.map((link) => {
      let count = 0;
      for (let packet = link.read(); packet !== null; packet = link.read(), count++) packet.release();
      return count;
    });
  return { clock, bridge, links, counts };
}

describe('Bridge', () => {
  it('floods until it has learned, then sends to one port; forgets after five minutes', () => {
    const { clock, links, counts } = ports();
    links[0]!.inject(frame(mac(2), mac(1)));
    expect(counts()).toEqual([0, 1, 1]);
    links[1]!.inject(frame(mac(1), mac(2)));
    expect(counts()).toEqual([1, 0, 0]);
    links[0]!.inject(frame(mac(2), mac(1)));
    expect(counts()).toEqual([0, 1, 0]);
    clock.advance(300_000);
    links[0]!.inject(frame(mac(2), mac(1)));
    expect(counts()).toEqual([0, 1, 1]);
  });

  it('sends nothing back to where it came from', () => {
    const { links, counts } = ports();
    links[0]!.inject(frame(mac(9), mac(1)));
    links[0]!.inject(frame(mac(9), mac(9)));
    counts();
    links[0]!.inject(frame(mac(9), mac(1)));
    expect(counts()).toEqual([0, 0, 0]);
  });

  it.each([
    ['to bridges themselves', parseLinkAddress('01:80:c2:00:00:00'), mac(1)],
    ['from a group', mac(2), parseLinkAddress('01:00:5e:00:00:01')],
  ])('drops frames %s', (_name, to, from) => {
    const { bridge, links, counts } = ports();
    links[0]!.inject(frame(to, from));
    links[0]!.inject(PacketBuffer.copyOf(new Uint8Array(13)));
    expect([...counts(), bridge.droppedCount]).toEqual([0, 0, 0, 2]);
  });

  it('remembers no more addresses than it may', () => {
    const { bridge, links, counts } = ports();
    for (let n = 0; n <= BRIDGE_ADDRESS_COUNT_MAX; n++) {
      links[0]!.inject(frame(mac(2), Uint8Array.of(2, 1, 0, 0, n >> 8, n & 0xff)));
      counts();
    }
    const port = (n: number): boolean => bridge.portOf(Uint8Array.of(2, 1, 0, 0, n >> 8, n & 0xff)) === bridge.ports[0];
    expect([port(0), port(1), port(BRIDGE_ADDRESS_COUNT_MAX)]).toEqual([false, true, true]);
  });

  it('connects stacks, its own among them, whatever their links leave to others', () => {
    const clock = new VirtualClock(1000);
    const bridge = new Bridge(clock, mac(0xff));
    const stacks = [1, 2, 3].map((n) => new Stack({ clock, random: new SeededRandom(n), dadTransmits: 0 }));
    for (const [i, stack] of stacks.entries()) {
      const addresses = [parsePrefix(`10.0.0.${i + 1}/24`)];
      if (i === 0) {
        stack.addNic('br0', bridge, { addresses });
        continue;
      }
      const linkAddresses = [mac(i), mac(i + 16)] as const;
      const [near, far] = PipeLink.pair({ linkAddresses, checksums: i === 2 });
      stack.addNic('eth0', near, { addresses });
      bridge.addPort(far);
    }
    for (const [from, to] of [
      [0, 1],
      [1, 0],
      [1, 2],
      [2, 0],
    ] as const) {
      const [client, server] = [new TcpSocket(stacks[from]!, false), new TcpSocket(stacks[to]!, false)];
      server.bind(IpAddress.parse('0.0.0.0'), 80);
      server.listen(1);
      const connected = client.connect(IpAddress.parse(`10.0.0.${to + 1}`), 80);
      expect([0, -EINPROGRESS]).toContain(connected);
      const accepted = server.accept() as TcpSocket;
      const data = Uint8Array.from({ length: 20_000 }, (_, i) => i & 0xff);
      expect(client.send(data, 0, data.length)).toBe(data.length);
      const got = new Uint8Array(data.length);
      let count = 0;
      for (let i = 0; i < 100 && count < got.length; i++) {
        const received = accepted.receive(got, count, got.length - count);
        if (received !== -EAGAIN) count += received;
        clock.advance(10);
        for (const stack of stacks) stack.poll();
      }
      expect([count, Buffer.compare(got, data)]).toEqual([data.length, 0]);
      for (const socket of [client, accepted, server]) socket.close();
    }
  });
});
