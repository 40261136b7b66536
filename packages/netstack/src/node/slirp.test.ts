import * as dgram from 'node:dgram';
import { once } from 'node:events';
import * as net from 'node:net';
import { text } from 'node:stream/consumers';
import { EAGAIN, POLLIN } from '@tsv/abi';
import { StackDriver } from './driver.js';
import { connect, createServer } from './net.js';
import { HostNat, HostUpstream, type HostNatOptions } from './slirp.js';
import { ReadyEntry } from './ready-entry.js';
import { PipeLink } from '../link/pipe.js';
import { DnsForwarder } from '../policy/dns-forwarder.js';
import { DNS_TYPE_A, makeQuery, parseQuestion } from '../policy/dns-message.js';
import { framedMessage } from '../policy/dns-stream.js';
import { EgressPolicy } from '../policy/egress-policy.js';
import { SocketAddress } from '../socket/socket-address.js';
import { UdpSocket } from '../socket/udp-socket.js';
import { IpAddress, parsePrefix } from '../wire/ip-address.js';
import { IPPROTO_TCP } from '../wire/protocol.js';

describe('HostNat, with sockets of the host on its loopback interface', () => {
  const closers: (() => void)[] = [];
  afterEach(() => {
    for (const close of closers.splice(0)) close();
  });

  /** A stack whose only way out is a HostNat that takes everything to 127.0.0.1. */
  function guest(destination?: HostNatOptions['destination']): { driver: StackDriver; nat: HostNat } {
    const driver = StackDriver.create();
    const [inner, outer] = PipeLink.pair({
      linkAddresses: [Uint8Array.of(2, 0, 0, 0, 0, 1), Uint8Array.of(2, 0, 0, 0, 0, 2)],
    });
    const nic = driver.stack.addNic('eth0', inner, { addresses: [parsePrefix('10.0.2.15/24')] });
    const gateway = IpAddress.parse('10.0.2.2');
    driver.stack.routes.add({ destination: parsePrefix('0.0.0.0/0'), nicId: nic.id, gateway });
    const toLoopback = (_protocol: number, _address: IpAddress, port: number) => ({ host: '127.0.0.1', port });
    const nat = new HostNat(outer, {
      addresses: [parsePrefix('10.0.2.2/24')],
      destination: destination ?? toLoopback,
    });
    closers.push(
      () => nat.close(),
      () => driver.close(),
    );
    return { driver, nat };
  }

  async function hostServer(onConnection: (socket: net.Socket) => void): Promise<number> {
    const server = net.createServer({ allowHalfOpen: true }, onConnection).listen(0, '127.0.0.1');
    await once(server, 'listening');
    closers.push(() => server.close());
    return (server.address() as net.AddressInfo).port;
  }

  it('draws its random numbers from the source that it is given', () => {
    const [, link] = PipeLink.pair({ linkAddresses: [new Uint8Array(6), new Uint8Array(6)] });
    const fill = jest.fn((bytes: Uint8Array) => bytes.fill(7));
    const nat = new HostNat(link, { addresses: [parsePrefix('10.0.2.2/24')], random: { fill } });
    closers.push(() => nat.close());
    expect(fill).toHaveBeenCalled();
  });

  it('takes TCP connections to any address to the host, half-closed ones too', async () => {
    const { driver, nat } = guest();
    const port = await hostServer((socket) => {
      let count = 0;
      socket.on('data', (chunk: Buffer) => (count += chunk.length));
      socket.on('end', () => socket.end(`${count} bytes`));
    });
    const streams = ['192.0.2.1', '192.0.2.2', '192.0.2.1'].map((host) => {
      const stream = connect(driver.stack, { host, port, allowHalfOpen: true });
      stream.end('x'.repeat(300_000));
      return stream;
    });
    expect(await Promise.all(streams.map((stream) => text(stream)))).toEqual(Array(3).fill('300000 bytes'));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(nat.flowCount).toBe(0);
  });

  it('refuses what the host refuses', async () => {
    const { driver } = guest();
    const port = await hostServer(() => undefined);
    closers.pop()!();
    const stream = connect(driver.stack, { host: '192.0.2.1', port });
    const [error] = (await once(stream, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');
  });

  it('passes a reset of the host on', async () => {
    const { driver } = guest();
    const port = await hostServer((socket) => void socket.once('data', () => socket.resetAndDestroy()));
    const stream = connect(driver.stack, { host: '192.0.2.1', port });
    stream.on('data', () => undefined).write('x');
    const [error] = (await once(stream, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNRESET');
  });

  it('does not let the guest reach the host itself, by default', async () => {
    const asked: number[] = [];
    const { driver, nat } = guest((protocol) => {
      asked.push(protocol);
      return null;
    });
    const [error] = (await once(connect(driver.stack, { host: '10.0.2.2', port: 1 }), 'error')) as [
      NodeJS.ErrnoException,
    ];
    expect([error.code, asked, nat.flowCount]).toEqual(['ECONNREFUSED', [IPPROTO_TCP], 0]);
    for (const host of ['10.0.2.2', '169.254.169.254']) {
      const [inner, outer] = PipeLink.pair();
      const closed = new HostNat(outer, { addresses: [parsePrefix('10.0.2.2/24')] });
      const other = StackDriver.create();
      closers.push(
        () => closed.close(),
        () => other.close(),
      );
      const nic = other.stack.addNic('eth0', inner, { addresses: [parsePrefix('10.0.2.15/24')] });
      other.stack.routes.add({ destination: parsePrefix('0.0.0.0/0'), nicId: nic.id });
      const [refused] = (await once(connect(other.stack, { host, port: 80 }), 'error')) as [NodeJS.ErrnoException];
      expect(refused.code).toBe('ECONNREFUSED');
    }
  });

  it('takes datagrams there and back', async () => {
    const { driver, nat } = guest();
    const server = dgram.createSocket('udp4', (message, { port, address }) =>
      server.send(`<${String(message)}>`, port, address),
    );
    server.bind(0, '127.0.0.1');
    await once(server, 'listening');
    closers.push(() => server.close());
    const socket = new UdpSocket(driver.stack, false);
    const got = new Promise<string>((resolve) => {
      const entry = new ReadyEntry(() => {
        const [buffer, from] = [Buffer.alloc(100), new SocketAddress()];
        const len = socket.receive(buffer, 0, 100, 0, from, null);
        if (len !== -EAGAIN) resolve(`${String(from.address)} ${buffer.toString('utf8', 0, len)}`);
      });
      socket.waiters.add(entry, POLLIN);
    });
    socket.send(Buffer.from('ping'), 0, 4, new SocketAddress(IpAddress.parse('192.0.2.7'), server.address().port));
    expect([await got, nat.flowCount]).toEqual(['192.0.2.7 <ping>', 1]);
  });

  it('asks the DNS server of the host over TCP when the guest asks so', async () => {
    const { driver, nat } = guest();
    // The answer is the question with more behind it than a datagram may have, and comes in two pieces.
    const port = await hostServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.on('data', (frame) => {
        const [answer, length] = [Buffer.concat([frame.subarray(2), Buffer.alloc(5000)]), Buffer.alloc(2)];
        answer[2]! |= 0x80;
        length.writeUInt16BE(answer.length);
        socket.write(Buffer.concat([length, answer.subarray(0, 100)]));
        setTimeout(() => socket.write(answer.subarray(100)), 20);
      });
    });
    const policy = new EgressPolicy(nat.stack, { onFlow: () => ({ action: 'allow' }) });
    const upstream = new HostUpstream({ host: '127.0.0.1', port });
    const forwarder = new DnsForwarder(nat.stack, IpAddress.parse('10.0.2.2'), policy, upstream);
    closers.push(() => forwarder.close());
    const stream = connect(driver.stack, { host: '10.0.2.2', port: 53 });
    stream.write(framedMessage(makeQuery(0x1234, 'a.test', DNS_TYPE_A)!));
    const chunks: Buffer[] = [];
    for await (const chunk of stream) {
      chunks.push(chunk as Buffer);
      if (Buffer.concat(chunks).length >= 5000) break;
    }
    const response = Buffer.concat(chunks);
    expect([response.readUInt16BE(0), response.readUInt16BE(2)]).toEqual([response.length - 2, 0x1234]);
    expect(parseQuestion(response.subarray(2))?.name).toBe('a.test');
  });

  it('forwards a port of the host', async () => {
    const { driver, nat } = guest();
    const server = createServer(driver.stack, (stream) => void stream.end('from inside')).listen({ port: 80 });
    const { port } = await nat.forwardPort({ host: '127.0.0.1', port: 0 }, { host: '10.0.2.15', port: 80 });
    expect(await text(net.connect(port, '127.0.0.1'))).toBe('from inside');
    server.close();
  });
});
