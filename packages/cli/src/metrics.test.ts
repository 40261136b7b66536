import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { busyboxBundle } from './testing/busybox-bundle.js';
import { TSV, runTsv, type TsvResult } from './testing/run-tsv.js';

jest.setTimeout(120_000);

let dir: string;
let children: ChildProcess[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsv-metrics-'));
  children = [];
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  for (const id of (await tsv('list', '--quiet')).stdout.split('\n').filter(Boolean))
    await tsv('delete', '--force', id);
  rmSync(dir, { recursive: true, force: true });
});

const tsv = (...args: string[]): Promise<TsvResult> => runTsv(['--root', join(dir, 'root'), ...args]);

async function start(id: string, ...args: string[]): Promise<void> {
  mkdirSync(join(dir, id));
  const bundle = busyboxBundle(join(dir, id), args);
  const child = spawn(process.execPath, [TSV, '--root', join(dir, 'root'), 'run', '-d', '-b', bundle, id], {
    stdio: 'ignore',
  });
  expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(0);
}

/** Starts a command that goes on; resolves with it and its first line. */
async function serving(...args: string[]): Promise<{ child: ChildProcess; line: string }> {
  const child = spawn(process.execPath, [TSV, '--root', join(dir, 'root'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding('utf8').once('data', resolve);
    child.once('exit', () => {
      reject(new Error('It has ended'));
    });
  });
  return { child, line };
}

function fetchFrom(where: object, path: string): Promise<[status: number | undefined, text: string]> {
  return new Promise((resolve, reject) => {
    const request = get({ ...where, path, agent: false, timeout: 30_000 }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('end', () => {
        resolve([response.statusCode, text]);
      });
    });
    request.on('error', reject);
    request.on('timeout', () => request.destroy(new Error('No answer came')));
  });
}

describe('tsv export-metrics', () => {
  it("prints a sandbox's metrics in Prometheus's format", async () => {
    await start('a', 'sleep', '600');
    const { status, stdout } = await tsv('export-metrics', 'a');
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /^# HELP tsv_uptime_seconds .*\n# TYPE tsv_uptime_seconds gauge\ntsv_uptime_seconds\{sandbox="a"\} \d/,
    );
    expect(stdout).toMatch(/^tsv_pids\{sandbox="a"\} 1$/m);
    const options = ['--exporter-prefix', 'x_', '--sandbox-metrics-filter', '^pids$'];
    expect((await tsv('export-metrics', ...options, 'a')).stdout.split('\n').map((line) => line.split('{')[0])).toEqual(
      ['# HELP x_pids Processes and threads of guests', '# TYPE x_pids gauge', 'x_pids', ''],
    );
  });

  it.each([
    [['export-metrics', 'nobody'], 'container does not exist'],
    [['export-metrics', '--exporter-prefix', '9 ', 'a'], 'no metric can be called so'],
    [['export-metrics', '--sandbox-metrics-filter', '(', 'a'], 'Cannot use --sandbox-metrics-filter'],
    [['metric-server', '--address', '0.0.0.0:0'], 'it is not an address of this host alone'],
    [['port-forward', 'a', '1:70000'], 'Cannot forward ports'],
  ])('refuses %j', async (args, message) => {
    const { status, stderr } = await tsv(...args);
    expect([status, stderr.includes(message)]).toEqual([128, true]);
  });
});

describe('tsv metric-server', () => {
  it('serves the metrics of all sandboxes over a Unix socket, until it is terminated', async () => {
    await start('a', 'sleep', '600');
    await start('b', 'sleep', '600');
    const socketPath = join(dir, 'metrics.sock');
    const { child, line } = await serving('metric-server', '--address', socketPath);
    expect(line).toBe(`Serving metrics at ${socketPath}\n`);
    const [status, text] = await fetchFrom({ socketPath }, '/metrics');
    expect(status).toBe(200);
    expect(text).toContain('tsv_sandboxes{reached="true"} 2\n');
    expect(text).toMatch(/tsv_pids\{sandbox="a"\} 1\ntsv_pids\{sandbox="b"\} 1\n/);
    expect(text.match(/# TYPE tsv_pids gauge/g)).toHaveLength(1);
    expect(await fetchFrom({ socketPath }, '/healthz')).toEqual([200, 'OK\n']);
    expect((await fetchFrom({ socketPath }, '/other'))[0]).toBe(404);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
  });

  it('listens at a port of the loopback device', async () => {
    const { line } = await serving('metric-server', '--address', '0');
    const port = Number(/127\.0\.0\.1:(\d+)/.exec(line)?.[1]);
    const [status, text] = await fetchFrom({ host: '127.0.0.1', port }, '/metrics');
    expect([status, text.includes('tsv_sandboxes{reached="true"} 0\n')]).toEqual([200, true]);
  });
});

describe('tsv port-forward', () => {
  it("joins connections to a port of the sandbox's own network", async () => {
    await start('a', 'sh', '-c', 'echo served > /tmp/file; exec httpd -f -p 8080 -h /tmp');
    const { line } = await serving('port-forward', 'a', '0:8080');
    const port = Number(/^Forwarding 127\.0\.0\.1:(\d+) to port 8080 of container "a"\n$/.exec(line)?.[1]);
    const host = '127.0.0.1';
    const ask = async (): Promise<[number | undefined, string]> => {
      for (let tries = 0; ; tries++) {
        try {
          return await fetchFrom({ host, port }, '/file');
        } catch (error) {
          if (tries === 100) throw error; // The server inside takes its time to listen.
        }
      }
    };
    expect(await ask()).toEqual([200, 'served\n']);
    expect(await Promise.all([1, 2, 3, 4].map(ask))).toEqual(new Array(4).fill([200, 'served\n']));
  });
});

describe('tsv spec', () => {
  it('takes a directory and a network namespace', async () => {
    writeFileSync(join(dir, 'x'), '');
    expect((await tsv('spec', '-b', dir, '--cwd', '/tmp', '--netns', '/run/netns/x')).status).toBe(0);
    const { stdout } = await runTsv([
      'run',
      '--',
      'grep',
      '-c',
      '-E',
      '"cwd": "/tmp"|"path": "/run/netns/x"',
      `${dir}/config.json`,
    ]);
    expect(stdout).toBe('2\n');
  });
});
