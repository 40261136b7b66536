// Measures what engines feel: a run of /bin/true from a bundle (beside Debian's runsc, where it is installed), exec into a
// running container, a second container in a pod, and many sandboxes that sleep: their memory and their CPU time.
//   node tools/bench/containers.mjs [--rounds N] [--sandboxes N] [--json FILE]
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import './clean-environment.mjs';
import { busyboxImage } from '../engines/busybox-image.mjs';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    sandboxes: { type: 'string', default: '100' },
    json: { type: 'string' },
  },
});
const CLI = fileURLToPath(new URL('../../packages/cli/bin/tsv.js', import.meta.url));
const ROUNDS = Number(values.rounds);
const SANDBOXES = Number(values.sandboxes);
const COMMAND_MS = 60_000;
/** V8 collects garbage once, some seconds after a process has come to rest. */
const REST_MS = 20_000;
const IDLE_S = 20;
const dir = mkdtempSync(join(tmpdir(), 'tsv-containers-'));
const root = join(dir, 'root');
const figures = {};
let count = 0;

try {
  busyboxImage(dir);
  await measureRuns();
  await measureExec();
  await measurePod();
  await measureSandboxes();
} finally {
  for (const id of (await command(process.execPath, [CLI, '--root', root, 'list', '--quiet'], true))
    .split('\n')
    .filter(Boolean))
    await tsv('delete', '--force', id);
  rmSync(dir, { recursive: true, force: true });
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(figures, null, 2)}\n`);

async function measureRuns() {
  const bundle = makeBundle('true', ['/bin/true']);
  const runs = [
    ['node -e 0, which each command begins with', () => command(process.execPath, ['-e', '0'])],
    ['run /bin/true, tsv', (id) => tsv('run', '--bundle', bundle, id)],
    ['run -- /bin/true, tsv', () => tsv('run', '--', '/bin/true')],
  ];
  if (spawnSync('runsc', ['--version']).status === 0) {
    const options = ['--root', join(dir, 'runsc'), '--platform', 'ptrace', '--network', 'none', '--ignore-cgroups'];
    runs.push(['run /bin/true, runsc', (id) => command('runsc', [...options, 'run', '--bundle', bundle, id])]);
  }
  await interleaved(runs);
}

async function measureExec() {
  await tsv('run', '-d', '--bundle', makeBundle('sleep', ['sleep', '600']), 'exec');
  await interleaved([['exec /bin/true', () => tsv('exec', 'exec', '/bin/true')]]);
}

async function measurePod() {
  const annotations = (type) => ({
    'io.kubernetes.cri.container-type': type,
    'io.kubernetes.cri.sandbox-id': 'pod',
  });
  await tsv('run', '-d', '--bundle', makeBundle('pod', ['sleep', '600'], annotations('sandbox')), 'pod');
  const bundle = makeBundle('member', ['sleep', '600'], annotations('container'));
  await interleaved([
    ['second container in a pod: create and start', (id) => tsv('run', '-d', '--bundle', bundle, id)],
  ]);
}

/** Memory as the host counts it, shared pages divided; CPU time of all processes of the sandboxes. */
async function measureSandboxes() {
  const bundle = makeBundle('many', ['sleep', '600']);
  const first = await startSandboxes(bundle, 1);
  const before = memoryKib(first);
  const all = [...first, ...(await startSandboxes(bundle, SANDBOXES - 1))];
  const marginalMib = (memoryKib(all) - before) / 1024 / (SANDBOXES - 1);
  await sleep(REST_MS);
  const cpuBefore = cpuMs(all);
  await sleep(IDLE_S * 1000);
  const cpuPercent = (cpuMs(all) - cpuBefore) / (IDLE_S * 10);
  tell(`memory of one more of ${SANDBOXES} sandboxes that sleep`, marginalMib, 'MiB');
  tell(`CPU of ${SANDBOXES} sandboxes that sleep, together`, cpuPercent, '% of one CPU');
}

async function startSandboxes(bundle, howMany) {
  const ids = Array.from({ length: howMany }, () => `c${++count}`);
  for (const id of ids) await tsv('run', '-d', '--bundle', bundle, id);
  return ids.map((id) => JSON.parse(readFileSync(join(root, id, 'state.json'), 'utf8')).sentry.pid);
}

/** The processes of these sentries: they lead sessions of their own. */
function processesOf(sentries) {
  const output = spawnSync('ps', ['-eo', 'pid=,ppid=,sid='], { encoding: 'utf8' }).stdout;
  const rows = output
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
  const wanted = new Set(sentries);
  for (let size = 0; size !== wanted.size;) {
    size = wanted.size;
    for (const [pid, parent, session] of rows) if (wanted.has(parent) || wanted.has(session)) wanted.add(pid);
  }
  return [...wanted];
}

function memoryKib(sentries) {
  return processesOf(sentries).reduce(
    (sum, pid) => sum + Number(/^Pss:\s+(\d+)/m.exec(fileOf(pid, 'smaps_rollup'))?.[1] ?? 0),
    0,
  );
}

function cpuMs(sentries) {
  const ticks = processesOf(sentries).reduce((sum, pid) => {
    const fields = fileOf(pid, 'stat')
      .replace(/^.*\) /s, '')
      .split(' ');
    return sum + Number(fields[11] ?? 0) + Number(fields[12] ?? 0); // utime and stime, proc_pid_stat(5)
  }, 0);
  return ticks * 10;
}

function fileOf(pid, name) {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'latin1');
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return '';
    throw error;
  }
}

/** Runs each in turn, so that what else the machine does hits all alike; tells medians. */
async function interleaved(runs) {
  const times = runs.map(() => []);
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [index, [, run]] of runs.entries()) {
      const startMs = performance.now();
      await run(`r${++count}`);
      if (round > 0) times[index].push(performance.now() - startMs); // The first one warms up.
    }
  }
  for (const [index, [name]] of runs.entries()) {
    const sorted = times[index].sort((a, b) => a - b);
    tell(name, sorted[Math.floor(sorted.length / 2)], 'ms');
  }
}

function tell(name, value, unit) {
  figures[name] = { value, unit };
  console.log(`${name}: ${value.toFixed(1)} ${unit}`);
}

function makeBundle(name, args, annotations = {}) {
  const bundle = join(dir, name);
  mkdirSync(bundle);
  const config = {
    ociVersion: '1.0.2',
    root: { path: join(dir, 'rootfs') },
    process: { cwd: '/', args, env: ['PATH=/bin'] },
    annotations,
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs' },
    ],
    linux: { namespaces: [{ type: 'pid' }, { type: 'network' }, { type: 'ipc' }, { type: 'uts' }, { type: 'mount' }] },
  };
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(config));
  return bundle;
}

function tsv(...args) {
  return command(process.execPath, [CLI, '--root', root, ...args]);
}

/** Runs a command that must succeed; resolves when it has ended, with what it printed if that is wanted. */
function command(file, args, wantsOutput = false) {
  return new Promise((resolve, reject) => {
    // A container has its command's standard descriptors: a pipe would not end before it does.
    const child = spawn(file, args, { stdio: ['ignore', wantsOutput ? 'pipe' : 'ignore', 'inherit'] });
    const timer = setTimeout(() => child.kill('SIGKILL'), COMMAND_MS);
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (text) => (output += text));
    child.on('error', reject);
    child.on(wantsOutput ? 'close' : 'exit', (status, signal) => {
      clearTimeout(timer);
      if (status === 0) resolve(output);
      else reject(new Error(`${args.join(' ')}: ended with ${status ?? signal}`));
    });
  });
}
