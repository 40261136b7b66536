import type { TcpInfo } from '@tsv/abi';
import { VirtualClock } from '@tsv/clock';
import { PacketBuffer } from '../buffer/packet-buffer.js';
import { ChannelLink } from '../link/channel.js';
import { SeededRandom } from '../net/random.js';
import { TcpSocket } from '../socket/tcp-socket.js';
import { Stack } from '../stack.js';
import { ACK, NO_FAST_OPEN, NO_WINDOW_SHIFT, Segment, SYN } from '../tcp/segment.js';
import { tcpInfo } from '../tcp/tcp-info.js';
import type { TcpSettings } from '../tcp/tcp-settings.js';
import { bytesOf, seg, type SegFields, textOf } from '../tcp/testing/seg.js';
import { encodeSegment, parseSegment, segmentHeaderBytes, segmentPseudoSum, tcpChecksumIsRight } from '../tcp/wire.js';
import { IpAddress, parsePrefix } from '../wire/ip-address.js';
import { ipv4 } from './packets.js';
import { passTime } from './pass-time.js';

const LOCAL = IpAddress.parse('10.0.0.1');
const PEER = IpAddress.parse('10.0.0.2');
const PEER_PORT = 80;
const IPV4_HEADER_BYTES = 20;
const IPPROTO_TCP = 6;
/** First sequence number of the peer. */
export const PEER_ISS = 0x7fff_f000;
/** Text of a full segment: the MTU is chosen so that it is a round number. */
export const SEGMENT_BYTES = 1000;
const MTU = SEGMENT_BYTES + 40;

/** A segment that the stack has sent. Sequence numbers count from the first byte of text of either side. */
export interface Heard {
  /** Milliseconds since the bench was made. */
  readonly atMs: number;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly window: number;
  readonly text: string;
  readonly len: number;
  /** ECN field of the IP header. */
  readonly ecn: number;
  readonly isDontFragment: boolean;
  /** The packet, from the IP header on. */
  readonly packet: Uint8Array;
  readonly mss: number;
  /** -1 if there is no such option. */
  readonly windowShift: number;
  readonly isSackPermitted: boolean;
  /** [tsVal, tsEcr], null if there is no such option. */
  readonly timestamps: readonly [number, number] | null;
  readonly sacks: readonly (readonly [number, number])[];
  /** Null if there is no such option; empty asks for one. */
  readonly cookie: readonly number[] | null;
}

/**
 * A stack on virtual time with one TCP connection, and a peer that is the test: it reads and writes packets of IPv4.
 * Its segments have the fields that the test names; sequence numbers count as those of {@link Heard}.
 */
export class TcpWire {
  readonly clock = new VirtualClock(10_000);
  readonly link: ChannelLink;
  readonly stack: Stack;
  socket: TcpSocket;
  /** Ports of the connection, from the side of the stack. */
  localPort = 0;
  peerPort = PEER_PORT;
  /** What the peer's segments offer, unless they say otherwise. */
  window = 65_535;
  #iss = 0;

  /** Options are off unless `configure` turns them on; congestion control is Reno's. */
  constructor(configure: (settings: TcpSettings) => void = () => undefined, mtu = MTU) {
    this.link = new ChannelLink({ mtu });
    this.stack = new Stack({ clock: this.clock, random: new SeededRandom(1), dadTransmits: 0 });
    this.stack.addNic('eth0', this.link, { addresses: [parsePrefix('10.0.0.1/24')] });
    const { settings } = this.stack.tcp.context;
    settings.isTimestampsOn = settings.isSackOn = settings.isWindowScalingOn = false;
    settings.ecn = settings.mtuProbing = 0;
    settings.congestionControl = 'reno';
    settings.sendBytes = settings.sendBytesMax = 1_000_000;
    configure(settings);
    this.socket = new TcpSocket(this.stack, false);
    this.heard();
  }

  /** Milliseconds since the bench was made. */
  get nowMs(): number {
    return this.clock.monotonicMs() - 10_000;
  }

  /** The stack calls the peer; returns its SYN. */
  call(): Heard {
    this.socket.connect(PEER, PEER_PORT);
    const [syn] = this.heard();
    return syn!;
  }

  /** The peer answers the SYN, with these options of its own. */
  answerCall(fields: SegFields = {}): Heard[] {
    return this.say({ seq: -1, ack: 0, flags: SYN | ACK, mss: SEGMENT_BYTES, ...fields });
  }

  /** The stack has called, the peer answered `rttMs` later, and the handshake is over. */
  connect(syn: SegFields = {}, rttMs = 100): this {
    this.call();
    this.pass(rttMs);
    this.answerCall(syn);
    return this;
  }

  /** The stack listens at port 80, the peer calls from 5000; returns what the SYN is answered with. */
  beCalled(syn: SegFields = {}, prepare: (listener: TcpSocket) => void = () => undefined): Heard {
    prepare(this.socket);
    this.socket.bind(LOCAL, PEER_PORT);
    this.socket.listen(4);
    this.localPort = PEER_PORT;
    this.peerPort = 5000;
    const [answer] = this.say({ seq: -1, flags: SYN, mss: SEGMENT_BYTES, ...syn });
    return answer!;
  }

  /** As {@link TcpWire.beCalled}; the peer acknowledges, and the connection takes the place of the listening socket. */
  accept(syn: SegFields = {}, ack: SegFields = {}): this {
    this.beCalled(syn);
    this.say({ seq: 0, ack: 0, ...ack });
    const accepted = this.socket.accept();
    if (typeof accepted === 'number') throw new Error(`TcpWire.accept: errno ${-accepted}`);
    this.socket = accepted;
    return this;
  }

  /** The application writes that much text, or that many bytes; returns what goes out at once. */
  write(text: string | number): Heard[] {
    const bytes = typeof text === 'number' ? new Uint8Array(text).fill(120) : bytesOf(text);
    const count = this.socket.send(bytes, 0, bytes.length);
    if (count !== bytes.length) throw new Error(`TcpWire.write: ${count} of ${bytes.length} bytes`);
    return this.heard();
  }

  /** What the application can read now. */
  read(): string {
    const dst = new Uint8Array(100_000);
    const count = this.socket.receive(dst, 0, dst.length);
    return count < 0 ? `errno ${-count}` : String.fromCharCode(...dst.subarray(0, count));
  }

  /** The peer sends a segment, an acknowledgement if it does not say otherwise; returns what is answered at once. */
  say(fields: SegFields, ip: { readonly src?: string; readonly ecn?: number } = {}): Heard[] {
    return this.inject(this.packetOf(fields, ip));
  }

  /** The packet that {@link TcpWire.say} would send. */
  packetOf(fields: SegFields, ip: { readonly src?: string; readonly ecn?: number } = {}): number[] {
    const { seq = 0, ack = 0, flags = ACK, sacks = [], ...rest } = fields;
    const ours = (n: number): number => this.#iss + 1 + n;
    const segment = seg({
      window: this.window,
      ...rest,
      flags,
      seq: PEER_ISS + 1 + seq,
      ack: flags & ACK ? ours(ack) : 0,
      sacks: sacks.map(([from, to]) => [ours(from), ours(to)] as const),
    });
    segment.src = ip.src === undefined ? PEER : IpAddress.parse(ip.src);
    segment.dst = LOCAL;
    segment.srcPort = this.peerPort;
    segment.dstPort = this.localPort;
    const bytes = new Uint8Array(segmentHeaderBytes(segment) + segment.textLen);
    encodeSegment(segment, bytes, 0, segmentPseudoSum(segment, bytes.length, new Uint8Array(32)));
    return ipv4({ src: ip.src ?? '10.0.0.2', protocol: IPPROTO_TCP, tos: ip.ecn ?? 0 }, ...bytes);
  }

  /** The peer has all text before `count`, and the `sacks` beyond. */
  ack(count: number, sacks: readonly (readonly [number, number])[] = [], fields: SegFields = {}): Heard[] {
    return this.say({ ack: count, sacks, ...fields });
  }

  /** TCP_INFO of the connection. */
  info(): TcpInfo {
    return tcpInfo(this.socket.endpoint!, this.clock.monotonicMs());
  }

  /** A packet of any kind comes in. */
  inject(packet: readonly number[]): Heard[] {
    this.link.inject(PacketBuffer.copyOf(Uint8Array.from(packet)));
    return this.heard();
  }

  /** Lets time pass, with all timers; returns what is sent meanwhile. */
  pass(durationMs: number): Heard[] {
    return passTime(this.stack, this.clock, durationMs, () => this.heard());
  }

  /** What the stack has sent since the last look. */
  heard(): Heard[] {
    const heard: Heard[] = [];
    for (let packet = this.link.read(); packet !== null; packet = this.link.read()) {
      const bytes = packet.bytes.slice(packet.at, packet.end);
      packet.release();
      if (bytes[9] === IPPROTO_TCP) heard.push(this.#parse(bytes));
    }
    return heard;
  }

  #parse(packet: Uint8Array): Heard {
    const segment = new Segment();
    segment.src = IpAddress.fromBytes(packet, 12, 4);
    segment.dst = IpAddress.fromBytes(packet, 16, 4);
    const len = packet.length - IPV4_HEADER_BYTES;
    const sum = segmentPseudoSum(segment, len, new Uint8Array(32));
    if (!tcpChecksumIsRight(packet, IPV4_HEADER_BYTES, len, sum)) throw new Error('TcpWire: a wrong checksum');
    parseSegment(segment, packet, IPV4_HEADER_BYTES, len);
    if (segment.flags & SYN) {
      this.#iss = segment.seq;
      this.localPort = segment.srcPort;
    }
    return {
      atMs: this.nowMs,
      seq: (segment.seq - this.#iss - 1) | 0,
      ack: segment.flags & ACK ? (segment.ack - PEER_ISS - 1) | 0 : 0,
      flags: segment.flags,
      window: segment.window,
      get text(): string {
        return textOf(segment);
      },
      len: segment.textLen,
      ecn: packet[1]! & 3,
      isDontFragment: (packet[6]! & 0x40) !== 0,
      packet,
      ...optionsOf(segment),
    };
  }
}

function optionsOf(segment: Readonly<Segment>) {
  return {
    mss: segment.mss,
    windowShift: segment.windowShift === NO_WINDOW_SHIFT ? -1 : segment.windowShift,
    isSackPermitted: segment.isSackPermitted,
    timestamps: segment.hasTimestamps ? ([segment.tsVal, segment.tsEcr] as const) : null,
    sacks: Array.from(
      { length: segment.sackCount },
      (_, i) =>
        [segment.sackStarts[i]!, segment.sackEnds[i]!].map((end) => (end - PEER_ISS - 1) | 0) as [number, number],
    ),
    cookie: segment.fastOpenLen === NO_FAST_OPEN ? null : [...segment.fastOpenCookie.subarray(0, segment.fastOpenLen)],
  };
}

/** Numbers of the segments with text that were sent, 0 the first of the connection. */
export function numbers(heard: readonly Heard[]): number[] {
  return heard.filter(({ len }) => len > 0).map(({ seq }) => seq / SEGMENT_BYTES);
}

/** Times of the segments that were sent. */
export function times(heard: readonly Heard[]): number[] {
  return heard.map(({ atMs }) => Math.round(atMs));
}
