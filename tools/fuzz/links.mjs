// Lets a guest use names in a shared mount while the host swaps a directory there for a link that leads out of it, and
// checks that nothing outside is read or changed: with host files that the sentry opens, and that its gofer opens.
// Ends with `N passed, N failed`.
//   node tools/fuzz/links.mjs [--uses N]
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const CLI = fileURLToPath(new URL('../../packages/cli/bin/tsv.js', import.meta.url));
const SOURCE = fileURLToPath(new URL('guest/links.c', import.meta.url));
const WAYS = ['--file-access-mounts=shared', '--file-access-mounts=exclusive', '--directfs=false'];
const COMMAND_MS = 60_000;
const { values: options } = parseArgs({ options: { uses: { type: 'string', default: '1000' } } });

const dir = mkdtempSync(join(tmpdir(), 'tsv-links-'));
let passed = 0;
let failed = 0;
try {
  const program = join(dir, 'links');
  execFileSync('gcc', ['-O1', '-static', '-o', program, SOURCE], { stdio: 'inherit' });
  for (const [index, way] of WAYS.entries()) {
    const problem = race(program, join(dir, String(index)), way);
    if (problem === null) passed++;
    else failed++;
    console.log(problem === null ? `${way}: nothing led out` : `FAIL ${way}: ${problem}`);
  }
} finally {
  rmSync(dir, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

/** Null when all that the guest read was inside, and what is outside is as it was. */
function race(program, bundle, way) {
  makeBundle(program, bundle);
  const swapper = spawn(program, ['swap', join(bundle, 'mount')], { stdio: 'inherit' });
  const flags = ['--root', join(bundle, 'state'), way];
  let result;
  try {
    result = spawnSync(process.execPath, [CLI, ...flags, 'run', '--bundle', bundle, 'links'], {
      encoding: 'utf8',
      timeout: COMMAND_MS,
      killSignal: 'SIGKILL',
    });
  } finally {
    swapper.kill('SIGKILL');
  }
  if (result.status !== 0 || result.stdout !== 'inside\n')
    return `status ${result.status}, ${result.stdout}${result.stderr}`;
  const outside = join(bundle, 'outside');
  const mode = statSync(join(outside, 'secret')).mode & 0o777;
  const names = readdirSync(outside).join(' ');
  if (names !== 'secret' || mode !== 0o644) return `outside there are now ${names}, of mode ${mode.toString(8)}`;
  return readFileSync(join(outside, 'secret'), 'utf8') === 'outside' ? null : 'what is outside was written';
}

function makeBundle(program, bundle) {
  for (const name of ['rootfs/shared', 'mount/place', 'outside']) mkdirSync(join(bundle, name), { recursive: true });
  execFileSync('cp', [program, join(bundle, 'rootfs/links')]);
  writeFileSync(join(bundle, 'mount/place/secret'), 'inside', { mode: 0o644 });
  writeFileSync(join(bundle, 'outside/secret'), 'outside', { mode: 0o644 });
  symlinkSync('../outside', join(bundle, 'mount/link'));
  const mount = { destination: '/shared', type: 'bind', source: join(bundle, 'mount'), options: ['rbind', 'rw'] };
  const config = {
    ociVersion: '1.0.2',
    root: { path: 'rootfs' },
    process: { cwd: '/', args: ['/links', options.uses], env: [] },
    mounts: [mount],
    linux: { namespaces: [{ type: 'pid' }, { type: 'mount' }] },
  };
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(config));
}
