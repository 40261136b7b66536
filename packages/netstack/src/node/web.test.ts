import { createServer as createHttpServer } from 'node:http';
import { Agent, fetch } from 'undici';
import { PipeLink } from '../link/pipe.js';
import { parsePrefix } from '../wire/ip-address.js';
import { StackDriver } from './driver.js';
import { connect, createServer } from './net.js';
import { connectWeb, undiciConnector } from './web.js';

/** Two stacks with a cable between them, driven by the event loop. */
function twoStacks() {
  const [near, far] = PipeLink.pair();
  const drivers = [StackDriver.create(), StackDriver.create()] as const;
  drivers[0].stack.addNic('eth0', near, { addresses: [parsePrefix('10.0.0.1/24')] });
  drivers[1].stack.addNic('eth0', far, { addresses: [parsePrefix('10.0.0.2/24')] });
  const close = (): void => drivers.forEach((driver) => driver.close());
  return { client: drivers[0].stack, server: drivers[1].stack, close };
}

describe('connectWeb', () => {
  it('moves bytes by web streams, and closes with the last of them', async () => {
    const { client, server, close } = twoStacks();
    const listener = createServer(server, (stream) => stream.pipe(stream)).listen({ port: 7 });
    const { readable, writable, closed } = await connectWeb(client, { host: '10.0.0.2', port: 7 });
    const sent = new Uint8Array(300_000).fill(7);
    const writer = writable.getWriter();
    const written = writer.write(sent).then(() => writer.close());
    let received = 0;
    for await (const chunk of readable) received += chunk.length;
    await written;
    await closed;
    expect(received).toBe(sent.length);
    listener.close();
    close();
  });

  it('rejects what is refused', async () => {
    const { client, close } = twoStacks();
    await expect(connectWeb(client, { host: '10.0.0.2', port: 9 })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    close();
  });
});

describe('undiciConnector', () => {
  it('makes fetch go through a stack', async () => {
    const { client, server, close } = twoStacks();
    const http = createHttpServer((request, response) => {
      response.end(`${request.method ?? ''} ${request.url ?? ''} of ${request.headers.host ?? ''}`);
    });
    const listener = createServer(server, (stream) => http.emit('connection', stream)).listen({ port: 80 });
    const resolve = (name: string) => Promise.resolve(name === 'web.test' ? ['10.0.0.1', '10.0.0.2'] : []);
    const dispatcher = new Agent({ connect: undiciConnector(client, { resolve }) as never });
    const get = async (url: string): Promise<string> => (await fetch(url, { dispatcher })).text();
    expect(await get('http://10.0.0.2/a')).toBe('GET /a of 10.0.0.2');
    expect(await get('http://web.test/b?c')).toBe('GET /b?c of web.test');
    await expect(get('http://none.test/')).rejects.toThrow('fetch failed');
    await dispatcher.close();
    http.closeAllConnections();
    listener.close();
    close();
  }, 60_000);

  it('leaves connections to the stack that made them', async () => {
    const { client, server, close } = twoStacks();
    const listener = createServer(server).listen({ port: 80 });
    const stream = connect(client, { host: '10.0.0.2', port: 80 });
    await new Promise((resolve) => stream.once('connect', resolve));
    expect([stream.remoteAddress, server.tcp.connections.count]).toEqual(['10.0.0.2', 1]);
    stream.destroy();
    listener.close();
    close();
  });
});
