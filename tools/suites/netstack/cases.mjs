// What the stack does with Linux and its programs. A case makes its own cable and takes it away again.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  IpAddress,
  parsePrefix,
  PcapngObserver,
  PcapngWriter,
  PipeLink,
  SocketAddress,
  Sniffer,
  UdpSocket,
} from '@tsv/netstack';
import { createServer, StackDriver } from '@tsv/netstack/net';
import { WaitEntry } from '@tsv/waiter';
import { BadWeather, numbers } from './bad-weather.mjs';
import { serveIperf3 } from './iperf3-server.mjs';
import { connectLinux, ip, sysctl } from './link-to-linux.mjs';
import { NAME_AND_LOGIN } from './name-and-login.mjs';

const POLLIN = 1;
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const RA_SENDER = fileURLToPath(new URL('./send-ra.py', import.meta.url));
const LOSS = 0.05;
/** What a path without a name takes, and what a frame around it has more. */
const BLACK_HOLE_MTU = 1280;
const ETHERNET_BYTES = 14;
const COMMAND_TIMEOUT_MS = 150_000;

/** What goes over a link, for tshark. */
class Capture {
  #blocks = [];
  #writer = new PcapngWriter((bytes) => this.#blocks.push(bytes.slice()));

  around(link, driver) {
    return new Sniffer(link, new PcapngObserver(this.#writer, driver.stack.clock, 'eth0', link));
  }

  /** Asserts that no packet matches a display filter. Returns how many packets there are. */
  async check(scratch, filter) {
    const file = join(scratch, 'capture.pcapng');
    writeFileSync(file, Buffer.concat(this.#blocks));
    // Streams are not put together: what is sent again in other pieces is no malformed packet.
    const tshark = (...args) =>
      run('tshark', ['-r', file, '-o', 'tcp.desegment_tcp_streams:FALSE', ...args], { maxBuffer: 1 << 26 });
    const { stdout: count } = await tshark('-T', 'fields', '-e', 'frame.number');
    const { stdout: bad } = await tshark('-Y', filter);
    assert.equal(bad, '');
    return count.trim().split('\n').length;
  }
}

/** iperf3 of Linux to the stack, and from it; the bits per second that came, which are of more than `bytesMin` bytes. */
async function iperf3(stack, host, bytesMin) {
  serveIperf3(stack);
  const rates = [];
  for (const direction of [[], ['-R']]) {
    const { stdout } = await run('iperf3', ['-c', host, '-t', '1', '-J', ...direction], { maxBuffer: 1 << 24 });
    const { sum_received: received } = JSON.parse(stdout).end;
    assert.ok(received.bytes > bytesMin, `${received.bytes} bytes`);
    rates.push(received.bits_per_second);
  }
  return rates;
}

/** Runs a program of Linux; one that hangs is killed, and its case has failed. */
function run(file, args, options = {}) {
  return promisify(execFile)(file, args, { timeout: COMMAND_TIMEOUT_MS, killSignal: 'SIGKILL', ...options });
}

/** Runs `body` with a cable of that kind, and takes it away. */
async function withCable(kind, options, body) {
  const cable = connectLinux(kind, options);
  const scratch = mkdtempSync(join(tmpdir(), 'tsv-netstack-'));
  try {
    return await body(cable, scratch);
  } finally {
    cable.close();
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** An HTTP server of Node's over the stack: gives out bytes on GET, and the sum of what it gets on PUT. */
function serveHttp(stack, body) {
  const http = createHttpServer((request, response) => {
    if (request.method === 'GET') return response.end(body);
    const hash = createHash('sha256');
    request.on('data', (chunk) => hash.update(chunk)).on('end', () => response.end(hash.digest('hex')));
  });
  createServer(stack, (stream) => http.emit('connection', stream)).listen({ port: 80 });
}

const sumOf = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** Downloads and uploads with curl, and compares what arrives. */
async function exchange({ stack, ours4, ours6 }, scratch, len, hosts = [ours4, `[${ours6}]`]) {
  const body = Buffer.from(Uint8Array.from({ length: len }, (_, i) => (i * 31 + (i >> 8)) & 0xff));
  serveHttp(stack, body);
  const [upload, download] = [join(scratch, 'up'), join(scratch, 'down')];
  writeFileSync(upload, body);
  for (const host of hosts) {
    await run('curl', ['-sS', '--max-time', '120', '-o', download, `http://${host}/`]);
    assert.equal(sumOf(readFileSync(download)), sumOf(body), `download from ${host}`);
    const { stdout } = await run('curl', ['-sS', '--max-time', '120', '-T', upload, `http://${host}/`]);
    assert.equal(stdout, sumOf(body), `upload to ${host}`);
  }
}

const pings = ['tap', 'veth', 'tun'].map((kind) => ({
  name: `ping over ${kind}`,
  needs: ['ping'],
  run: () =>
    withCable(kind, {}, async ({ ours4, ours6 }) => {
      for (const [host, bytes] of [
        [ours4, 56],
        [ours6, 56],
        [ours4, 4000],
        [ours6, 4000],
      ]) {
        const { stdout } = await run('ping', ['-n', '-c', '3', '-i', '0.2', '-W', '10', '-s', String(bytes), host]);
        assert.match(stdout, /3 received/);
      }
    }),
}));

const curls = ['tap', 'veth', 'tun'].map((kind) => ({
  name: `curl down and up over ${kind}`,
  needs: ['curl'],
  run: () => withCable(kind, {}, (cable, scratch) => exchange(cable, scratch, 5_000_000)),
}));

/** The code block of that language in a README. */
function exampleIn(readme, language) {
  return new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'm').exec(readFileSync(readme, 'utf8'))[1];
}

export const CASES = [
  {
    name: "the README's web server, asked by curl over a TAP",
    needs: ['curl'],
    run: async () => {
      const code = exampleIn(join(ROOT, 'packages/netstack/README.md'), 'js');
      const server = spawn(process.execPath, ['--input-type=module', '-e', code], { cwd: ROOT, stdio: 'inherit' });
      try {
        for (let i = 0; !ip('-br', 'link').includes('tap0'); i++) {
          assert.ok(i < 600 && server.exitCode === null, 'there is no tap0');
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
        ip('addr', 'add', '10.0.0.1/24', 'dev', 'tap0');
        ip('link', 'set', 'tap0', 'up');
        const curl = ['-sS', '--max-time', '60', '--retry', '20', '--retry-connrefused', 'http://10.0.0.2/'];
        const { stdout } = await run('curl', curl);
        assert.equal(stdout, 'hello from a stack\n');
      } finally {
        server.kill();
      }
    },
  },
  ...pings,
  ...curls,
  {
    name: 'iperf3 both ways',
    needs: ['iperf3'],
    run: () =>
      withCable('tap', {}, async ({ stack, ours4 }) => {
        const [to, from] = await iperf3(stack, ours4, 1_000_000);
        return `${(to / 1e9).toFixed(2)} Gbit/s to the stack, ${(from / 1e9).toFixed(2)} from it`;
      }),
  },
  {
    name: 'traceroute through the stack as a router',
    needs: ['traceroute'],
    run: () =>
      withCable('tap', {}, async ({ stack, linux, ours4, ours6 }) => {
        const [near, far] = PipeLink.pair();
        stack.addNic('eth1', near, { addresses: ['10.99.0.1/24', 'fd99::1/64'].map(parsePrefix) });
        stack.forwardsIpv4 = stack.forwardsIpv6 = true;
        const inner = StackDriver.create({ dadTransmits: 0 });
        const nic = inner.stack.addNic('eth0', far, { addresses: ['10.99.0.2/24', 'fd99::2/64'].map(parsePrefix) });
        for (const prefix of ['0.0.0.0/0', '::/0'])
          inner.stack.routes.add({ destination: parsePrefix(prefix), nicId: nic.id });
        ip('route', 'add', '10.99.0.0/24', 'via', ours4, 'dev', linux);
        ip('-6', 'route', 'add', 'fd99::/64', 'via', ours6, 'dev', linux);
        for (const [flags, hops] of [
          [['-n'], [ours4, '10.99.0.2']],
          [
            ['-n', '-6'],
            [IpAddress.parse(ours6).toString(), 'fd99::2'],
          ],
          [
            ['-n', '-I'],
            [ours4, '10.99.0.2'],
          ],
        ]) {
          const { stdout } = await run('traceroute', [...flags, '-w', '5', '-q', '1', '-m', '4', hops[1]]);
          const seen = [...stdout.matchAll(/^ *\d+ +(\S+)/gm)].map(([, hop]) => hop);
          assert.deepEqual(seen, hops, stdout);
        }
        inner.close();
      }),
  },
  {
    name: 'nc, TCP and UDP echo',
    needs: ['nc'],
    run: () =>
      withCable('veth', {}, async ({ stack, ours4, ours6 }) => {
        createServer(stack, (stream) => stream.pipe(stream)).listen({ port: 7 });
        const socket = new UdpSocket(stack, true);
        socket.bind(IpAddress.parse('::'), 7);
        const buffer = new Uint8Array(2000);
        const echo = () => {
          const from = new SocketAddress();
          for (let len; (len = socket.receive(buffer, 0, buffer.length, 0, from, null)) >= 0;)
            socket.send(buffer, 0, len, from);
        };
        class Readable extends WaitEntry {
          notified() {
            echo();
          }
        }
        socket.waiters.add(new Readable(), POLLIN);
        for (const host of [ours4, ours6]) {
          const tcp = await run('sh', ['-c', `printf 'hello over tcp' | nc -N -w 10 ${host} 7`]);
          assert.equal(tcp.stdout, 'hello over tcp');
          const udp = await run('sh', ['-c', `printf 'hello over udp' | nc -u -w 1 ${host} 7`]);
          assert.equal(udp.stdout, 'hello over udp');
        }
      }),
  },
  {
    name: 'SLAAC by a router advertisement',
    needs: ['python3', 'ping'],
    run: () =>
      withCable('tap', { nic: { acceptsRouterAdvertisements: true } }, async ({ nic, linux }) => {
        await run('python3', [RA_SENDER, linux, 'fd88::']);
        const own = () =>
          nic.addresses.find(({ address, isAssigned }) => isAssigned && address.toString().startsWith('fd88:'));
        for (let i = 0; i < 100 && own() === undefined; i++) await new Promise((resolve) => setTimeout(resolve, 50));
        assert.ok(own() !== undefined, 'there is no address of the prefix');
        ip('-6', 'route', 'add', 'fd88::/64', 'dev', linux);
        const { stdout } = await run('ping', ['-n', '-c', '2', '-i', '0.2', '-W', '10', own().address.toString()]);
        assert.match(stdout, /2 received/);
        return own().address.toString();
      }),
  },
  {
    name: 'redirects of Linux as the router',
    run: () =>
      withCable('tap', {}, async ({ stack, nic, linux }) => {
        for (const name of ['ipv4.ip_forward', 'ipv6.conf.all.forwarding', `ipv4.conf.${linux}.send_redirects`])
          sysctl(`net.${name}`, 1);
        // The better router, which is not there: it is enough that Linux knows where it would be.
        const better = { 4: '10.77.0.3', 6: 'fe80::3' };
        for (const next of Object.values(better))
          ip('neigh', 'add', next, 'lladdr', '02:00:00:00:00:03', 'dev', linux, 'nud', 'permanent');
        ip('route', 'add', '203.0.113.0/24', 'via', better[4], 'dev', linux);
        ip('-6', 'route', 'add', '2001:db8:7::/64', 'via', better[6], 'dev', linux);
        // Only a router's link-local address can redirect: RFC 4861 section 8.1.
        const router = /inet6 (fe80::[0-9a-f:]+)/.exec(ip('-6', 'addr', 'show', 'dev', linux))[1];
        stack.routes.removeWhere(({ destination }) => destination.prefixLen === 0 && !destination.address.isIpv4);
        stack.routes.add({ destination: parsePrefix('::/0'), nicId: nic.id, gateway: IpAddress.parse(router) });
        const socket = new UdpSocket(stack, true);
        for (const [far, next] of [
          ['203.0.113.9', better[4]],
          ['2001:db8:7::9', better[6]],
        ]) {
          const to = IpAddress.parse(far);
          const nextHop = () => stack.findPath(to, null, 0).nextHop?.toString();
          for (let i = 0; i < 100 && nextHop() !== next; i++) {
            socket.send(new Uint8Array(8), 0, 8, new SocketAddress(to, 9));
            await new Promise((resolve) => setTimeout(resolve, 50));
          }
          assert.equal(nextHop(), next, `the first hop to ${far}`);
        }
        socket.close();
        for (const name of ['ipv4.ip_forward', 'ipv6.conf.all.forwarding']) sysctl(`net.${name}`, 0);
      }),
  },
  {
    name: 'a path MTU that nobody tells of',
    needs: ['curl'],
    run: () => {
      let weather;
      const wrap = (link) => (weather = new BadWeather(link, ({ len }) => len > BLACK_HOLE_MTU + ETHERNET_BYTES));
      return withCable('tap', { wrap }, async ({ stack, ours4 }, scratch) => {
        serveHttp(stack, Buffer.alloc(300_000, 'x'));
        const download = join(scratch, 'down');
        await run('curl', ['-sS', '--max-time', '120', '-o', download, `http://${ours4}/`]);
        assert.equal(readFileSync(download).length, 300_000);
        assert.ok(weather.lostCount > 0, 'nothing was too large');
        return `${weather.lostCount} packets were too large`;
      });
    },
  },
  {
    name: 'a line that loses 5%',
    needs: ['curl', 'iperf3', 'tshark'],
    run: ({ seed }) => {
      const random = numbers(seed);
      const capture = new Capture();
      let weather;
      const wrap = (link, driver) => (weather = new BadWeather(capture.around(link, driver), () => random() < LOSS));
      return withCable('tap', { wrap }, async (cable, scratch) => {
        await exchange(cable, scratch, 300_000);
        const rates = await iperf3(cable.stack, cable.ours6, 100_000);
        const lostCount = weather.lostCount;
        const packetCount = await capture.check(scratch, '_ws.malformed');
        const [to, from] = rates.map((rate) => (rate / 1e6).toFixed(0));
        return `${lostCount} packets were lost, ${packetCount} came to the line; iperf3 ${to} Mbit/s to the stack, ${from} from it`;
      });
    },
  },
  {
    name: 'tshark finds nothing malformed in what is sent and received',
    needs: ['tshark', 'curl', 'ping'],
    run: () => {
      const capture = new Capture();
      const wrap = (link, driver) => capture.around(link, driver);
      return withCable('tap', { wrap }, async (cable, scratch) => {
        await exchange(cable, scratch, 200_000);
        for (const host of [cable.ours4, cable.ours6])
          await run('ping', ['-n', '-c', '2', '-i', '0.2', '-s', '3000', host]);
        return `${await capture.check(scratch, '_ws.malformed || tcp.analysis.ack_lost_segment')} packets`;
      });
    },
  },
  ...NAME_AND_LOGIN.map((test) => ({ ...test, run: () => test.run({ run, withCable, sumOf }) })),
];
