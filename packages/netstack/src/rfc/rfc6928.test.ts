import { numbers, SEGMENT_BYTES, TcpWire } from '../testing/tcp-wire.js';

const S = SEGMENT_BYTES;

describe('RFC 6928 section 2, the initial window', () => {
  it('is ten segments', () => {
    expect(numbers(new TcpWire().connect().write(50 * S))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('is ten segments of the side that was called, too', () => {
    expect(numbers(new TcpWire().accept().write(50 * S))).toHaveLength(10);
  });

  it('counts segments as large as the peer takes', () => {
    const sent = new TcpWire().connect({ mss: 500 }).write(50 * S);
    expect(sent.map(({ len }) => len)).toEqual(new Array<number>(10).fill(500));
  });

  it('is one segment after a lost SYN or SYN-ACK', () => {
    const wire = new TcpWire();
    wire.beCalled();
    wire.pass(1_500);
    wire.say({ seq: 0, ack: 0 });
    const accepted = wire.socket.accept();
    if (typeof accepted !== 'number') wire.socket = accepted;
    expect(numbers(wire.write(20 * S))).toEqual([0]);
  });
});
