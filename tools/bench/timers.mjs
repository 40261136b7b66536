// Measures how late timers of the sentry are while a guest makes system calls without a pause.
//   node tools/bench/timers.mjs [--platforms systrap,ptrace]
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const CLI = fileURLToPath(new URL('../../packages/cli/bin/tsv.js', import.meta.url));
const PROBE = new URL('timer-probe.mjs', import.meta.url).href;
const GUEST = ['timeout', '3', 'dd', 'if=/dev/zero', 'of=/dev/null', 'bs=1'];

const { values: options } = parseArgs({ options: { platforms: { type: 'string', default: 'systrap,ptrace' } } });
for (const platform of options.platforms.split(',')) {
  const args = ['--import', PROBE, CLI, '--platform', platform, 'do', '--', ...GUEST];
  const { stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 });
  const { late, ours } = JSON.parse(/^\{.*\}$/m.exec(stderr)[0]);
  for (const [name, figures] of Object.entries({ 'in all': late, 'without waits for a processor': ours })) {
    const [half, most, all] = [figures.median, figures.p99, figures.max].map((ms) => ms.toFixed(2).padStart(6));
    const title = `${platform.padEnd(8)} ${late.count} timers of 1 ms, late ${name}:`.padEnd(66);
    console.log(`${title} ${half} ms (median), ${most} (99 %), ${all} (all)`);
  }
}
