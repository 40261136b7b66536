import fc from 'fast-check';
import { VirtualClock } from '@tsv/clock';
import { PacketBuffer } from './buffer/packet-buffer.js';
import { Netfilter } from './filter/netfilter.js';
import { ChannelLink } from './link/channel.js';
import { NEIGHBOUR_COUNT_MAX } from './link/neighbour-cache.js';
import { FRAGMENT_BYTES_MAX } from './net/reassembly.js';
import { RA_ADDRESS_COUNT_MAX, RA_ROUTE_COUNT_MAX } from './net/router-discovery.js';
import { SeededRandom } from './net/random.js';
import { SocketAddress } from './socket/socket-address.js';
import { TcpSocket } from './socket/tcp-socket.js';
import { UdpSocket } from './socket/udp-socket.js';
import { Stack } from './stack.js';
import { LINUX_FRAMES } from './testing/linux-frames.js';
import { Network } from './testing/network.js';
import { parseLinkAddress } from './wire/ethernet.js';
import { IpAddress, parsePrefix } from './wire/ip-address.js';

/** Runs that CI makes of each; STACK_FUZZ_SCENARIOS makes it more, STACK_FUZZ_SEED starts elsewhere. */
const RUNS = Number(process.env['STACK_FUZZ_SCENARIOS'] ?? 300);
const SEED = Number(process.env['STACK_FUZZ_SEED'] ?? 42);
/** Routes of the stacks here, beside those that advertisements may make. */
const OWN_ROUTE_COUNT_MAX = 8;
const MAC = parseLinkAddress('02:00:00:00:00:02');
const ADDRESSES = ['10.0.0.2/24', 'fd00::2/64'].map(parsePrefix);

/** Traffic of this stack to 10.0.0.2 and fd00::2: ARP, NDP, ping, UDP in fragments, TCP, errors. */
function captureTraffic(): Uint8Array[] {
  const network = new Network(7);
  const [a, b] = [network.stack(), network.stack({ dadTransmits: 0 })];
  const cable = network.cable({ linkAddresses: [parseLinkAddress('02:00:00:00:00:01'), MAC], loss: 0.02 });
  a.addNic('eth0', cable[0], {
    addresses: [parsePrefix('10.0.0.1/24'), parsePrefix('fd00::1/64')],
    acceptsRouterAdvertisements: true,
  });
  b.addNic('eth0', cable[1], { addresses: ADDRESSES });
  network.advance(3_000);
  const server = new TcpSocket(b, true);
  server.bind(IpAddress.parse('::'), 80);
  server.listen(4);
  for (const text of ['10.0.0.2', 'fd00::2']) {
    const to = IpAddress.parse(text);
    const udp = new UdpSocket(a, true);
    udp.send(new Uint8Array(4000), 0, 4000, new SocketAddress(to, 53));
    const tcp = new TcpSocket(a, true);
    tcp.connect(to, 80);
    network.advance(10);
    tcp.send(new Uint8Array(5000), 0, 5000);
    network.advance(1_000);
    tcp.close();
    network.advance(1_000);
  }
  return cable[0].sent;
}

const OWN = { frames: captureTraffic(), addresses: ADDRESSES };
const LINUX = {
  frames: LINUX_FRAMES.map((text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0))),
  addresses: ['10.77.0.2/24', 'fd77:0::2/64'].map(parsePrefix),
};

describe.each([
  ['of this stack', OWN],
  ['of Linux', LINUX],
])('Stack against hostile packets, made of those %s', (_whose, { frames: corpus, addresses }) => {
  it('has a corpus worth mutating', () => expect(corpus.length).toBeGreaterThan(20));

  it.each([
    ['a host', false],
    ['a router with a filter', true],
  ])('survives them as %s, and forgets them in time', (_name, hasFilter) => {
    const edit = fc.record({ at: fc.nat(200), byte: fc.nat(255) });
    const frame = fc.record({
      index: fc.nat(corpus.length - 1),
      edits: fc.array(edit, { maxLength: 6 }),
      len: fc.option(fc.nat(1600), { nil: Infinity }),
    });
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 60 }), fc.boolean(), (frames, trustsChecksums) => {
        const clock = new VirtualClock();
        const stack = new Stack({ clock, random: new SeededRandom(3) });
        const link = new ChannelLink({ linkAddress: MAC });
        const nic = stack.addNic('eth0', link, { addresses, acceptsRouterAdvertisements: true });
        const other = stack.addNic('eth1', new ChannelLink(), { addresses: [parsePrefix('10.1.0.1/24')] });
        stack.routes.add({ destination: parsePrefix('0.0.0.0/0'), nicId: other.id });
        if (hasFilter) {
          stack.forwardsIpv4 = stack.forwardsIpv6 = true;
          stack.filter = new Netfilter(stack);
        }
        const server = new TcpSocket(stack, true);
        server.bind(IpAddress.parse('::'), 80);
        server.listen(4);
        const udp = new UdpSocket(stack, true);
        udp.bind(IpAddress.parse('::'), 53);
        for (const { index, edits, len } of frames) {
          const bytes = corpus[index]!.slice(0, len);
          for (const { at, byte } of edits) if (at < bytes.length) bytes[at] = byte;
          const packet = PacketBuffer.copyOf(bytes);
          if (trustsChecksums) packet.flags |= 1;
          link.inject(packet);
          clock.advance(1);
          stack.poll();
        }
        expect(stack.ipv4.reassembler.costBytes + stack.ipv6.reassembler.costBytes).toBeLessThan(FRAGMENT_BYTES_MAX);
        expect(nic.neighbours!.count).toBeLessThanOrEqual(NEIGHBOUR_COUNT_MAX);
        expect(nic.addresses.length).toBeLessThanOrEqual(RA_ADDRESS_COUNT_MAX);
        expect(stack.routes.routes.length).toBeLessThanOrEqual(OWN_ROUTE_COUNT_MAX + RA_ROUTE_COUNT_MAX);
        udp.close();
        server.close();
        for (let i = 0; i < 2_000 && stack.pollAtMs() < 8e9; i++) {
          clock.advance(Math.max(0, stack.pollAtMs() - clock.monotonicMs()));
          stack.poll();
        }
        const { ipv4, ipv6, tcp } = stack;
        expect([ipv4.reassembler.count, ipv6.reassembler.count, tcp.connections.count]).toEqual([0, 0, 0]);
      }),
      { numRuns: RUNS, seed: SEED },
    );
  });
});
