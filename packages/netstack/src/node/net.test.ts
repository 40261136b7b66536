import { once } from 'node:events';
import * as http from 'node:http';
import { text } from 'node:stream/consumers';
import { connect, createServer, StackDriver, type TcpStream } from './net.js';
import { PipeLink } from '../link/pipe.js';
import type { Stack } from '../stack.js';
import { parsePrefix } from '../wire/ip-address.js';

describe('net adapter, on the event loop', () => {
  let drivers: StackDriver[] = [];
  let stacks: [Stack, Stack];

  beforeEach(() => {
    drivers = [StackDriver.create(), StackDriver.create()];
    stacks = [drivers[0]!.stack, drivers[1]!.stack];
    const [near, far] = PipeLink.pair();
    stacks[0].addNic('eth0', near, { addresses: [parsePrefix('10.0.0.1/24')] });
    stacks[1].addNic('eth0', far, { addresses: [parsePrefix('10.0.0.2/24')] });
  });

  afterEach(() => {
    for (const driver of drivers) driver.close();
  });

  it('echoes a megabyte', async () => {
    const server = createServer(stacks[1], (stream) => void stream.pipe(stream)).listen({ port: 7 });
    const client = connect(stacks[0], { host: '10.0.0.2', port: 7 });
    const sent = 'abcdefgh'.repeat(131_072);
    client.end(sent);
    expect((await text(client)) === sent).toBe(true);
    server.close();
  });

  it('fails as net does', async () => {
    const client = connect(stacks[0], { host: '10.0.0.2', port: 8 });
    const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');
    const [unrouted] = (await once(connect(stacks[0], { host: '192.0.2.1', port: 8 }), 'error')) as [
      NodeJS.ErrnoException,
    ];
    expect(unrouted.code).toBe('ENETUNREACH');
    expect(() => createServer(stacks[0]).listen({ host: '10.9.9.9', port: 1 })).toThrow('EADDRNOTAVAIL');
  });

  it('carries HTTP between a server and a client of Node', async () => {
    const web = http.createServer((request, response) => response.end(`you asked for ${request.url}`));
    const server = createServer(stacks[1], (stream) => void web.emit('connection', stream)).listen({ port: 80 });
    const request = http.get('http://10.0.0.2/index.html', {
      createConnection: () => connect(stacks[0], { host: '10.0.0.2', port: 80 }),
    });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    expect([response.statusCode, await text(response)]).toEqual([200, 'you asked for /index.html']);
    server.close();
  });

  it('tells addresses', async () => {
    const server = createServer(stacks[1]).listen({ port: 0 });
    const { port } = server.address()!;
    const accepted = once(server, 'connection') as Promise<[TcpStream]>;
    const client = connect(stacks[0], { host: '10.0.0.2', port });
    const [stream] = await accepted;
    expect([stream.remoteAddress, stream.remotePort]).toEqual([client.localAddress, client.localPort]);
    stream.destroy();
    client.destroy();
    server.close();
  });
});
