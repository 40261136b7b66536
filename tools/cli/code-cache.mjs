// Makes packages/cli/dist/bundle/*.cache: what V8 compiled when the command line did what it does most, so that it need not be
// compiled again at each start. A sandbox confines its process for good, so that each of the steps below is a process:
//   node tools/cli/code-cache.mjs commands|container|program
// Each begins with the caches that the one before has left, and leaves what it has compiled besides.
import { spawn } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';

const require = createRequire(import.meta.url);
const { cachePath, loadScript } = require('../../packages/cli/bin/bundle.js');

const ID = 'cache';
/** How long a container lives that nobody has ended: it is what bounds a step. */
const LIFE_S = 20;
const STEPS = { commands: useCommands, container: runContainer, program: runProgram };

// Sentries are started with this program.
process.argv[1] = fileURLToPath(new URL('../../packages/cli/bin/tsv.js', import.meta.url));
const { main } = loadScript('tsv').exports;
const [, , step, visited] = process.argv;
if (step === 'visit') await visit(visited);
else await makeCaches(STEPS[step]);

/** Writes the caches behind a step. */
async function makeCaches(run) {
  const names = readdirSync(dirname(cachePath('tsv')))
    .filter((name) => name.endsWith('.cjs'))
    .map((name) => basename(name, '.cjs'));
  const loaded = names.map((name) => loadScript(name).script);
  // Nothing can be opened by its name in a sandbox.
  const fds = names.map((name) => openSync(cachePath(name), 'w'));
  const status = await run();
  // Where nothing can be run, the cache has less in it.
  if (status !== 0) console.error(`Cannot run a program here (status ${status}): the start-up will be slower`);
  // V8 takes a cache only under the flags that it was made under: the one that a sandbox sets is what it was, and is by default.
  setFlagsFromString('--semi-space-growth-factor=2');
  for (const [i, script] of loaded.entries()) writeSync(fds[i], script.createCachedData());
}

/** The commands that engines call, on a container and one that joins it. */
async function useCommands() {
  const dir = mkdtempSync(join(tmpdir(), 'tsv-cache-'));
  const { tsv, bundle, remove } = place(dir);
  try {
    const status = await tsv('run', '--detach', '--bundle', bundle('sandbox'), ID);
    if (status === 0) await use(tsv, bundle('container'));
    return status;
  } finally {
    await tsv('delete', '--force', ID);
    remove();
  }
}

/** A container in this process, on which another one uses the commands that engines call. */
async function runContainer() {
  const dir = mkdtempSync(join(tmpdir(), 'tsv-cache-'));
  const { tsv, bundle } = place(dir);
  // It removes the directory, which this process cannot reach any more.
  spawn(process.execPath, [fileURLToPath(import.meta.url), 'visit', dir], { stdio: ['ignore', 'ignore', 'inherit'] });
  const status = await tsv('run', '--bundle', bundle('sandbox'), ID);
  return status === 128 + 9 ? 0 : status; // It was killed, as it should be.
}

function runProgram() {
  return main(['do', '--', '/bin/sh', '-c', 'ls / >/dev/null; exit 0']);
}

/** Uses the container of another process as soon as it runs. */
async function visit(dir) {
  const { tsv, bundle, remove } = place(dir);
  try {
    for (let tries = 0; !isRunning(dir) && tries < LIFE_S * 10; tries++) await sleep(100);
    if (isRunning(dir)) await use(tsv, bundle('container'));
  } finally {
    remove();
  }
}

function isRunning(dir) {
  try {
    return JSON.parse(readFileSync(join(dir, 'root', ID, 'state.json'), 'utf8')).phase === 'running';
  } catch (error) {
    if (error.code === 'ENOENT') return false;
    throw error;
  }
}

async function use(tsv, member) {
  await tsv('exec', ID, '/bin/true');
  await tsv('run', '--detach', '--bundle', member, 'member');
  await tsv('delete', '--force', 'member');
  await tsv('kill', ID, 'KILL');
}

/** What there is to use in a directory of its own. */
function place(dir) {
  const tsv = (...args) => main(['--root', join(dir, 'root'), ...args]);
  const bundle = (type) => {
    const path = mkdtempSync(join(dir, 'bundle-'));
    const config = {
      ociVersion: '1.0.2',
      root: { path: '/', readonly: true },
      process: { cwd: '/', args: ['/bin/sleep', String(LIFE_S)], env: ['PATH=/bin:/usr/bin'] },
      annotations: { 'io.kubernetes.cri.container-type': type, 'io.kubernetes.cri.sandbox-id': ID },
      mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }],
    };
    writeFileSync(join(path, 'config.json'), JSON.stringify(config));
    return path;
  };
  const remove = () => rmSync(dir, { recursive: true, force: true });
  return { tsv, bundle, remove };
}
