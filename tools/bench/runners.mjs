// The ways to run a command: natively, under each platform of TSV, and under runsc.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../packages/cli/bin/tsv.js', import.meta.url));
const RUNSC_PLATFORMS = ['ptrace', 'systrap', 'kvm'];
const PROBE_TIMEOUT_MS = 20_000;

/**
 * @typedef {object} Runner
 * @property {string} name
 * @property {string} [platform] Of TSV.
 * @property {(argv: readonly string[], tsvOptions?: readonly string[]) => string[]} wrap The command that runs `argv`.
 */

/**
 * Those that start here.
 * @param {readonly string[]} platforms Of TSV.
 * @returns {Runner[]}
 */
export function findRunners(platforms) {
  const native = { name: 'native', wrap: (argv) => [...argv] };
  const candidates = [
    ...platforms.map((platform) => ({ name: `tsv ${platform}`, platform, wrap: tsv(platform) })),
    ...RUNSC_PLATFORMS.map((platform) => ({ name: `runsc ${platform}`, wrap: runsc(platform) })),
  ];
  return [native, ...candidates.filter(starts)];
}

function tsv(platform) {
  return (argv, options = []) => [process.execPath, CLI, '--platform', platform, ...options, 'do', '--', ...argv];
}

function runsc(platform) {
  return (argv) => ['runsc', '--network=none', `--platform=${platform}`, 'do', '--force-overlay', ...argv];
}

function starts(runner) {
  const [command, ...args] = runner.wrap(['/bin/true']);
  const { status } = spawnSync(command, args, { stdio: 'ignore', timeout: PROBE_TIMEOUT_MS });
  if (status !== 0) console.error(`${runner.name} does not start here`);
  return status === 0;
}
