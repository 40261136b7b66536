// Runs the rows once under one runner.
import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuMs, processTree, residentMb } from './process-tree.mjs';

const TIMEOUT_MS = 300_000;
const START_COUNT = 3;
const IDLE_SETTLE_MS = 1500;
const IDLE_MS = 2000;

/**
 * @typedef {object} Bench
 * @property {string} directory Of the fixtures.
 * @property {string} programs Of the compiled programs.
 * @property {string} budgetMs For each micro-benchmark.
 */

/**
 * Figures by name: nanoseconds for rows with a program of their own, and what the sandbox itself takes.
 * @param {import('./runners.mjs').Runner} runner
 * @param {readonly import('./rows.mjs').Row[]} rows
 * @param {Bench} bench
 * @returns {Promise<[name: string, value: number][]>}
 */
export async function measure(runner, rows, bench) {
  const figures = [];
  const isFor = ({ platform }) => platform === undefined || runner.name === 'native' || platform === runner.platform;
  const measured = rows.filter(isFor);
  for (const { argv, options, names } of commandsFor(measured, bench)) {
    const output = attempt(runner, runner.wrap(argv, options), names);
    for (const line of output.trim().split('\n').filter(Boolean)) {
      const [name, value] = line.split(' ');
      // A row with options of its own runs an operation that another row names too.
      figures.push([names.length === 1 ? names[0] : name, Number(value)]);
    }
  }
  if (rows.some((row) => row.name === 'start')) figures.push(...startFigures(runner));
  if (rows.some((row) => row.name === 'idle')) figures.push(...(await idleFigures(runner)));
  return figures;
}

/** Programs that measure many operations by themselves, and share a sandbox for them. */
const SHARING = ['micro', 'network'];

/** Micro-benchmarks share a sandbox; others have one each. */
function commandsFor(rows, { directory, programs, budgetMs }) {
  const commands = [];
  const shared = rows.filter((row) => SHARING.includes(row.program) && row.tsvOptions === undefined);
  for (const program of SHARING) {
    const names = shared.filter((row) => row.program === program).map((row) => row.name);
    if (names.length > 0) commands.push({ argv: [join(programs, program), budgetMs, ...names], options: [], names });
  }
  for (const row of rows) {
    if (row.program === 'sandbox' || shared.includes(row)) continue;
    commands.push({ argv: commandOf(row, directory, programs, budgetMs), options: row.tsvOptions, names: [row.name] });
  }
  return commands;
}

function commandOf(row, directory, programs, budgetMs) {
  if (row.program.endsWith('.sh'))
    return ['sh', fileURLToPath(new URL(`programs/${row.program}`, import.meta.url)), row.name];
  const program = join(programs, row.program);
  if (row.program === 'micro') return [program, budgetMs, row.operation];
  if (row.program === 'bulk') return [program, directory, row.name];
  const command = row.command.map((text) => text.replaceAll('@', directory));
  return [program, ...(row.isAgain ? ['--again'] : []), row.name, ...command];
}

/** What the command prints; a runner that cannot run it leaves these rows empty. */
function attempt(runner, [command, ...args], names) {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], timeout: TIMEOUT_MS });
  } catch (error) {
    if (runner.name === 'native') throw error;
    console.error(`${runner.name} cannot run ${names.join(', ')}: ${error.message.split('\n')[0]}`);
    return error.stdout ?? '';
  }
}

function startFigures(runner) {
  const [command, ...args] = runner.wrap(['/bin/true']);
  return Array.from({ length: START_COUNT }, () => {
    const start = process.hrtime.bigint();
    execFileSync(command, args, { stdio: 'ignore', timeout: TIMEOUT_MS });
    return ['start_ms', Number(process.hrtime.bigint() - start) / 1e6];
  });
}

/** Resident memory of the sentry, and CPU time of the whole tree of processes, while a guest sleeps. */
async function idleFigures(runner) {
  const seconds = Math.ceil((IDLE_SETTLE_MS + IDLE_MS) / 1000);
  const [command, ...args] = runner.wrap(['/bin/sleep', String(seconds)]);
  const child = spawn(command, args, { stdio: 'ignore' });
  const done = new Promise((resolve) => child.on('close', resolve));
  await sleep(IDLE_SETTLE_MS);
  const before = cpuMs(processTree(child.pid));
  await sleep(IDLE_MS);
  const cpu = cpuMs(processTree(child.pid)) - before;
  const rssMb = residentMb(child.pid);
  await done;
  return [
    ['idle_cpu_ms_per_s', (cpu * 1000) / IDLE_MS],
    ['rss_mb', rssMb],
  ];
}
