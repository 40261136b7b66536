import { CONGESTION_CONTROLS } from './congestion/registry.js';
import type { Segment } from './segment.js';
import { traceLine } from './testing/trace.js';
import { SeededRandom } from './testing/random.js';
import { type PathFaults, Talker, VirtualNetwork } from './testing/virtual-network.js';
import { TcpEndpoint } from './tcp-endpoint.js';
import { TcpOptions } from './tcp-options.js';
import { TcpState } from './tcp-state.js';

/** Scenarios in CI; TCP_SCENARIOS makes it more, TCP_SEED starts elsewhere. */
const SCENARIOS = Number(process.env['TCP_SCENARIOS'] ?? 300);
const FIRST_SEED = Number(process.env['TCP_SEED'] ?? 1);

function randomFaults(random: SeededRandom): PathFaults {
  const isBad = random.chance(0.7);
  return {
    delayMs: random.pick([0, 1, 10, 50, 200]),
    jitterMs: isBad ? random.pick([0, 0, 1, 20]) : 0,
    loss: isBad ? random.pick([0, 0.001, 0.01, 0.05, 0.2]) : 0,
    duplication: isBad ? random.pick([0, 0, 0.01, 0.2]) : 0,
    reordering: isBad ? random.pick([0, 0, 0.02, 0.3]) : 0,
    reorderMs: random.pick([1, 10, 100]),
    bytesPerMs: random.pick([0, 0, 125, 1250, 12_500]),
    queueBytesMax: random.pick([10_000, 60_000, 1_000_000]),
    packetBytesMax: random.pick([Infinity, Infinity, Infinity, 9000, 1200]),
    marking: random.pick([0, 0, 0.05]),
  };
}

function randomSettings(network: VirtualNetwork, random: SeededRandom): void {
  for (const host of [network.client, network.server]) {
    const { settings } = host.context;
    settings.isSackOn = random.chance(0.8);
    settings.isTimestampsOn = random.chance(0.8);
    settings.isWindowScalingOn = random.chance(0.8);
    settings.ecn = random.pick([0, 1, 2] as const);
    settings.isFrtoOn = random.chance(0.8);
    settings.congestionControl = random.pick(CONGESTION_CONTROLS);
    // A cookie is read from the first segment behind the handshake: when that is late, the next one is reset. And a
    // copy of the last acknowledgement of a connection makes another one. Linux does the same.
    const { loss, jitterMs, reordering, duplication } = network.faults;
    settings.synCookies = loss + jitterMs + reordering + duplication > 0 ? 1 : 2;
    settings.mtuProbing = random.pick([1, 1, 2] as const);
    settings.receiveBytes = random.pick([2000, 20_000, 131_072]);
    settings.sendBytes = random.pick([1000, 16_384, 200_000]);
    host.mss = random.pick([200, 536, 1460, 8960, 65_483]);
  }
}

function randomOptions(network: VirtualNetwork, random: SeededRandom): TcpOptions {
  const options = new TcpOptions(network.client.context.settings);
  options.isNoDelay = random.chance(0.5);
  options.isCorked = random.chance(0.1);
  options.receiveBytes = random.pick([0, 0, 1500, 50_000]);
  options.sendBytes = random.pick([0, 0, 700, 50_000]);
  options.isKeepAlive = random.chance(0.2);
  return options;
}

/** Both sides send, shut down and close. Every byte arrives, and nothing is left behind. */
function runScenario(seed: number): void {
  if (process.env['TCP_LOG'] !== undefined) process.stderr.write(`seed ${seed} ${Date.now() % 1e7}\n`);
  const random = new SeededRandom(seed);
  const network = new VirtualNetwork(seed, randomFaults(random));
  randomSettings(network, random);
  const sizes = [0, 1, 500, 5000, 40_000, 200_000];
  const [up, down] = [random.pick(sizes), random.pick(sizes)];
  if (process.env['TCP_TRACE'] !== undefined) {
    const lines = (seg: Readonly<Segment>): void =>
      void process.stderr.write(`${network.nowMs.toFixed(1)} ${traceLine(seg)}\n`);
    network.client.onEmit = lines;
    network.server.onEmit = lines;
  }
  const listener = network.server.listen();
  const client = new Talker(
    network.client.connect(network.server, 40000, randomOptions(network, random)),
    up,
    seed,
    ~seed,
    random,
  );
  let server: Talker | null = null;
  if (up === 0) client.endpoint.applyOptions();
  // The reader sleeps at times, so that windows close.
  const laziness = random.pick([0, 0, 0.5, 0.95]);
  let isShut = false;
  const isDone = network.runUntil(() => {
    const { state } = client.endpoint;
    if (server === null) {
      const accepted = listener.accept();
      if (accepted instanceof TcpEndpoint) server = new Talker(accepted, down, ~seed, seed, random);
    }
    if (!random.chance(laziness)) {
      client.talk();
      server?.talk();
    }
    if (up === 0 && !isShut && state === TcpState.ESTABLISHED) {
      isShut = true;
      client.endpoint.shutdownWrite();
    }
    if (down === 0 && server !== null && server.receivedCount === up) server.endpoint.shutdownWrite();
    return client.isEnded && server !== null && server.isEnded;
  }, 36_000_000);
  const received = [server === null ? -1 : (server as Talker).receivedCount, client.receivedCount];
  if (!isDone && (client.error !== 0 || server === null || (server as Talker).error !== 0)) {
    // A path this bad may kill a connection, but never a byte.
    if (network.faults.loss >= 0.2) return;
  }
  expect({ seed, isDone, received }).toEqual({ seed, isDone: true, received: [up, down] });
  client.endpoint.close();
  (server as unknown as Talker).endpoint.close();
  network.run(1_000_000);
  for (const host of [network.client, network.server]) {
    for (const endpoint of host.endpoints) {
      expect({ seed, state: endpoint.state, atMs: endpoint.pollAtMs() }).toEqual({
        seed,
        state: TcpState.CLOSE,
        atMs: Infinity,
      });
      expect(endpoint.sender.queue.count + endpoint.sender.ring.capacityBytes).toBe(0);
    }
    expect(host.pollAtMs()).toBe(Infinity);
  }
}

describe('two endpoints over a bad path', () => {
  const batchLen = 100;
  for (let from = FIRST_SEED; from < FIRST_SEED + SCENARIOS; from += batchLen) {
    const to = Math.min(from + batchLen, FIRST_SEED + SCENARIOS);
    it(`seeds ${from} to ${to - 1}: streams arrive whole, and no timer is left`, () => {
      for (let seed = from; seed < to; seed++) runScenario(seed);
    }, 120_000);
  }
});
