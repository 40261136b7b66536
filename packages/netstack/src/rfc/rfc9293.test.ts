import {
  ECONNREFUSED,
  ENETUNREACH,
  IP_TOS,
  IP_TTL,
  MSG_OOB,
  SO_KEEPALIVE,
  SO_OOBINLINE,
  SOL_IP,
  SOL_SOCKET,
  SOL_TCP,
  TCP_KEEPIDLE,
} from '@tsv/abi';
import { VirtualClock } from '@tsv/clock';
import { SeededRandom } from '../net/random.js';
import { TcpSocket } from '../socket/tcp-socket.js';
import { Stack } from '../stack.js';
import { ACK, PSH, SYN, URG } from '../tcp/segment.js';
import { bytesOf } from '../tcp/testing/seg.js';
import { icmp4, internetSum, ipv4, u16 } from '../testing/packets.js';
import { type Heard, SEGMENT_BYTES, TcpWire } from '../testing/tcp-wire.js';
import { IpAddress, parsePrefix } from '../wire/ip-address.js';

const LOCAL = IpAddress.parse('10.0.0.1');
const PEER = IpAddress.parse('10.0.0.2');
const OTHER = IpAddress.parse('10.0.0.9');
const HEADER_AT = 20;
const OPTIONS_AT = HEADER_AT + 20;
const EOL = 0;
const NOP = 1;
const MSS = [2, 4, ...u16(700)];
const ICMP = 1;

/** The bytes of the options of a segment. */
function optionsOf({ packet }: Heard): number[] {
  return [...packet.subarray(OPTIONS_AT, HEADER_AT + (packet[HEADER_AT + 12]! >> 4) * 4)];
}

/** `packet` with other options in its TCP header, and the right lengths and checksums. */
function withOptions(packet: readonly number[], options: readonly number[]): number[] {
  const header = packet.slice(HEADER_AT, OPTIONS_AT);
  const text = packet.slice(HEADER_AT + (header[12]! >> 4) * 4);
  header[12] = (5 + options.length / 4) << 4;
  header.splice(16, 2, 0, 0);
  const segment = [...header, ...options, ...text];
  segment.splice(16, 2, ...u16(internetSum([...pseudoHeader(packet, segment.length), ...segment])));
  return ipv4({ src: '10.0.0.2', protocol: 6 }, ...segment);
}

function pseudoHeader(packet: readonly number[], len: number): number[] {
  return [...packet.slice(12, 20), 0, 6, ...u16(len)];
}

function srcOf({ packet }: Heard): string {
  return packet.subarray(12, 16).join('.');
}

function withSecondAddress(wire = new TcpWire()): TcpWire {
  wire.stack.nic(2)!.addAddress(parsePrefix('10.0.0.9/24'));
  return wire;
}

describe('RFC 9293 section 3.1, the header', () => {
  it('MUST-1: the window is a number without a sign', () => {
    expect(new TcpWire().connect().info().tcpi_snd_wnd).toBe(65_535);
  });

  it('MUST-2: the checksum is computed', () => {
    const wire = new TcpWire();
    const heard = [wire.call(), ...wire.answerCall(), ...wire.write('hello')];
    wire.socket.shutdown(1);
    const sums = [...heard, ...wire.heard()].map(({ packet }) => {
      const segment = [...packet.subarray(HEADER_AT)];
      return internetSum([...pseudoHeader([...packet], segment.length), ...segment]);
    });
    expect(sums).toEqual([0, 0, 0, 0]);
  });

  it('MUST-3: and checked', () => {
    const wire = new TcpWire().connect();
    const packet = wire.packetOf({ text: 'hello' });
    packet[HEADER_AT + 16] = packet[HEADER_AT + 16]! ^ 1;
    wire.inject(packet);
    expect([wire.read(), wire.stack.tcp.context.counters.InErrs]).toEqual(['errno 11', 1]);
  });

  it.each([
    ['MUST-4: end of list, no-operation and MSS are known', [NOP, NOP, ...MSS, EOL, 0]],
    ['MUST-64: options may begin anywhere', [NOP, ...MSS, NOP, NOP, NOP]],
    ['MUST-6: an unknown option is skipped', [253, 4, 1, 2, ...MSS]],
  ])('%s', (_what, options) => {
    const wire = new TcpWire();
    wire.call();
    wire.inject(withOptions(wire.packetOf({ seq: -1, ack: 0, flags: SYN | ACK }), options));
    expect(wire.info().tcpi_snd_mss).toBe(700);
  });

  it('MUST-5: any segment may have options', () => {
    const wire = new TcpWire().connect();
    wire.inject(withOptions(wire.packetOf({ text: 'hello' }), MSS));
    expect(wire.read()).toBe('hello');
  });

  it('MUST-65: MSS is sent in SYNs only', () => {
    const wire = new TcpWire();
    const syn = wire.call();
    const others = [...wire.answerCall(), ...wire.write('hello')];
    expect([syn.mss > 0, ...others.map(({ mss }) => mss)]).toEqual([true, 0, 0]);
  });

  it('MUST-68, MUST-69: all options but end of list and no-operation have their length, and what follows is 0', () => {
    const wire = new TcpWire((settings) => {
      settings.isTimestampsOn = settings.isSackOn = settings.isWindowScalingOn = true;
    });
    const options = optionsOf(wire.call());
    let at = 0;
    while (at < options.length && options[at] !== EOL) at += options[at] === NOP ? 1 : options[at + 1]!;
    expect([options.length % 4, options.slice(at).every((byte) => byte === 0)]).toEqual([0, true]);
    expect(at).toBeLessThanOrEqual(options.length);
  });
});

describe('RFC 9293 section 3.4.1, initial sequence numbers', () => {
  it('MUST-9: nobody can compute them from others who does not know the secret of the stack', () => {
    const differences = [1, 2].map((seed) => {
      const stack = new Stack({ clock: new VirtualClock(0), random: new SeededRandom(seed) });
      const [a, b] = [5000, 5001].map((port) => stack.tcp.isns.isn(LOCAL, port, PEER, 80, 0));
      return (a! - b!) | 0;
    });
    expect(differences[0]).not.toBe(differences[1]);
  });
});

describe('RFC 9293 section 3.8, moving text', () => {
  it("MUST-18: Karn's algorithm: no round trip is measured by a segment that was sent again", () => {
    const wire = new TcpWire().connect();
    const before = wire.info().tcpi_rtt;
    wire.write('hello');
    wire.pass(5_000);
    wire.ack(5);
    expect(wire.info().tcpi_rtt).toBe(before);
  });

  it('MUST-19: slow start, and half of it after a loss', () => {
    const wire = new TcpWire().connect();
    const sent = wire.write(100 * SEGMENT_BYTES).length;
    wire.pass(50);
    wire.ack(sent * SEGMENT_BYTES);
    expect([sent, wire.info().tcpi_snd_cwnd]).toEqual([10, 20]);
    wire.pass(5_000);
    expect([wire.info().tcpi_snd_cwnd, wire.info().tcpi_snd_ssthresh]).toEqual([1, 10]);
  });

  it('MUST-58: what comes together is acknowledged together', () => {
    const wire = new TcpWire().connect();
    wire.stack.enter();
    for (const seq of [0, 1]) wire.say({ seq: seq * SEGMENT_BYTES, text: 'x'.repeat(SEGMENT_BYTES) });
    wire.stack.leave();
    expect(wire.heard().map(({ ack }) => ack)).toEqual([2 * SEGMENT_BYTES]);
  });

  it('MUST-59: what waits beyond a gap is looked at before the acknowledgement that closes it', () => {
    const wire = new TcpWire().connect();
    wire.say({ seq: 5, text: ' world' });
    expect(wire.say({ text: 'hello' }).map(({ ack }) => ack)).toEqual([11]);
  });

  it('MUST-27: the time without traffic before a keepalive can be set', () => {
    const wire = new TcpWire();
    wire.socket.setOption(SOL_SOCKET, SO_KEEPALIVE, 1);
    wire.socket.setOption(SOL_TCP, TCP_KEEPIDLE, 10);
    wire.connect();
    expect([wire.pass(9_999).length, wire.pass(1).length]).toEqual([0, 1]);
  });
});

describe('RFC 9293 section 3.8.5, urgent text', () => {
  it('MUST-62: the pointer is to the byte behind it', () => {
    const wire = new TcpWire().connect();
    wire.socket.send(bytesOf('abc'), 0, 3, MSG_OOB);
    const [{ packet, flags }] = wire.heard() as [Heard];
    const pointer = packet[HEADER_AT + 18]! * 256 + packet[HEADER_AT + 19]!;
    expect([flags & URG, pointer]).toEqual([URG, 3]);
  });

  it('MUST-33: the application can learn whether more of it is to be read', () => {
    const wire = new TcpWire();
    wire.socket.setOption(SOL_SOCKET, SO_OOBINLINE, 1);
    wire.connect().say({ text: 'abc', flags: ACK | PSH | URG, urgentPointer: 3 });
    const { receiver } = wire.socket.endpoint!;
    const before = receiver.isAtMark;
    expect([before, wire.read(), receiver.isAtMark]).toEqual([false, 'ab', true]);
  });
});

describe('RFC 9293 section 3.9.1, user calls', () => {
  it('MUST-41: a passive open does not disturb connections of the same port', () => {
    const wire = new TcpWire().accept();
    const second = new TcpSocket(wire.stack, false);
    second.bind(LOCAL, 81);
    second.listen(1);
    wire.say({ text: 'hello' });
    expect(wire.read()).toBe('hello');
  });

  it('MUST-42: several may listen at a port, each at an address of its own', () => {
    const wire = withSecondAddress();
    const listeners = [LOCAL, OTHER].map((address) => {
      const socket = new TcpSocket(wire.stack, false);
      expect([socket.bind(address, 80), socket.listen(1)]).toEqual([0, 0]);
      return socket;
    });
    wire.socket = listeners[0]!;
    wire.localPort = 80;
    wire.peerPort = 5000;
    const [answer] = wire.say({ seq: -1, flags: SYN });
    wire.say({ seq: 0, ack: 0 });
    expect([answer!.flags, ...listeners.map(({ acceptCount }) => acceptCount)]).toEqual([SYN | ACK, 1, 0]);
  });

  it('MUST-43: the local address can be chosen', () => {
    const wire = withSecondAddress();
    wire.socket.bind(OTHER, 0);
    expect(srcOf(wire.call())).toBe('10.0.0.9');
  });

  it('MUST-44, MUST-45: or is chosen by IP, and stays what it was', () => {
    const wire = new TcpWire();
    const syn = wire.call();
    wire.answerCall();
    withSecondAddress(wire);
    expect([syn, ...wire.write('hello')].map(srcOf)).toEqual(['10.0.0.1', '10.0.0.1']);
  });

  it.each(['224.0.0.1', '255.255.255.255'])('MUST-46: an open to %s is refused', (address) => {
    const wire = new TcpWire();
    expect([wire.socket.connect(IpAddress.parse(address), 80), wire.heard()]).toEqual([-ENETUNREACH, []]);
  });

  it('MUST-47: errors are told', () => {
    const wire = new TcpWire();
    const { packet } = wire.call();
    wire.inject(ipv4({ src: '10.0.0.2', protocol: ICMP }, ...icmp4(3, 3, 0, 0, 0, 0, ...packet.subarray(0, 28))));
    expect(wire.socket.takeError()).toBe(-ECONNREFUSED);
  });

  it('MUST-48, MUST-49: differentiated services and TTL can be set', () => {
    const wire = new TcpWire();
    wire.socket.setOption(SOL_IP, IP_TOS, 0x28);
    wire.socket.setOption(SOL_IP, IP_TTL, 9);
    const { packet } = wire.call();
    expect([packet[1]! & 0xfc, packet[8]]).toEqual([0x28, 9]);
  });
});

describe('RFC 9293 section 3.9.2, the layer below', () => {
  it('MUST-50: options of IP that it does not know are ignored', () => {
    const wire = new TcpWire().connect();
    const plain = wire.packetOf({ text: 'hello' });
    const header = plain.slice(0, HEADER_AT);
    header[0] = 0x46;
    header.splice(2, 2, ...u16(plain.length + 4));
    header.splice(10, 2, 0, 0);
    // An experimental option, RFC 4727.
    const whole = [...header, 30, 4, 0, 0];
    whole.splice(10, 2, ...u16(internetSum(whole)));
    wire.inject([...whole, ...plain.slice(HEADER_AT)]);
    expect(wire.read()).toBe('hello');
  });

  it('MUST-54, MUST-55: errors of ICMP are heeded, source quench is not', () => {
    const wire = new TcpWire().connect();
    const [{ packet }] = wire.write(SEGMENT_BYTES) as [Heard];
    const before = wire.info();
    wire.inject(ipv4({ src: '10.0.0.2', protocol: ICMP }, ...icmp4(4, 0, 0, 0, 0, 0, ...packet.subarray(0, 28))));
    const { tcpi_snd_cwnd, tcpi_state } = wire.info();
    expect([tcpi_snd_cwnd, tcpi_state]).toEqual([before.tcpi_snd_cwnd, before.tcpi_state]);
  });

  it.each(['10.0.0.255', '255.255.255.255', '224.0.0.1'])('MUST-57: a SYN to %s is silently dropped', (dst) => {
    const wire = new TcpWire();
    wire.beCalled();
    expect(wire.inject(calling('10.0.0.2', dst))).toEqual([]);
  });

  it.each(['10.0.0.255', '255.255.255.255', '224.0.0.1', '127.0.0.1'])(
    'MUST-63: a SYN from %s is silently dropped',
    (src) => {
      const wire = new TcpWire();
      wire.beCalled();
      expect(wire.inject(calling(src, '10.0.0.1'))).toEqual([]);
    },
  );

  /** A SYN to port 80. */
  function calling(src: string, dst: string): number[] {
    const header = [...u16(6000), ...u16(80), 0, 0, 0, 1, 0, 0, 0, 0, 0x50, SYN, ...u16(1000), 0, 0, 0, 0];
    const addresses = [src, dst].flatMap((text) => text.split('.').map(Number));
    header.splice(16, 2, ...u16(internetSum([...addresses, 0, 6, ...u16(header.length), ...header])));
    return ipv4({ src, dst, protocol: 6 }, ...header);
  }
});
