import { IpAddress } from '../../wire/ip-address.js';
import type { TcpOptions } from '../tcp-options.js';
import { ACK, FIN, RST, type Segment, type SegmentSink, SYN } from '../segment.js';
import { TcpEndpoint } from '../tcp-endpoint.js';
import { TcpContext, type TcpSettings } from '../tcp-settings.js';
import { TcpState } from '../tcp-state.js';
import { SeededRandom } from './random.js';
import { bytesOf, fieldsOf, seg, type SegFields } from './seg.js';

/** Sequence numbers of the fixtures: what we send next, and what the peer does, once the handshake is over. */
export const LOCAL_SEQ = 10_001;
export const REMOTE_SEQ = 20_001;
/** Window that the fixtures' peer offers, and that they offer. */
export const REMOTE_WINDOW = 4000;
export const LOCAL_WINDOW = 6000;
export const MSS = 1000;
const LOCAL = IpAddress.parse('10.0.0.1');
const REMOTE = IpAddress.parse('10.0.0.2');

/** One endpoint, whose peer is the test. Options are off unless a fixture turns them on. */
export class Script implements SegmentSink {
  readonly context = new TcpContext(new SeededRandom(1));
  readonly endpoint: TcpEndpoint;
  nowMs = 0;
  #sent: SegFields[] = [];

  constructor(
    configure: (settings: TcpSettings) => void = () => undefined,
    setOptions: (o: TcpOptions) => void = () => undefined,
  ) {
    const { settings } = this.context;
    settings.isTimestampsOn = false;
    settings.isSackOn = false;
    settings.isWindowScalingOn = false;
    settings.ecn = 0;
    settings.congestionControl = 'reno';
    settings.receiveBytes = LOCAL_WINDOW;
    settings.receiveBytesMax = LOCAL_WINDOW;
    settings.sendBytes = 100_000;
    configure(settings);
    this.endpoint = new TcpEndpoint(this.context, LOCAL, 1000, REMOTE, 80, MSS);
    setOptions(this.endpoint.options);
    this.endpoint.applyOptions();
  }

  emit(segment: Segment): void {
    this.#sent.push(fieldsOf(segment));
  }

  /** The peer sends; what the endpoint answers at once is recorded. */
  send(segment: Segment): void {
    segment.src = REMOTE;
    segment.dst = LOCAL;
    segment.srcPort = 80;
    segment.dstPort = 1000;
    this.endpoint.input(segment, this.nowMs);
    this.output();
  }

  output(): void {
    if (this.endpoint.pollAtMs() <= this.nowMs) this.endpoint.output(this.nowMs, this);
  }

  /** Lets time pass, with all timers. */
  pass(durationMs: number): void {
    const untilMs = this.nowMs + durationMs;
    for (;;) {
      const atMs = this.endpoint.pollAtMs();
      if (atMs > untilMs) break;
      this.nowMs = Math.max(this.nowMs, atMs);
      this.endpoint.output(this.nowMs, this);
    }
    this.nowMs = untilMs;
  }

  /** The application writes. */
  write(text: string): void {
    expect(this.endpoint.send(bytesOf(text))).toBe(text.length);
    this.output();
  }

  /** What has been sent since the last look. */
  takeSent(): SegFields[] {
    const sent = this.#sent;
    this.#sent = [];
    return sent;
  }

  /** Exactly these segments were sent since the last look. The window is compared only where it is given. */
  expectSent(expected: SegFields[]): void {
    const sent = this.takeSent();
    const wanted = expected.map((fields, i) => ({
      ...fieldsOf(seg(fields)),
      window: fields.window ?? sent[i]?.window ?? 0,
    }));
    expect(sent).toEqual(wanted);
  }

  get state(): string {
    return Object.entries(TcpState).find(([, value]) => value === this.endpoint.state)![0];
  }

  /** What the application can read now. */
  read(lenMax = 100_000): string {
    const dst = new Uint8Array(lenMax);
    const count = this.endpoint.recv(dst);
    this.output();
    return count < 0 ? `error ${count}` : String.fromCharCode(...dst.subarray(0, count));
  }
}

type Configure = (settings: TcpSettings) => void;
type SetOptions = (options: TcpOptions) => void;

/** SYN-SENT: our SYN is out. */
export function socketSynSent(configure?: Configure, setOptions?: SetOptions): Script {
  const script = new Script(configure, setOptions);
  script.endpoint.connect(LOCAL_SEQ - 1, 0, script.nowMs);
  script.output();
  script.takeSent();
  return script;
}

/** SYN-RECEIVED: of a simultaneous open. */
export function socketSynReceived(): Script {
  const script = socketSynSent();
  script.send(seg({ seq: REMOTE_SEQ - 1, flags: SYN, window: REMOTE_WINDOW, mss: MSS }));
  script.takeSent();
  return script;
}

/** ESTABLISHED. `syn`: options that the peer's SYN has. */
export function socketEstablished(configure?: Configure, setOptions?: SetOptions, syn: SegFields = {}): Script {
  const script = socketSynSent(configure, setOptions);
  script.send(seg({ seq: REMOTE_SEQ - 1, ack: LOCAL_SEQ, flags: SYN | ACK, window: REMOTE_WINDOW, mss: MSS, ...syn }));
  script.takeSent();
  return script;
}

/** FIN-WAIT-1: we have closed first, unacknowledged. */
export function socketFinWait1(): Script {
  const script = socketEstablished();
  script.endpoint.shutdownWrite();
  script.output();
  script.takeSent();
  return script;
}

/** FIN-WAIT-2: our FIN is acknowledged. */
export function socketFinWait2(): Script {
  const script = socketFinWait1();
  script.send(seg({ seq: REMOTE_SEQ, ack: LOCAL_SEQ + 1, flags: ACK, window: REMOTE_WINDOW }));
  return script;
}

/** CLOSING: both FINs have crossed. */
export function socketClosing(): Script {
  const script = socketFinWait1();
  script.send(seg({ seq: REMOTE_SEQ, ack: LOCAL_SEQ, flags: FIN | ACK, window: REMOTE_WINDOW }));
  script.takeSent();
  return script;
}

/** TIME-WAIT. */
export function socketTimeWait(): Script {
  const script = socketFinWait2();
  script.send(seg({ seq: REMOTE_SEQ, ack: LOCAL_SEQ + 1, flags: FIN | ACK, window: REMOTE_WINDOW }));
  script.takeSent();
  return script;
}

/** CLOSE-WAIT: the peer has closed. */
export function socketCloseWait(): Script {
  const script = socketEstablished();
  script.send(seg({ seq: REMOTE_SEQ, ack: LOCAL_SEQ, flags: FIN | ACK, window: REMOTE_WINDOW }));
  script.takeSent();
  return script;
}

/** LAST-ACK: we have closed too. */
export function socketLastAck(): Script {
  const script = socketCloseWait();
  script.endpoint.shutdownWrite();
  script.output();
  script.takeSent();
  return script;
}

/** A reset of the peer. */
export function reset(seq: number): Segment {
  return seg({ seq, flags: RST });
}
