import fc from 'fast-check';
import { VirtualClock } from '@tsv/clock';
import { SeededRandom } from '../net/random.js';
import { SocketAddress } from '../socket/socket-address.js';
import { TcpSocket } from '../socket/tcp-socket.js';
import { UdpSocket } from '../socket/udp-socket.js';
import { Stack } from '../stack.js';
import { parseLinkAddress } from '../wire/ethernet.js';
import { IpAddress, parsePrefix } from '../wire/ip-address.js';
import { describeFrame, TextObserver } from './packet-text.js';
import { PipeLink } from './pipe.js';
import { Sniffer } from './sniffer.js';

describe('TextObserver', () => {
  it('tells what passes by', () => {
    const clock = new VirtualClock(1500);
    const lines: string[] = [];
    const linkAddresses = [1, 2].map((n) => parseLinkAddress(`02:00:00:00:00:0${n}`)) as [Uint8Array, Uint8Array];
    const [near, far] = PipeLink.pair({ linkAddresses });
    const [a, b] = [1, 2].map((n) => new Stack({ clock, random: new SeededRandom(n), dadTransmits: 0 })) as [
      Stack,
      Stack,
    ];
    const observer = new TextObserver(clock, near, (line) => lines.push(line));
    a.addNic('eth0', new Sniffer(near, observer), { addresses: ['10.0.0.1/24', 'fd00::1/64'].map(parsePrefix) });
    b.addNic('eth0', far, { addresses: ['10.0.0.2/24', 'fd00::2/64'].map(parsePrefix) });
    const server = new TcpSocket(b, false);
    server.bind(IpAddress.parse('0.0.0.0'), 80);
    server.listen(1);
    lines.length = 0;
    new TcpSocket(a, false).connect(IpAddress.parse('10.0.0.2'), 80);
    new UdpSocket(a, false).send(new Uint8Array(5), 0, 5, new SocketAddress(IpAddress.parse('10.0.0.2'), 53));
    new UdpSocket(a, true).send(new Uint8Array(3000), 0, 3000, new SocketAddress(IpAddress.parse('fd00::2'), 53));
    const told = lines.map((line) =>
      line.replace(/\b(10.0.0.1|fd00::1)\.\d+/g, '$1.PORT').replace(/(seq|ack|TS) \d+( \d+)?/g, '$1 N'),
    );
    expect(told.slice(0, 5)).toEqual([
      '1.500000 > ARP who-has 10.0.0.2 tell 10.0.0.1',
      '1.500000 < ARP 10.0.0.2 is-at 02:00:00:00:00:02',
      expect.stringMatching(
        /^1.500000 > IP 10.0.0.1.PORT > 10.0.0.2.80: Flags \[S\], seq N, win \d+, mss 1460, wscale \d+, sackOK, TS N, length 0$/,
      ),
      expect.stringMatching(/^1.500000 < IP 10.0.0.2.80 > 10.0.0.1.PORT: Flags \[S\.\], seq N, ack N, win /),
      expect.stringMatching(/Flags \[\.\].* length 0$/),
    ]);
    expect(told).toContain('1.500000 > IP 10.0.0.1.PORT > 10.0.0.2.53: UDP, length 5');
    expect(told).toContainEqual(expect.stringMatching(/< IP 10.0.0.2 > 10.0.0.1: ICMP type 3 code 3, length \d+$/));
    expect(told).toContainEqual(expect.stringMatching(/> IP6 fd00::1 > fd00::2: protocol 44, length \d+$/));
  });

  it('has words for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.constantFrom(0, 14), (bytes, linkBytes) => {
        expect(describeFrame(bytes, 0, bytes.length, linkBytes)).toMatch(/./);
      }),
    );
  });
});
