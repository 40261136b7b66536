import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CAP_NET_RAW } from '@tsv/abi';
import { runTsv } from './testing/run-tsv.js';

jest.setTimeout(120_000);

const CLI = JSON.stringify(join(__dirname, '../bin/tsv.js'));
const canMakeNamespaces = spawnSync('unshare', ['--net', 'ip', 'link', 'set', 'lo', 'up']).status === 0;

/** Listens on every address of its network namespace, runs a sandbox beside it, and says what that prints. */
function program(args: readonly string[]): string {
  return `
    const { createServer } = require('node:http');
    const { spawn, execFileSync } = require('node:child_process');
    execFileSync('ip', ['link', 'set', 'lo', 'up']);
    execFileSync('ip', ['address', 'add', '10.123.4.5/32', 'dev', 'lo']);
    const server = createServer((request, response) => response.end('answer to ' + request.url));
    server.listen(0, '0.0.0.0', () => {
      const args = ${JSON.stringify(args)}.map((word) => word.replaceAll('PORT', String(server.address().port)));
      const child = spawn(process.execPath, [${CLI}, ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
      child.on('close', (status) => { process.exitCode = status; server.close(); });
    });`;
}

function outcome(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('unshare', ['--net', process.execPath, '-e', program(args)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.on('error', reject);
    child.on('close', (status) => {
      resolve(`${output.trim()} (${status ?? 'killed'})`);
    });
  });
}

/** Asks a server by hand, so that no program but the shell is needed. */
function ask(host: string): string[] {
  const script = `exec 3<>/dev/tcp/${host}/PORT && printf 'GET /x HTTP/1.0\\r\\n\\r\\n' >&3 && tail -n 1 <&3`;
  return ['run', '--', 'bash', '-c', `${script} 2>&1 || echo refused`];
}

const describeAsRoot = canMakeNamespaces ? describe : describe.skip;

describeAsRoot('--network (as root: it makes namespaces)', () => {
  it.each`
    mode         | host            | printed
    ${'none'}    | ${'10.123.4.5'} | ${/unreachable[^]*refused \(0\)$/}
    ${'sandbox'} | ${'10.123.4.5'} | ${/^answer to \/x \(0\)$/}
    ${'sandbox'} | ${'127.0.0.1'}  | ${/refused \(0\)$/}
    ${'host'}    | ${'127.0.0.1'}  | ${/^answer to \/x \(0\)$/}
  `('$mode to a server of the host at $host: $printed', async ({ mode, host, printed }: Row) => {
    expect(await outcome(['--network', mode, ...ask(host)])).toMatch(printed);
  });

  it('sandbox: the guest has a device, a route and a name server', async () => {
    const script = "ip -4 -o addr show eth0 | tr -s ' ' | cut -d' ' -f2-4; ip route; cat /etc/resolv.conf";
    expect(await outcome(['--network', 'sandbox', 'run', '--', 'sh', '-c', script])).toMatch(
      /^eth0 inet 10\.0\.2\.15\/24\ndefault via 10\.0\.2\.2 .*\n10\.0\.2\.0\/24 .*\nnameserver 10\.0\.2\.3/,
    );
  });
});

describe('packets of a sandbox', () => {
  it('are logged with --log-packets and written with --pcap-log', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'tsv-packets-'));
    const file = join(dir, 'packets.pcapng');
    const script = 'exec 3<>/dev/udp/10.0.2.2/9 && echo some-payload >&3';
    const flags = ['--network', 'sandbox', '--log-packets', '--pcap-log', file];
    const { stderr, status } = await runTsv([...flags, 'run', '--', 'bash', '-c', script]);
    expect([stderr, status]).toEqual([expect.stringMatching(/^eth0 .* > .*10\.0\.2\.15.* > 10\.0\.2\.2.*UDP/m), 0]);
    const capture = readFileSync(file);
    expect([capture.readUInt32LE(0), capture.includes('some-payload')]).toEqual([0x0a0d0d0a, true]);
    rmSync(dir, { recursive: true });
  });

  it('to a file that cannot be written are an error', async () => {
    const { stderr, status } = await runTsv(['--pcap-log', '/no/such/file', 'run', '--', 'true']);
    expect([stderr, status]).toEqual([
      'tsv: Cannot write packets to "/no/such/file": no such file or directory\n',
      128,
    ]);
  });
});

describe('--net-raw', () => {
  it.each([true, false])('gives CAP_NET_RAW where it is given: %s', async (isGiven) => {
    const { stdout } = await runTsv([
      ...(isGiven ? ['--net-raw'] : []),
      'run',
      '--',
      'grep',
      '-E',
      'CapBnd|CapEff',
      '/proc/self/status',
    ]);
    const bits = stdout.match(/[0-9a-f]{16}/g)!.map((text) => (BigInt(`0x${text}`) >> BigInt(CAP_NET_RAW)) & 1n);
    const isRoot = process.getuid?.() === 0;
    expect(bits).toEqual(isGiven ? [isRoot ? 1n : 0n, 1n] : [0n, 0n]);
  });
});

interface Row {
  mode: string;
  host: string;
  printed: RegExp;
}
