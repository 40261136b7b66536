import { EAGAIN, EINPROGRESS, SHUT_WR } from '@tsv/abi';
import { Netfilter } from './filter/netfilter.js';
import { Rule } from './filter/rule.js';
import { SeededRandom } from './net/random.js';
import { TcpSocket } from './socket/tcp-socket.js';
import type { Stack } from './stack.js';
import { Network } from './testing/network.js';
import { IpAddress, parsePrefix } from './wire/ip-address.js';

/** Runs that CI makes; `tools/suites/netstack/simulate.mjs` makes more, from another seed on. */
const SEED_COUNT = Number(process.env['STACK_SCENARIOS'] ?? 60);
const FIRST_SEED = Number(process.env['STACK_SEED'] ?? 1);

/** One end of a stream: sends a pattern and checks the peer's. */
class Talker {
  readonly socket: TcpSocket;
  readonly #sendBytes: number;
  readonly #tag: number;
  #sentBytes = 0;
  #isShut = false;
  receivedBytes = 0;
  isEnded = false;
  wrongAt = -1;

  constructor(socket: TcpSocket, sendBytes: number, tag: number) {
    this.socket = socket;
    this.#sendBytes = sendBytes;
    this.#tag = tag;
  }

  /** Moves what can be moved; chunks are of random size. */
  step(random: SeededRandom, peerTag: number): void {
    const chunk = new Uint8Array(1 + Math.floor(random.fraction() * 20_000));
    while (this.#sentBytes < this.#sendBytes) {
      const len = Math.min(chunk.length, this.#sendBytes - this.#sentBytes);
      for (let i = 0; i < len; i++) chunk[i] = patternAt(this.#tag, this.#sentBytes + i);
      const sent = this.socket.send(chunk, 0, len);
      if (sent < 0) break;
      this.#sentBytes += sent;
    }
    if (this.#sentBytes === this.#sendBytes && !this.#isShut) {
      this.#isShut = true;
      this.socket.shutdown(SHUT_WR);
    }
    for (let n = 1; n !== -EAGAIN && !this.isEnded;) {
      n = this.socket.receive(chunk, 0, chunk.length);
      for (let i = 0; i < n; i++) {
        if (this.wrongAt < 0 && chunk[i] !== patternAt(peerTag, this.receivedBytes + i))
          this.wrongAt = this.receivedBytes + i;
      }
      if (n > 0) this.receivedBytes += n;
      else if (n !== -EAGAIN) this.isEnded = true;
      if (n < 0 && n !== -EAGAIN) this.wrongAt = n;
    }
  }
}

function patternAt(tag: number, at: number): number {
  return (at * 131 + (at >>> 8) + tag * 89) & 0xff;
}

/** A client and a server with a router between them, which may translate, over two bad cables. */
function scenario(seed: number) {
  const network = new Network(seed);
  const random = new SeededRandom(seed ^ 0x5eed);
  const pick = (max: number): number => (random.fraction() < 0.4 ? 0 : random.fraction() * max);
  const weather = () => ({
    delayMs: pick(80),
    jitterMs: pick(30),
    loss: pick(0.08),
    duplicate: pick(0.05),
    corrupt: pick(0.03),
    mtu: random.fraction() < 0.5 ? 1500 : 1280 + Math.floor(random.fraction() * 220),
  });
  const [a, r, b] = [0, 1, 2].map(() => network.stack({ dadTransmits: 0 })) as [Stack, Stack, Stack];
  const [near, far] = [network.cable(weather()), network.cable(weather())];
  const nicA = a.addNic('eth0', near[0], { addresses: ['10.0.1.1/24', 'fd01::1/64'].map(parsePrefix) });
  r.addNic('eth0', near[1], { addresses: ['10.0.1.254/24', 'fd01::fe/64'].map(parsePrefix) });
  r.addNic('eth1', far[0], { addresses: ['10.0.2.254/24', 'fd02::fe/64'].map(parsePrefix) });
  const nicB = b.addNic('eth0', far[1], { addresses: ['10.0.2.1/24', 'fd02::1/64'].map(parsePrefix) });
  for (const [stack, nic, net] of [
    [a, nicA, 1],
    [b, nicB, 2],
  ] as const) {
    for (const [prefix, gateway] of [
      ['0.0.0.0/0', `10.0.${net}.254`],
      ['::/0', `fd0${net}::fe`],
    ] as const) {
      stack.routes.add({ destination: parsePrefix(prefix), nicId: nic.id, gateway: IpAddress.parse(gateway) });
    }
  }
  r.forwardsIpv4 = r.forwardsIpv6 = true;
  if (random.fraction() < 0.5) {
    const netfilter = new Netfilter(r);
    for (const tables of [netfilter.ipv4, netfilter.ipv6]) {
      const masquerade = new Rule({ outInterface: 'eth1' }, [], { kind: 'MASQUERADE', portMin: 0, portMax: 0 });
      tables.nat.insertRule('POSTROUTING', masquerade);
    }
    r.filter = netfilter;
  }
  return { network, random, a, b, r, address: random.fraction() < 0.5 ? '10.0.2.1' : 'fd02::1' };
}

describe('TCP through a router over bad lines', () => {
  it.each(Array.from({ length: SEED_COUNT }, (_, i) => i + FIRST_SEED))(
    'seed %i: all arrives, nothing stays',
    (seed) => {
      const { network, random, a, b, r, address } = scenario(seed);
      const listener = new TcpSocket(b, true);
      listener.bind(IpAddress.parse('::'), 80);
      listener.listen(8);
      const client = new TcpSocket(a, true);
      expect(client.connect(IpAddress.parse(address), 80)).toBe(-EINPROGRESS);
      const [upBytes, downBytes] = [Math.floor(random.fraction() * 60_000), Math.floor(random.fraction() * 60_000)];
      const talkers: Talker[] = [new Talker(client, upBytes, 1)];
      const isDone = network.until(() => {
        const accepted = talkers.length === 1 ? listener.accept() : -EAGAIN;
        if (typeof accepted !== 'number') talkers.push(new Talker(accepted, downBytes, 2));
        if (client.endpoint?.state !== 2) talkers[0]!.step(random, 2);
        talkers[1]?.step(random, 1);
        return talkers.length === 2 && talkers.every((talker) => talker.isEnded);
      }, 3_600_000);
      expect(isDone).toBe(true);
      expect(talkers.map((talker) => [talker.receivedBytes, talker.wrongAt])).toEqual([
        [downBytes, -1],
        [upBytes, -1],
      ]);
      for (const { socket } of talkers) socket.close();
      listener.close();
      network.advance(1_000_000);
      expect([a, b].map((stack) => [stack.tcp.connections.count, stack.timers.count])).toEqual([
        [0, 0],
        [0, 0],
      ]);
      expect([r.timers.count, network.inFlightCount]).toEqual([0, 0]);
    },
  );
});
