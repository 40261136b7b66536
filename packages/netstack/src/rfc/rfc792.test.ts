import { IP_RECVERR, SOL_IP } from '@tsv/abi';
import { UdpSocket } from '../socket/udp-socket.js';
import { Bench, icmp4, internetSum, ipv4, udp } from '../testing/packets.js';
import { IpAddress } from '../wire/ip-address.js';

const ICMP = 1;
const PORT = 5353;

/** A socket that has sent a datagram, and the packet that went out. */
function asked(recvErr = false) {
  const bench = new Bench();
  const socket = new UdpSocket(bench.stack, false);
  socket.bind(IpAddress.parse('0.0.0.0'), PORT);
  if (recvErr) socket.setOption(SOL_IP, IP_RECVERR, 1);
  socket.connect(IpAddress.parse('10.0.0.2'), 9, 0);
  socket.send(new Uint8Array(4), 0, 4, null);
  const [packet] = bench.sent();
  const told = (
    type: number,
    code: number,
    rest: number[] = [0, 0, 0, 0],
    quote = [...packet!.subarray(0, 28)],
  ): number => {
    bench.answers(ipv4({ src: '10.0.0.254', protocol: ICMP }, ...icmp4(type, code, ...rest, ...quote)));
    return socket.takeError();
  };
  return { bench, socket, packet: packet!, told };
}

describe('RFC 792, errors that come in, as Linux hands them to a connected socket', () => {
  it.each([
    ['network', 0, 101],
    ['host', 1, 113],
    ['protocol', 2, 92],
    ['port', 3, 111],
    ['administratively prohibited', 13, 113],
  ])('destination unreachable, %s', (_what, code, errno) => {
    expect(asked(true).told(3, code)).toBe(-errno);
  });

  it('time exceeded and parameter problem', () => {
    expect([asked(true).told(11, 0), asked(true).told(12, 0, [20, 0, 0, 0])]).toEqual([-113, -71]);
  });

  it('of those only port unreachable is told who did not ask for errors (IP_RECVERR)', () => {
    expect([asked().told(3, 1), asked().told(11, 0), asked().told(3, 3)]).toEqual([0, 0, -111]);
  });

  it.each([
    ['a packet of another source', (quote: number[]) => quote.splice(12, 4, 10, 0, 0, 77)],
    ['a packet to another destination', (quote: number[]) => quote.splice(16, 4, 10, 0, 0, 77)],
    ['another port of ours', (quote: number[]) => quote.splice(20, 2, 1, 1)],
    ['a later fragment', (quote: number[]) => quote.splice(6, 2, 0, 9)],
  ])('one about %s is ignored: nobody here has sent it', (_what, spoil) => {
    const { packet, told } = asked(true);
    const quote = [...packet.subarray(0, 28)];
    spoil(quote);
    expect(told(3, 3, [0, 0, 0, 0], quote)).toBe(0);
  });

  it('one that quotes less than header and eight bytes is ignored', () => {
    const { packet, told } = asked(true);
    expect(told(3, 3, [0, 0, 0, 0], [...packet.subarray(0, 27)])).toBe(0);
  });

  it('one with a wrong checksum is ignored', () => {
    const { bench, socket, packet } = asked(true);
    const message = icmp4(3, 3, 0, 0, 0, 0, ...packet.subarray(0, 28));
    message[2] = message[2]! ^ 1;
    bench.answers(ipv4({ protocol: ICMP }, ...message));
    expect(socket.takeError()).toBe(0);
  });
});

describe('RFC 792, messages that go out', () => {
  const LOST = udp(5000, 9999, 1, 2, 3, 4, 5, 6, 7, 8);

  it('an error has type, code, checksum, the header and the start of the packet', () => {
    const packet = ipv4({}, ...LOST);
    const [error] = new Bench().answers(packet);
    const message = [...error!.subarray(20)];
    expect([message.slice(0, 2), internetSum(message), message.slice(8)]).toEqual([[3, 3], 0, packet]);
  });

  it('it goes to the source of the packet', () => {
    const [error] = new Bench().answers(ipv4({ src: '10.0.0.9' }, ...LOST));
    expect([...error!.subarray(12, 20)]).toEqual([10, 0, 0, 1, 10, 0, 0, 9]);
  });

  it('an echo is answered with identifier, sequence number and data, source and destination exchanged', () => {
    const echo = icmp4(8, 0, 1, 2, 3, 4, 5, 6, 7);
    const [reply] = new Bench().answers(ipv4({ protocol: ICMP }, ...echo));
    const message = [...reply!.subarray(20)];
    expect([message[0], internetSum(message), message.slice(4)]).toEqual([0, 0, echo.slice(4)]);
    expect([...reply!.subarray(12, 20)]).toEqual([10, 0, 0, 1, 10, 0, 0, 2]);
  });

  it.each([
    ['an echo reply', icmp4(0, 0, 0, 1, 0, 1)],
    ['a message of an unknown type', icmp4(99, 0, 0, 0, 0, 0)],
    ['an echo with a wrong checksum', icmp4(8, 0, 0, 1, 0, 1).map((byte, i) => (i === 3 ? byte ^ 1 : byte))],
    ['less than a header', [8, 0, 0xf7]],
  ])('%s is not answered', (_what, message) => {
    expect(new Bench().answers(ipv4({ protocol: ICMP }, ...message))).toEqual([]);
  });

  it('a bad option is told with a pointer to it', () => {
    const packet = ipv4({}, ...LOST);
    // Record route with a length that goes beyond the header.
    packet.splice(20, 0, 7, 9, 4, 0);
    packet[0] = 0x46;
    packet[3] = packet.length;
    packet.splice(10, 2, 0, 0);
    const sum = internetSum(packet.slice(0, 24));
    packet.splice(10, 2, sum >> 8, sum & 255);
    const [error] = new Bench().answers(packet);
    expect([error![20], error![21], error![24]! >= 20]).toEqual([12, 0, true]);
  });
});
