import { CONGESTION_CONTROLS } from './congestion/registry.js';
import type { Segment } from './segment.js';
import { traceLine } from './testing/trace.js';
import { SeededRandom } from './testing/random.js';
import { Conversation } from './testing/conversation.js';
import { type PathFaults, type VirtualHost, VirtualNetwork } from './testing/virtual-network.js';
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
    settings.synCookies = isClean(network.faults) ? 2 : 1;
    settings.mtuProbing = random.pick([1, 1, 2] as const);
    settings.receiveBytes = random.pick([2000, 20_000, 131_072]);
    settings.sendBytes = random.pick([1000, 16_384, 200_000]);
    host.mss = random.pick([200, 536, 1460, 8960, 65_483]);
  }
}

/** Whether packets arrive once, in order, and all. */
function isClean(faults: PathFaults): boolean {
  const { loss, jitterMs, reordering, duplication, packetBytesMax, bytesPerMs } = faults;
  return loss + jitterMs + reordering + duplication + bytesPerMs === 0 && packetBytesMax === Infinity;
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

/**
 * Small segments on a path that loses every fifth may take a day: where acknowledgements are lost, timestamps tell round trips
 * of minutes (RFC 7323 section 5.3, R2 before R3), and the timeout follows.
 */
const LONGEST_MS = 360_000_000;

/** Both sides send, shut down and close. Every byte arrives, and nothing is left behind. */
function runScenario(seed: number): void {
  const random = new SeededRandom(seed);
  const network = new VirtualNetwork(seed, randomFaults(random));
  randomSettings(network, random);
  if (process.env['TCP_TRACE'] !== undefined) trace(network);
  const sizes = [0, 1, 500, 5000, 40_000, 200_000];
  const [up, down] = [random.pick(sizes), random.pick(sizes)];
  const conversation = new Conversation(network, up, down, random, randomOptions(network, random));
  // The applications sleep at times, so that windows close.
  const laziness = random.pick([0, 0, 0.5, 0.95]);
  const isDone = network.runUntil(() => {
    if (!random.chance(laziness)) conversation.talk();
    return conversation.isOver;
  }, LONGEST_MS);
  // A path this bad may kill a connection, but never a byte.
  const mayBreak = network.faults.loss >= 0.2;
  if (!isDone && mayBreak && conversation.isBroken) return;
  expect({ seed, isDone, received: conversation.received }).toEqual({ seed, isDone: true, received: [up, down] });
  conversation.close();
  network.run(1_000_000);
  for (const host of [network.client, network.server]) expectNothingLeft(host, seed);
}

function expectNothingLeft(host: VirtualHost, seed: number): void {
  for (const { state, sender } of host.endpoints) {
    expect({ seed, state, count: sender.queue.count, bytes: sender.ring.capacityBytes }).toEqual({
      seed,
      state: TcpState.CLOSE,
      count: 0,
      bytes: 0,
    });
  }
  expect({ seed, atMs: host.pollAtMs() }).toEqual({ seed, atMs: Infinity });
}

function trace(network: VirtualNetwork): void {
  const print = (seg: Readonly<Segment>): void => {
    process.stderr.write(`${network.nowMs.toFixed(1)} ${traceLine(seg)}\n`);
  };
  network.client.onEmit = print;
  network.server.onEmit = print;
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
