// Measures the library @tsv/netstack: bytes a second between two stacks and to Linux, connections a second, and the
// memory of a connection that is idle. One run, a row each; ratios where there is something to compare with.
//   node --expose-gc tools/bench/netstack.mjs [--only TEXT] [--connections N]
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { VirtualClock } from '@tsv/clock';
import { IpAddress, parsePrefix, PipeLink, SeededRandom, Stack, TcpSocket } from '@tsv/netstack';
import { HostClock } from '@tsv/netstack/net';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    connections: { type: 'string', default: '100000' },
    inside: { type: 'boolean', default: false },
  },
});
const RUN_MS = 2_000;
const CHUNK_BYTES = 131_072;

const ROWS = [
  ['stack to stack, segments of 64 KiB', () => gigabits(pair({ mtu: 65_535 }))],
  ['stack to stack, MTU 1500, segmentation offload', () => gigabits(pair({ mtu: 1500 }))],
  ['stack to stack, MTU 1500, a packet a segment', () => gigabits(pair({ mtu: 1500, gsoBytesMax: 0 }))],
  ['the same with checksums', () => gigabits(pair({ mtu: 1500, checksums: true }))],
  ['connects and closes', connects],
  ['memory of an idle connection', idleMemory],
  ['to Linux over veth, beside Linux to Linux', besideLinux],
];

if (options.inside) await insideNamespace();
else {
  for (const [name, measure] of ROWS) {
    if (!name.includes(options.only)) continue;
    console.log(`${name.padEnd(50)} ${await measure()}`);
  }
  process.exit(0);
}

/** A client and a server that are connected, over a cable. */
function pair(pipe, clock = new HostClock()) {
  const links = PipeLink.pair(pipe);
  const stacks = [1, 2].map((n) => new Stack({ clock, random: new SeededRandom(n), dadTransmits: 0 }));
  for (const [i, stack] of stacks.entries()) {
    stack.addNic('eth0', links[i], { addresses: [1, 2, 3, 4].map((n) => parsePrefix(`10.0.${n}.${i + 1}/24`)) });
  }
  const listener = new TcpSocket(stacks[1], false);
  listener.bind(IpAddress.parse('0.0.0.0'), 80);
  listener.listen(4096);
  return { stacks, listener };
}

function connected({ stacks, listener }, address = '10.0.1.2') {
  const client = new TcpSocket(stacks[0], false);
  client.connect(IpAddress.parse(address), 80);
  const server = listener.accept();
  if (typeof server === 'number') throw new Error(`accept: ${server}`);
  return { client, server };
}

function gigabits(network) {
  const { client, server } = connected(network);
  const [data, buffer] = [new Uint8Array(CHUNK_BYTES), new Uint8Array(CHUNK_BYTES)];
  const move = (ms) => {
    const startMs = performance.now();
    let bytes = 0;
    for (let round = 0; ; round++) {
      if ((round & 63) === 0) {
        for (const stack of network.stacks) stack.poll();
        if (performance.now() - startMs >= ms) break;
      }
      client.send(data, 0, data.length);
      for (let len; (len = server.receive(buffer, 0, buffer.length)) > 0;) bytes += len;
    }
    return (bytes * 8) / (performance.now() - startMs) / 1e6;
  };
  move(RUN_MS / 4);
  return `${move(RUN_MS).toFixed(1)} Gbit/s`;
}

function connects() {
  const network = pair({ mtu: 1500 });
  let count = 0;
  const startMs = performance.now();
  while (performance.now() - startMs < RUN_MS) {
    const { client, server } = connected(network);
    for (const socket of [client, server]) {
      // A reset leaves nothing in TIME_WAIT, whose ports would run out.
      socket.lingerSec = 0;
      socket.close();
    }
    count++;
  }
  return `${Math.round((count * 1000) / (performance.now() - startMs))} a second`;
}

function idleMemory() {
  if (globalThis.gc === undefined) return 'not measured: start node with --expose-gc';
  const network = pair({ mtu: 1500 }, new VirtualClock(1000));
  const wanted = Number(options.connections);
  const kept = [];
  const open = (count) => {
    for (let i = 0; i < count; i++) kept.push(connected(network, `10.0.${1 + (kept.length & 3)}.2`));
  };
  open(Math.min(1000, wanted / 10));
  const used = () => {
    globalThis.gc();
    globalThis.gc();
    const { heapUsed, external, arrayBuffers } = process.memoryUsage();
    return heapUsed + Math.max(external, arrayBuffers);
  };
  const before = used();
  const from = kept.length;
  open(wanted - from);
  const bytes = (used() - before) / (kept.length - from);
  return `${Math.round(bytes / 2)} bytes each end, ${kept.length * 2} ends (${kept.length} connections)`;
}

/** Linux to Linux, and Linux with the stack, over a veth pair each, by iperf3. */
async function besideLinux() {
  if (process.getuid() !== 0 || spawnSync('unshare', ['--net', 'true']).status !== 0)
    return 'not measured: it needs root';
  if (spawnSync('which', ['iperf3']).status !== 0) return 'not measured: iperf3 is not installed';
  const args = ['--net', '--mount', process.execPath, fileURLToPath(import.meta.url), '--inside'];
  const child = spawn('unshare', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (text) => (output += text));
  await once(child, 'close');
  return output.trim();
}

async function insideNamespace() {
  const { connectLinux, ip } = await import('../suites/netstack/link-to-linux.mjs');
  const { serveIperf3 } = await import('../suites/netstack/iperf3-server.mjs');
  ip('link', 'set', 'lo', 'up');
  // The other Linux is another namespace: that of a process that sleeps.
  const other = spawn('unshare', ['--net', 'sleep', '60'], { stdio: 'ignore' });
  await new Promise((resolve) => setTimeout(resolve, 500));
  ip('link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'far', 'netns', String(other.pid));
  ip('addr', 'add', '10.1.0.1/24', 'dev', 'near');
  ip('link', 'set', 'near', 'up');
  const inOther = (...command) =>
    spawn('nsenter', [`--net=/proc/${other.pid}/ns/net`, ...command], { stdio: 'ignore' });
  await once(inOther('ip', 'addr', 'add', '10.1.0.2/24', 'dev', 'far'), 'close');
  await once(inOther('ip', 'link', 'set', 'far', 'up'), 'close');
  const linuxServer = inOther('iperf3', '-s');
  await new Promise((resolve) => setTimeout(resolve, 500));
  const cable = connectLinux('veth');
  serveIperf3(cable.stack);
  const rows = [];
  for (const [name, flags] of [
    ['from Linux', []],
    ['to Linux', ['-R']],
  ]) {
    const [linux, ours] = [await rate('10.1.0.2', flags), await rate(cable.ours4, flags)];
    rows.push(`${name} ${ours.toFixed(1)} Gbit/s, ${Math.round((ours / linux) * 100)}% of ${linux.toFixed(1)}`);
  }
  console.log(rows.join('; '));
  linuxServer.kill();
  other.kill();
  process.exit(0);
}

async function rate(host, flags) {
  const client = spawn('iperf3', ['-c', host, '-t', '2', '-J', ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  client.stdout.on('data', (text) => (output += text));
  await once(client, 'close');
  return JSON.parse(output).end.sum_received.bits_per_second / 1e9;
}
