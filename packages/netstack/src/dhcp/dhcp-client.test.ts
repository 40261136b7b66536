import fc from 'fast-check';
import { DhcpClient, DhcpState } from './dhcp-client.js';
import {
  DHCPACK,
  DHCPDISCOVER,
  DHCPNAK,
  DHCPOFFER,
  DHCPRELEASE,
  DHCPREQUEST,
  type DhcpReply,
  parseDhcpReply,
} from './dhcp-message.js';
import { POLLIN } from '@tsv/abi';
import { WaitEntry } from '@tsv/waiter';
import { SocketAddress } from '../socket/socket-address.js';
import { UdpSocket } from '../socket/udp-socket.js';
import type { Stack } from '../stack.js';
import { Network } from '../testing/network.js';
import { loadU32 } from '../wire/byte-order.js';
import { parseLinkAddress } from '../wire/ethernet.js';
import { IpAddress, parsePrefix } from '../wire/ip-address.js';

const MACS = [parseLinkAddress('02:00:00:00:00:01'), parseLinkAddress('02:00:00:00:00:02')] as const;
const BROADCAST = new SocketAddress(IpAddress.parse('255.255.255.255'), 68);

/** Says what to answer to a message of a type: the type of the reply, or 0 for nothing. */
type Script = (type: number) => number;

class Server extends WaitEntry {
  readonly seen: string[] = [];
  readonly #socket: UdpSocket;
  readonly #network: Network;
  script: Script = (type) => (type === DHCPDISCOVER ? DHCPOFFER : type === DHCPREQUEST ? DHCPACK : 0);

  constructor(network: Network, stack: Stack) {
    super();
    this.#network = network;
    this.#socket = new UdpSocket(stack, false);
    this.#socket.options.mayBroadcast = true;
    this.#socket.bind(IpAddress.parse('0.0.0.0'), 67);
    this.#socket.waiters.add(this, POLLIN);
  }

  notified(): void {
    const [buffer, from] = [new Uint8Array(600), new SocketAddress()];
    if (this.#socket.receive(buffer, 0, 600, 0, from, null) < 0) return;
    const type = buffer[242]!;
    const sec = Math.round(this.#network.clock.monotonicMs() / 1000);
    this.seen.push(`${sec}s ${type} from ${String(from.address)}`);
    const answer = this.script(type);
    if (answer === 0) return;
    const reply = buffer.slice(0, 300);
    reply.fill(0, 240);
    reply[0] = 2;
    reply.set([10, 0, 0, 77], 16);
    const lease = [51, 4, 0, 0, 0x0e, 0x10]; // 3600 s
    const server = [54, 4, 10, 0, 0, 1];
    reply.set(
      [53, 1, answer, 1, 4, 255, 255, 255, 0, 3, 4, 10, 0, 0, 1, 6, 4, 10, 0, 0, 53, ...lease, ...server, 255],
      240,
    );
    this.#socket.send(reply, 0, 300, BROADCAST);
  }
}

function office() {
  const network = new Network();
  const [a, b] = [network.stack(), network.stack({ dadTransmits: 0 })];
  const cable = network.cable({ linkAddresses: MACS });
  const nic = a.addNic('eth0', cable[0]);
  b.addNic('eth0', cable[1], { addresses: [parsePrefix('10.0.0.1/24')] });
  const server = new Server(network, b);
  const changes: (string | null)[] = [];
  const changed = (lease: DhcpReply | null): number => changes.push(lease === null ? null : String(lease.address));
  const client = new DhcpClient(a, nic, changed, false);
  return { network, a, nic, server, client, changes };
}

describe('DhcpClient, RFC 2131', () => {
  it('gets an address, a route and name servers', () => {
    const { network, a, nic, client, changes } = office();
    expect(client.start()).toBe(0);
    network.advance(100);
    expect([client.state, changes]).toEqual([DhcpState.BOUND, ['10.0.0.77']]);
    expect(nic.findAddress(IpAddress.parse('10.0.0.77'))!.prefixLen).toBe(24);
    expect(client.lease!.dnsServers.map(String)).toEqual(['10.0.0.53']);
    const path = a.findPath(IpAddress.parse('192.0.2.1'), null, 0);
    expect(typeof path === 'number' ? path : `${String(path.nextHop)} ${String(path.src)}`).toBe('10.0.0.1 10.0.0.77');
  });

  it('renews with its server at half of the lease', () => {
    const { network, client, server, changes } = office();
    client.start();
    network.advance(1_900_000);
    expect(server.seen.map((line) => line.slice(line.indexOf(' ') + 1))).toEqual([
      '1 from 0.0.0.0',
      '3 from 0.0.0.0',
      '3 from 10.0.0.77',
    ]);
    expect([client.state, changes]).toEqual([DhcpState.BOUND, ['10.0.0.77']]);
  });

  it('rebinds, and gives the address up when the lease ends', () => {
    const { network, nic, client, server, changes } = office();
    client.start();
    network.advance(1_000);
    server.script = () => 0;
    network.advance(3_200_000);
    expect(client.state).toBe(DhcpState.REBINDING);
    network.advance(400_000);
    expect([client.state, changes]).toEqual([DhcpState.SELECTING, ['10.0.0.77', null]]);
    expect(nic.findAddress(IpAddress.parse('10.0.0.77'))).toBeUndefined();
  });

  it('starts over after a refusal', () => {
    const { network, client, server, changes } = office();
    client.start();
    network.advance(1_000);
    server.script = (type) => (type === DHCPREQUEST ? DHCPNAK : 0);
    network.advance(1_800_000);
    expect([client.state, changes]).toEqual([DhcpState.SELECTING, ['10.0.0.77', null]]);
  });

  it('asks again at doubling intervals, up to a minute', () => {
    const { network, client, server } = office();
    server.script = () => 0;
    client.start();
    network.advance(260_000);
    const times = server.seen.map((line) => parseInt(line, 10));
    const gaps = times.slice(1).map((time, i) => time - times[i]!);
    for (const [i, base] of [4, 8, 16, 32, 64, 64].entries()) expect(Math.abs(gaps[i]! - base)).toBeLessThanOrEqual(2);
  });

  it('releases the address when it is stopped', () => {
    const { network, a, client, server, changes } = office();
    client.start();
    network.advance(5_000);
    client.stop();
    network.advance(5_000);
    expect(server.seen.at(-1)).toContain(` ${DHCPRELEASE} from 10.0.0.77`);
    expect([client.state, changes.at(-1), a.timers.count]).toEqual([DhcpState.STOPPED, null, 0]);
  });
});

describe('parseDhcpReply', () => {
  it('never throws, and gives no lease that cannot be', () => {
    const base = new Uint8Array(260);
    base[0] = 2;
    base.set(MACS[0], 28);
    base.set([0x63, 0x82, 0x53, 0x63, 53, 1, 5], 236);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.uint8Array({ minLength: 4, maxLength: 4 }), (tail, address) => {
        const message = Uint8Array.from([...base.subarray(0, 243), ...tail]);
        message.set(address, 16);
        const reply = parseDhcpReply(message, loadU32(message, 4), MACS[0]);
        if (reply === undefined || (reply.type !== DHCPOFFER && reply.type !== DHCPACK)) return;
        expect(reply.prefixLen).toBeGreaterThanOrEqual(0);
        expect(reply.leaseSec).toBeGreaterThan(0);
        expect(reply.address.isMulticast).toBe(false);
      }),
    );
  });
});
