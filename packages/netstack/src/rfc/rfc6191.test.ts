import { SHUT_WR } from '@tsv/abi';
import { ACK, FIN, SYN } from '../tcp/segment.js';
import { type Heard, TcpWire } from '../testing/tcp-wire.js';

/** Timestamp of the peer's last segment. */
const LAST = 5000;

/** A server whose side of a connection waits in TIME-WAIT, with timestamps or without. */
function waiting(hasTimestamps: boolean): TcpWire {
  const wire = new TcpWire((settings) => (settings.isTimestampsOn = true));
  const stamps = hasTimestamps ? { timestamps: [LAST, 0] as const } : {};
  wire.accept(stamps, stamps);
  wire.socket.shutdown(SHUT_WR);
  wire.say({ ack: 1, flags: FIN | ACK, ...stamps });
  wire.socket.close();
  wire.heard();
  return wire;
}

/** The peer calls again from the same port, with sequence number `seq`; whether a connection begins. */
function callAgain(wire: TcpWire, seq: number, timestamp?: number): string {
  const answers = wire.say({
    seq,
    flags: SYN,
    ...(timestamp !== undefined && { timestamps: [timestamp, 0] as const }),
  });
  return answers.map(({ flags }: Heard) => (flags & SYN ? 'begins' : 'stays')).join();
}

describe('RFC 6191 section 2, a SYN to a connection in TIME-WAIT', () => {
  it.each`
    was                     | is                                              | seq     | stamp        | becomes
    ${'with timestamps'}    | ${'a later timestamp'}                          | ${-500} | ${LAST + 1}  | ${'begins'}
    ${'with timestamps'}    | ${'the same timestamp and a later number'}      | ${500}  | ${LAST}      | ${'begins'}
    ${'with timestamps'}    | ${'the same timestamp and an earlier number'}   | ${-500} | ${LAST}      | ${'stays'}
    ${'with timestamps'}    | ${'an earlier timestamp and an earlier number'} | ${-500} | ${LAST - 1}  | ${'stays'}
    ${'with timestamps'}    | ${'no timestamp and a later number'}            | ${500}  | ${undefined} | ${'begins'}
    ${'with timestamps'}    | ${'no timestamp and an earlier number'}         | ${-500} | ${undefined} | ${'stays'}
    ${'without timestamps'} | ${'a later number'}                             | ${500}  | ${undefined} | ${'begins'}
    ${'without timestamps'} | ${'an earlier number'}                          | ${-500} | ${undefined} | ${'stays'}
  `('$was, then $is: the old one $becomes', ({ was, seq, stamp, becomes }: Row) => {
    expect(callAgain(waiting(was === 'with timestamps'), seq, stamp)).toBe(becomes);
  });

  interface Row {
    was: string;
    seq: number;
    stamp: number | undefined;
    becomes: string;
  }
});
