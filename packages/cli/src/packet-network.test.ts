import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

jest.setTimeout(180_000);

const CLI = join(__dirname, '../bin/tsv.js');
const LIMIT_MS = 120_000;
const canMakeNamespaces = spawnSync('unshare', ['--net', 'ip', 'link', 'set', 'lo', 'up']).status === 0;

/**
 * In a network namespace of its own: makes another with a veth(4) between them, serves HTTP on this side, and runs a
 * bundle whose network namespace is the other.
 */
const PROGRAM = `
  const { createServer } = require('node:http');
  const { execFileSync, spawn } = require('node:child_process');
  const { readFileSync, writeFileSync } = require('node:fs');
  const [cli, scratch, script] = process.argv.slice(1);
  const run = (command, ...args) => execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const other = spawn('unshare', ['--net', 'sh', '-c', 'ip link set lo up && echo ready && exec sleep 150'], { stdio: ['ignore', 'pipe', 'inherit'] });
  other.stdout.once('data', () => {
    const net = '/proc/' + other.pid + '/ns/net';
    const there = (...args) => run('nsenter', '--net=' + net, 'ip', ...args);
    run('ip', 'link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'far', 'netns', String(other.pid));
    run('ip', 'address', 'add', '10.55.0.1/24', 'dev', 'near');
    run('ip', 'link', 'set', 'near', 'up');
    there('address', 'add', '10.55.0.2/24', 'dev', 'far');
    there('link', 'set', 'far', 'up');
    there('route', 'add', 'default', 'via', '10.55.0.1');
    const server = createServer((request, response) => response.end('answer to ' + request.socket.remoteAddress));
    server.listen(8055, '10.55.0.1', () => {
      run(process.execPath, cli, 'spec', '--bundle', scratch);
      const path = scratch + '/config.json';
      const config = JSON.parse(readFileSync(path, 'utf8'));
      config.process.terminal = false;
      config.process.args = ['bash', '-c', script];
      config.root = { path: '/', readonly: true };
      config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== 'network');
      config.linux.namespaces.push({ type: 'network', path: net });
      writeFileSync(path, JSON.stringify(config));
      const args = [cli, '--root', scratch + '/state', '--network', 'sandbox', 'run', '--bundle', scratch, 'packets'];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
      child.on('close', (status) => {
        other.kill('SIGKILL');
        process.exit(status ?? 1);
      });
    });
  });`;

const scratch = mkdtempSync(join(tmpdir(), 'tsv-packets-'));
afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
});

function outcome(script: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('unshare', ['--net', process.execPath, '-e', PROGRAM, '--', CLI, scratch, script], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    const timer = setTimeout(() => process.kill(-child.pid!, 'SIGKILL'), LIMIT_MS);
    child.on('error', reject);
    child.on('close', (status) => {
      clearTimeout(timer);
      resolve(`${output.trim()} (${status ?? 'killed'})`);
    });
  });
}

(canMakeNamespaces ? describe : describe.skip)(
  '--network=sandbox in a network namespace (as root: it makes one)',
  () => {
    it('takes its interfaces over: address, route, and packets both ways', async () => {
      const script = `ip -4 -o addr show far | tr -s ' ' | cut -d' ' -f2-4
      ip route show default
      exec 3<>/dev/tcp/10.55.0.1/8055 && printf 'GET /x HTTP/1.0\\r\\n\\r\\n' >&3 && tail -n 1 <&3`;
      expect(await outcome(script)).toBe(
        ['far inet 10.55.0.2/24', 'default via 10.55.0.1 dev far ', 'answer to 10.55.0.2 (0)'].join('\n'),
      );
    });
  },
);
