// Runs random scenarios of TCP on virtual time with loss, reordering, duplication and delay: 10,000 between two endpoints,
// 10,000 through a router; and 10,000 times up to 60 hostile packets. A run that fails prints its seed, which repeats it.
//   node tools/suites/netstack/simulate.mjs [--count N] [--seed N] [--batch N] [--only TEXT]
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const { values: options } = parseArgs({
  options: {
    count: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    batch: { type: 'string', default: '1000' },
    only: { type: 'string', default: '' },
  },
});
const SUITES = [
  ['two endpoints', 'packages/netstack/src/tcp/simulation.test.ts', 'TCP'],
  ['through a router', 'packages/netstack/src/stack-simulation.test.ts', 'STACK'],
  ['hostile packets', 'packages/netstack/src/stack-fuzz.test.ts', 'STACK_FUZZ'],
];

let [passedCount, failedCount] = [0, 0];
const [first, count, batch] = [options.seed, options.count, options.batch].map(Number);
for (const [name, path, prefix] of SUITES.filter(([suite]) => suite.includes(options.only))) {
  for (let seed = first; seed < first + count; seed += batch) {
    const scenarios = Math.min(batch, first + count - seed);
    const env = { ...process.env, [`${prefix}_SCENARIOS`]: String(scenarios), [`${prefix}_SEED`]: String(seed) };
    // A batch is one test or many; none of them may take as long as the default allows.
    const args = ['jest', path, '--silent', '--testTimeout=3600000'];
    const { status, stderr } = spawnSync('npx', args, { cwd: ROOT, env, encoding: 'utf8' });
    if (status === 0) passedCount += scenarios;
    else failedCount++;
    console.log(`${status === 0 ? 'passed' : 'FAILED'}  ${name}, seeds ${seed} to ${seed + scenarios - 1}`);
    if (status !== 0) console.log(stderr);
  }
}
console.log(`${passedCount} passed, ${failedCount} failed`);
process.exitCode = failedCount === 0 ? 0 : 1;
