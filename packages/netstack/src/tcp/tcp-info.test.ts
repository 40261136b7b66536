import { TcpSocket } from '../socket/tcp-socket.js';
import { SEGMENT_BYTES, TcpWire } from '../testing/tcp-wire.js';
import { ACK, ECE, CWR, SYN } from './segment.js';
import { TcpState } from './tcp-state.js';

const MICROS = 1000;

describe('TCP_INFO, where the time goes', () => {
  it('counts none without text to send', () => {
    const wire = new TcpWire().connect();
    wire.pass(1000);
    const { tcpi_busy_time, tcpi_rwnd_limited, tcpi_sndbuf_limited } = wire.info();
    expect([tcpi_busy_time, tcpi_rwnd_limited, tcpi_sndbuf_limited]).toEqual([0, 0, 0]);
  });

  it('is busy until all is acknowledged', () => {
    const wire = new TcpWire().connect();
    wire.write('hello');
    wire.pass(30);
    wire.ack(5);
    wire.pass(1000);
    expect(wire.info().tcpi_busy_time).toBe(30 * MICROS);
  });

  it('counts the time in which the window of the peer is too small', () => {
    const wire = new TcpWire();
    wire.window = 2 * SEGMENT_BYTES;
    wire.connect();
    wire.write(4 * SEGMENT_BYTES);
    wire.pass(40);
    const { tcpi_busy_time, tcpi_rwnd_limited } = wire.info();
    expect([tcpi_busy_time, tcpi_rwnd_limited]).toEqual([40 * MICROS, 40 * MICROS]);
  });

  it('counts the time in which the send buffer is', () => {
    const wire = new TcpWire((settings) => (settings.sendBytes = settings.sendBytesMax = 2 * SEGMENT_BYTES)).connect();
    wire.write(2 * SEGMENT_BYTES);
    wire.pass(50);
    const { tcpi_rwnd_limited, tcpi_sndbuf_limited } = wire.info();
    expect([tcpi_rwnd_limited, tcpi_sndbuf_limited]).toEqual([0, 50 * MICROS]);
  });
});

describe('TCP_INFO, what was delivered', () => {
  it('tells what the peer has, and what of it met congestion', () => {
    const wire = new TcpWire((settings) => (settings.ecn = 1)).connect({ flags: SYN | ACK | ECE });
    wire.write(3 * SEGMENT_BYTES);
    wire.ack(SEGMENT_BYTES);
    wire.ack(3 * SEGMENT_BYTES, [], { flags: ACK | ECE });
    const { tcpi_delivered, tcpi_delivered_ce } = wire.info();
    expect([tcpi_delivered, tcpi_delivered_ce]).toEqual([3, 2]);
  });

  it('asks for ECN as the test thinks', () => {
    expect(new TcpWire((settings) => (settings.ecn = 1)).call().flags).toBe(SYN | ECE | CWR);
  });
});

describe('TCP_INFO of a listening socket', () => {
  it('tells how many wait to be accepted, and how many may', () => {
    const wire = new TcpWire();
    wire.beCalled();
    wire.say({ seq: 0, ack: 0 });
    const { tcpi_state, tcpi_unacked, tcpi_sacked } = wire.socket.info!;
    expect([tcpi_state, tcpi_unacked, tcpi_sacked]).toEqual([TcpState.LISTEN, 1, 4]);
  });

  it('tells nothing of a socket without a peer', () => {
    const { stack } = new TcpWire();
    expect(new TcpSocket(stack, false).info).toBeNull();
  });
});

describe('TCP_CC_INFO', () => {
  it('tells the model of BBR', () => {
    const wire = new TcpWire((settings) => (settings.congestionControl = 'bbr')).connect();
    for (let i = 1; i <= 8; i++) {
      wire.write(SEGMENT_BYTES);
      wire.pass(100);
      wire.ack(i * SEGMENT_BYTES);
    }
    const { model } = wire.socket.endpoint!.sender.cc;
    expect([model!.minRttMs, model!.bandwidthBytesPerMs]).toEqual([100, 10]);
  });

  it('has nothing to tell of others', () => {
    expect(new TcpWire().connect().socket.endpoint!.sender.cc.model).toBeNull();
  });
});
