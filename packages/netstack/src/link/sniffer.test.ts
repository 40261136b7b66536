import { VirtualClock } from '@tsv/clock';
import { LINKTYPE_RAW, PcapngWriter } from './pcapng.js';
import { PipeLink } from './pipe.js';
import { PcapngObserver, Sniffer } from './sniffer.js';
import { SeededRandom } from '../net/random.js';
import { SocketAddress } from '../socket/socket-address.js';
import { UdpSocket } from '../socket/udp-socket.js';
import { Stack } from '../stack.js';
import { IpAddress, parsePrefix } from '../wire/ip-address.js';

const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE = 1;
const PACKET = 6;
/** 2023-11-14 22:13:20.123 UTC. */
const EPOCH_MS = 1_700_000_000_123;

describe('Sniffer with PcapngWriter, draft-ietf-opsawg-pcapng', () => {
  it('writes a section, an interface, and each packet with direction and time', () => {
    const clock = new VirtualClock(0, EPOCH_MS);
    const blocks: DataView[] = [];
    const writer = new PcapngWriter((block) => blocks.push(new DataView(block.buffer)));
    const [near, far] = PipeLink.pair();
    const sniffer = new Sniffer(near, new PcapngObserver(writer, clock, 'eth0', near, 40));
    const [a, b] = [1, 2].map((seed) => new Stack({ clock, random: new SeededRandom(seed) })) as [Stack, Stack];
    a.addNic('eth0', sniffer, { addresses: [parsePrefix('10.0.0.1/24')] });
    b.addNic('eth0', far, { addresses: [parsePrefix('10.0.0.2/24')] });
    blocks.splice(2);
    new UdpSocket(a, false).send(
      new Uint8Array(50).fill(0xab),
      0,
      50,
      new SocketAddress(IpAddress.parse('10.0.0.2'), 9),
    );
    const types = blocks.map((block) => block.getUint32(0, true));
    expect(types).toEqual([SECTION_HEADER, INTERFACE, PACKET, PACKET]);
    for (const block of blocks) {
      expect(block.byteLength % 4).toBe(0);
      expect([block.getUint32(4, true), block.getUint32(block.byteLength - 4, true)]).toEqual([
        block.byteLength,
        block.byteLength,
      ]);
    }
    const [section, nic, sent, answer] = blocks as [DataView, DataView, DataView, DataView];
    expect(section.getUint32(8, true)).toBe(0x1a2b3c4d);
    expect([nic.getUint16(8, true), nic.getUint32(12, true)]).toEqual([LINKTYPE_RAW, 40]);
    const microseconds = sent.getUint32(12, true) * 2 ** 32 + sent.getUint32(16, true);
    expect(microseconds).toBe(EPOCH_MS * 1000);
    expect([sent.getUint32(20, true), sent.getUint32(24, true)]).toEqual([40, 78]);
    expect([sent.getUint8(28), sent.getUint8(28 + 9), sent.getUint8(28 + 39)]).toEqual([0x45, 17, 0xab]);
    expect([flagsOf(sent), flagsOf(answer)]).toEqual([2, 1]);
  });
});

function flagsOf(block: DataView): number {
  return block.getUint32(block.byteLength - 12, true);
}
