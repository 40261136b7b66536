import { MtuProber } from './mtu-prober.js';
import { Conversation } from './testing/conversation.js';
import { SeededRandom } from './testing/random.js';
import { VirtualNetwork } from './testing/virtual-network.js';

const TEXT_BYTES = 5_000_000;

/** Sends over a path that swallows packets above `packetBytesMax`, and returns the segment size at the end. */
function mssAfterTransfer(packetBytesMax: number, mtuProbing: 0 | 1 | 2): number {
  const network = new VirtualNetwork(4821, { packetBytesMax });
  network.client.context.settings.mtuProbing = mtuProbing;
  network.client.mss = 8960;
  network.server.mss = 8960;
  const conversation = new Conversation(network, TEXT_BYTES, 0, new SeededRandom(1));
  const isDone = network.runUntil(() => {
    conversation.talk();
    return conversation.isOver;
  }, 600_000);
  return isDone ? conversation.client.endpoint.sender.mssBytes : 0;
}

describe('MtuProber, RFC 4821', () => {
  it.each`
    what                                                      | packetBytesMax | mode | least   | most
    ${'off: a black hole stops everything'}                   | ${1500}        | ${0} | ${0}    | ${0}
    ${'section 7.7: a black hole is found, then the largest'} | ${1480}        | ${1} | ${1430} | ${1448}
    ${'from the start: a clear path is used whole'}           | ${Infinity}    | ${2} | ${8948} | ${8948}
    ${'from the start: a narrow one as far as it goes'}       | ${4000}        | ${2} | ${3950} | ${3968}
    ${'narrower than where the search starts'}                | ${600}         | ${1} | ${200}  | ${568}
  `('$what', ({ packetBytesMax, mode, least, most }) => {
    const mss = mssAfterTransfer(packetBytesMax as number, mode as 0 | 1 | 2);
    expect(mss).toBeGreaterThanOrEqual(least as number);
    expect(mss).toBeLessThanOrEqual(most as number);
  });

  it('looks again after ten minutes: section 7.6.1', () => {
    const prober = new MtuProber();
    prober.mode = 2;
    prober.setCeiling(8000);
    const next = (nowMs: number): number => prober.nextProbe(1e6, 1e6, 1e6, 1000, nowMs);
    prober.probeBytes = next(0);
    while (prober.probeBytes > 0) {
      if (prober.probeBytes > 3000) prober.onLost();
      else prober.onDelivered();
      prober.probeBytes = next(0);
    }
    expect(next(599_999)).toBe(0);
    expect(next(600_000)).toBe(0);
    expect(next(600_001)).toBe(8000);
  });
});
