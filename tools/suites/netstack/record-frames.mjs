// Records frames that Linux sends to a stack, for the fuzzer of the input path: ARP, Neighbour Discovery, MLD, ping,
// fragments, UDP, TCP with and without loss, errors. Prints the source of packages/netstack/src/testing/linux-frames.ts.
//   unshare --net node tools/suites/netstack/record-frames.mjs
import { execFile } from 'node:child_process';
import { release } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { IpAddress, Sniffer, SocketAddress, UdpSocket } from '@tsv/netstack';
import { createServer } from '@tsv/netstack/net';
import { BadWeather, numbers } from './bad-weather.mjs';
import { connectLinux, ip } from './link-to-linux.mjs';

const FRAME_BYTES_MAX = 1514;
const FRAME_COUNT_MAX = 80;
const TEXT_BYTES = 20_000;
const LOSS = 0.2;

const frames = [];
const kinds = new Map();
/** Of frames that look alike, so many are kept. */
const ALIKE_MAX = 3;
const observer = {
  incoming: (packet) => {
    const bytes = Buffer.from(packet.bytes.subarray(packet.at, packet.end));
    const kind = [bytes.readUInt16BE(12), bytes[23], bytes[20], bytes[54], bytes[47], bytes.length >> 6].join();
    const count = kinds.get(kind) ?? 0;
    if (bytes.length > FRAME_BYTES_MAX || count === ALIKE_MAX || frames.length === FRAME_COUNT_MAX) return;
    kinds.set(kind, count + 1);
    frames.push(bytes);
  },
  outgoing: () => undefined,
};
ip('link', 'set', 'lo', 'up');
const random = numbers(1);
const wrap = (link) => new Sniffer(new BadWeather(link, ({ len }) => len > 500 && random() < LOSS), observer);
const cable = connectLinux('tap', {
  wrap,
  nic: { acceptsRouterAdvertisements: true },
});
const { stack, ours4, ours6, linux } = cable;
createServer(stack, (stream) => stream.pipe(stream)).listen({ port: 7 });
const udp = new UdpSocket(stack, true);
for (const host of [cable.linux4, cable.linux6])
  udp.send(new Uint8Array(9), 0, 9, new SocketAddress(IpAddress.parse(host), 9));

/** What a program says does not matter, what it sends does. */
const run = (file, ...args) => promisify(execFile)(file, args, { timeout: 20_000 }).catch((error) => error);
await run('python3', fileURLToPath(new URL('./send-ra.py', import.meta.url)), linux, 'fd88::');
for (const host of [ours4, ours6]) {
  for (const bytes of ['56', '2000']) await run('ping', '-n', '-c', '1', '-W', '5', '-s', bytes, host);
  await run('sh', '-c', `printf datagram | nc -u -w 1 ${host} 9`);
  await run('sh', '-c', `printf refused | nc -N -w 2 ${host} 8`);
  await run('sh', '-c', `head -c ${TEXT_BYTES} /dev/zero | nc -N -w 10 ${host} 7`);
  await run('traceroute', '-n', '-q', '1', '-m', '1', host);
}
cable.close();
const lines = frames.map((bytes) => `  '${bytes.toString('base64')}',\n`).join('');
process.stdout
  .write(`/** Frames that Linux ${release()} sent to ${ours4} and ${ours6}: made by tools/suites/netstack/record-frames.mjs. */
export const LINUX_FRAMES: readonly string[] = [
${lines}];
`);
process.exit();
