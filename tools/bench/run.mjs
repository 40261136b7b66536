// Measures system calls, files, memory, processes and programs natively, under each TSV platform and under runsc where
// it is installed, in interleaved rounds, and prints medians and their ratios to native.
//   npm run bench [-- --only NAME,... --rounds N --budget-ms N --platforms ptrace,systrap --json FILE --svg FILE]
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { toSvg } from './chart.mjs';
import './clean-environment.mjs';
import { makeFixtures } from './fixtures.mjs';
import { measure } from './measure.mjs';
import { summarize, toMarkdown } from './report.mjs';
import { ROWS } from './rows.mjs';
import { findRunners } from './runners.mjs';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    'budget-ms': { type: 'string', default: '200' },
    platforms: { type: 'string', default: 'systrap,ptrace' },
    runners: { type: 'string' },
    json: { type: 'string' },
    svg: { type: 'string' },
    'from-json': { type: 'string' },
  },
});

if (options['from-json'] === undefined) await run();
else write(joined(options['from-json'].split(',').map((path) => JSON.parse(readFileSync(path, 'utf8')))));

async function run() {
  const rows = pickRows();
  const scratch = mkdtempSync(join(tmpdir(), 'tsv-bench-'));
  try {
    for (const name of ['micro', 'bulk', 'timed', 'network']) compile(name, scratch);
    makeFixtures(
      scratch,
      rows.flatMap((row) => row.fixtures ?? []),
    );
    const bench = { directory: scratch, programs: scratch, budgetMs: options['budget-ms'] };
    const runners = pickRunners();
    const samples = new Map(runners.map((runner) => [runner.name, new Map()]));
    for (let round = 0; round < Number(options.rounds); round++) {
      for (const runner of runners) {
        for (const [name, value] of await measure(runner, rows, bench))
          addSample(samples.get(runner.name), name, value);
      }
    }
    const names = runners.map((runner) => runner.name);
    write({ node: process.version, rounds: Number(options.rounds), ...summarize(rows, names, samples) });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function pickRows() {
  if (options.only === undefined) return ROWS;
  const wanted = options.only.split(',');
  const unknown = wanted.filter((name) => !ROWS.some((row) => row.name === name || row.group === name));
  if (unknown.length > 0) throw new Error(`Cannot measure ${unknown.join(', ')}: there is no such row or group`);
  return ROWS.filter((row) => wanted.includes(row.name) || wanted.includes(row.group));
}

function pickRunners() {
  const runners = findRunners(options.platforms.split(','));
  const wanted = options.runners?.split(',');
  return runners.filter((runner) => wanted === undefined || runner.name === 'native' || wanted.includes(runner.name));
}

function compile(name, directory) {
  const source = fileURLToPath(new URL(`programs/${name}.c`, import.meta.url));
  execFileSync('cc', ['-O2', '-Wall', '-Wextra', '-pthread', '-static', '-o', join(directory, name), source]);
}

/** Parts of one table that were measured one after the other, perhaps not under the same runners. */
function joined(parts) {
  const runners = [...new Set(parts.flatMap((part) => part.runners))];
  const all = (values) => Object.fromEntries(runners.map((name) => [name, values[name] ?? null]));
  const order = ROWS.map((row) => row.name);
  const rows = parts.flatMap((part) => part.rows).map((row) => ({ ...row, ratios: all(row.ratios) }));
  const sandbox = parts.flatMap((part) => part.sandbox).map((row) => ({ ...row, values: all(row.values) }));
  return {
    ...parts[0],
    runners,
    rows: rows.toSorted((a, b) => order.indexOf(a.name) - order.indexOf(b.name)),
    sandbox,
  };
}

function addSample(store, name, value) {
  if (!store.has(name)) store.set(name, []);
  store.get(name).push(value);
}

function write(summary) {
  console.log(toMarkdown(summary));
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(summary, null, 2)}\n`);
  if (options.svg !== undefined) writeFileSync(options.svg, toSvg(summary));
}
