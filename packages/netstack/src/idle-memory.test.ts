import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { VirtualClock } from '@tsv/clock';
import { PipeLink } from './link/pipe.js';
import { SeededRandom } from './net/random.js';
import { TcpSocket } from './socket/tcp-socket.js';
import { Stack } from './stack.js';
import { IpAddress, parsePrefix } from './wire/ip-address.js';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

const CONNECTIONS = 4000;
/** With an allowance for the tables, which grow by doubling. */
const END_BYTES_MAX = 2500;

describe('memory of connections that have nothing to do', () => {
  it('is two kilobytes an end, with those that have moved text', () => {
    const clock = new VirtualClock(1000.5);
    const [client, server] = PipeLink.pair().map((link, i) => {
      const stack = new Stack({ clock, random: new SeededRandom(i), dadTransmits: 0 });
      stack.addNic('eth0', link, { addresses: [parsePrefix(`10.0.0.${i + 1}/24`)] });
      return stack;
    }) as [Stack, Stack];
    const listener = new TcpSocket(server, false);
    listener.bind(IpAddress.parse('0.0.0.0'), 80);
    listener.listen(16);
    const bytes = new Uint8Array(1000);
    const open = (): [TcpSocket, TcpSocket] => {
      const near = new TcpSocket(client, false);
      near.connect(IpAddress.parse('10.0.0.2'), 80);
      const far = listener.accept() as TcpSocket;
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        from.send(bytes, 0, bytes.length);
        clock.advance(50);
        for (const stack of [client, server]) stack.poll();
        to.receive(bytes, 0, bytes.length);
      }
      clock.advance(50);
      for (const stack of [client, server]) stack.poll();
      return [near, far];
    };
    const kept = Array.from({ length: 500 }, open);
    const used = (): number => {
      gc();
      const { heapUsed, external } = process.memoryUsage();
      return heapUsed + external;
    };
    const before = used();
    for (let i = 0; i < CONNECTIONS; i++) kept.push(open());
    const endBytes = (used() - before) / (2 * CONNECTIONS);
    expect(kept).toHaveLength(500 + CONNECTIONS);
    expect(endBytes).toBeLessThan(END_BYTES_MAX);
  }, 60_000);
});
