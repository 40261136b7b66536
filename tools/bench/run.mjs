// Measures system calls, start-up and memory natively, under each TSV platform and under runsc where it is installed, in
// interleaved rounds, and prints medians and ratios to native.
//   npm run bench [-- --rounds N] [--budget-ms N] [--platforms ptrace,systrap] [--json FILE]
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    'budget-ms': { type: 'string', default: '200' },
    platforms: { type: 'string', default: 'ptrace' },
    json: { type: 'string' },
  },
});
const CLI = fileURLToPath(new URL('../../packages/cli/bin/tsv.js', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'tsv-bench-'));

try {
  const micro = join(scratch, 'micro');
  execFileSync('cc', [
    '-O2',
    '-pthread',
    '-static',
    '-o',
    micro,
    fileURLToPath(new URL('programs/micro.c', import.meta.url)),
  ]);
  const runners = findRunners();
  const samples = new Map(runners.map((runner) => [runner.name, new Map()]));
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const runner of runners) {
      const store = samples.get(runner.name);
      for (const [name, value] of await measure(runner, micro)) {
        if (!store.has(name)) store.set(name, []);
        store.get(name).push(value);
      }
    }
  }
  report(runners, samples);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

/** The ways to run a command: natively, under TSV, and under each platform of runsc that starts here. */
function findRunners() {
  const runners = [{ name: 'native', wrap: (argv) => argv }];
  for (const platform of options.platforms.split(',')) {
    runners.push({
      name: `tsv ${platform}`,
      wrap: (argv) => [process.execPath, CLI, '--platform', platform, 'do', '--', ...argv],
    });
  }
  for (const platform of ['ptrace', 'kvm']) {
    const wrap = (argv) => ['runsc', '--network=none', `--platform=${platform}`, 'do', '--force-overlay', ...argv];
    const [command, ...args] = wrap(['true']);
    const probe = spawnSync(command, args, { stdio: 'ignore', timeout: 20000 });
    if (probe.status === 0) runners.push({ name: `runsc ${platform}`, wrap });
  }
  return runners;
}

async function measure(runner, micro) {
  const rows = [];
  for (let i = 0; i < 3; i++) rows.push(['start_true_ms', timeCommand(runner.wrap(['/bin/true']))]);
  const [command, ...args] = runner.wrap([micro, options['budget-ms']]);
  const output = execFileSync(command, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 300000,
  });
  for (const line of output.trim().split('\n')) {
    const [name, value] = line.split(' ');
    rows.push([`${name}_ns`, Number(value)]);
  }
  rows.push(...(await idleFigures(runner)));
  return rows;
}

function timeCommand([command, ...args]) {
  const start = process.hrtime.bigint();
  execFileSync(command, args, { stdio: 'ignore', timeout: 60000 });
  return Number(process.hrtime.bigint() - start) / 1e6;
}

/** Resident memory and CPU time of the whole tree of processes while a guest sleeps. */
async function idleFigures(runner) {
  const [command, ...args] = runner.wrap(['/bin/sleep', '4']);
  const child = spawn(command, args, { stdio: 'ignore' });
  const done = new Promise((resolve) => child.on('close', resolve));
  await sleep(1500);
  const before = cpuMs(tree(child.pid));
  await sleep(2000);
  const pids = tree(child.pid);
  const cpu = cpuMs(pids) - before;
  const rssMb = residentMb(child.pid);
  await done;
  return [
    ['idle_cpu_ms_per_s', cpu / 2],
    ['sentry_rss_mb', rssMb],
  ];
}

function tree(root) {
  const parents = new Map();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = readProc(`/proc/${name}/stat`);
    if (stat !== null) parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
  }
  const found = new Set([root]);
  for (let grown = true; grown;) {
    grown = false;
    for (const [pid, parent] of parents) {
      if (found.has(parent) && !found.has(pid)) {
        found.add(pid);
        grown = true;
      }
    }
  }
  return [...found];
}

function cpuMs(pids) {
  let ticks = 0;
  for (const pid of pids) {
    const stat = readProc(`/proc/${pid}/stat`);
    if (stat === null) continue;
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks * 10;
}

function residentMb(pid) {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readProc(`/proc/${pid}/status`) ?? '');
  return match === null ? NaN : Number(match[1]) / 1024;
}

/** Text of a file of /proc, or null when its process has ended meanwhile. */
function readProc(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return null;
    throw error;
  }
}

function report(runners, samples) {
  const names = [...samples.get('native').keys()];
  const medians = Object.fromEntries(
    runners.map((runner) => [
      runner.name,
      Object.fromEntries(names.map((name) => [name, median(samples.get(runner.name).get(name) ?? [])])),
    ]),
  );
  const width = 26;
  console.log(['', ...runners.map((runner) => runner.name)].map((text) => text.padStart(width)).join(''));
  for (const name of names) {
    const base = medians.native[name];
    const cells = runners.map((runner) => {
      const value = medians[runner.name][name];
      return `${value.toFixed(1)} (${(value / base).toFixed(2)}x)`;
    });
    console.log([name, ...cells].map((text) => text.padStart(width)).join(''));
  }
  if (options.json !== undefined) {
    writeFileSync(
      options.json,
      `${JSON.stringify({ node: process.version, rounds: Number(options.rounds), medians }, null, 2)}\n`,
    );
  }
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted.length === 0 ? NaN : sorted[Math.floor(sorted.length / 2)];
}
