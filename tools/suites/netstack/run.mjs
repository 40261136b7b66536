// Puts the stack against the Linux kernel and its programs, over TAP devices and packet sockets in a network namespace
// of its own, which goes when it ends. Prints a table and ends with `N passed, N failed`.
//   node tools/suites/netstack/run.mjs [--only TEXT] [--seed N]
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    seed: { type: 'string', default: '1' },
    inside: { type: 'boolean', default: false },
  },
});

const reason = obstacle();
if (reason !== '') console.log(`skipped: ${reason}\n0 passed, 0 failed`);
else if (options.inside) await run();
else {
  const self = fileURLToPath(import.meta.url);
  const args = ['--net', process.execPath, self, '--inside', `--only=${options.only}`, `--seed=${options.seed}`];
  const child = spawn('unshare', args, { stdio: 'inherit' });
  process.exitCode = await new Promise((resolve) => child.on('close', (status) => resolve(status ?? 1)));
}

/** Why the suite cannot run here; empty if it can. */
function obstacle() {
  if (process.getuid() !== 0) return 'it needs root for a network namespace';
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
  } catch {
    return 'there is no /dev/net/tun';
  }
  if (spawnSync('unshare', ['--net', 'true']).status !== 0) return 'network namespaces cannot be made';
  return '';
}

async function run() {
  const { ip } = await import('./link-to-linux.mjs');
  const { CASES } = await import('./cases.mjs');
  ip('link', 'set', 'lo', 'up');
  let [passedCount, failedCount] = [0, 0];
  for (const test of CASES.filter(({ name }) => name.includes(options.only))) {
    const missing = (test.needs ?? []).find((program) => spawnSync('which', [program]).status !== 0);
    if (missing !== undefined) {
      console.log(`absent  ${test.name}: ${missing} is not installed`);
      continue;
    }
    try {
      const note = await test.run({ seed: Number(options.seed) });
      passedCount++;
      console.log(`passed  ${test.name}${note === undefined ? '' : `: ${note}`}`);
    } catch (error) {
      failedCount++;
      console.log(
        `FAILED  ${test.name} (seed ${options.seed})\n${String(error.stack ?? error).replace(/^/gm, '        ')}`,
      );
    }
  }
  console.log(`${passedCount} passed, ${failedCount} failed`);
  process.exit(failedCount === 0 && passedCount > 0 ? 0 : 1);
}
