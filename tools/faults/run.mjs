// Kills what takes part in short container lives at random moments, and checks that nothing is left behind and that `list`
// and `delete --force` work whatever has happened. Ends with `N passed, N failed`.
//   node tools/faults/run.mjs [--lives N] [--seed N]
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { busyboxImage } from '../engines/busybox-image.mjs';

const { values } = parseArgs({ options: { lives: { type: 'string', default: '40' }, seed: { type: 'string' } } });
const CLI = fileURLToPath(new URL('../../packages/cli/bin/tsv.js', import.meta.url));
const COMMAND_MS = 60_000;
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const dir = mkdtempSync(join(tmpdir(), 'tsv-faults-'));
const root = join(dir, 'root');
let state = seed;
let passed = 0;
let failed = 0;

console.log(`seed ${seed}`);
try {
  const bundle = makeBundle();
  for (let life = 0; life < Number(values.lives); life++) {
    // Cgroups have the name of the container: it is of this run alone.
    const id = `life${life}-${process.pid}`;
    const victim = pick(['cli', 'sentry', 'gofer', 'stub', 'stand-in', 'client']);
    const delayMs = Math.floor(random() * 1500);
    // Half of the lives keep what they write in files of the host.
    const options = random() < 0.5 ? ['--overlay2=root:self'] : [];
    const problem = await liveAndDie({ id, bundle, options, victim, delayMs });
    if (problem === null) passed++;
    else {
      failed++;
      console.log(`FAIL life ${life}, ${victim} killed after ${delayMs} ms: ${problem}`);
    }
  }
} finally {
  rmSync(dir, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

/** One life: create, start, exec, kill, delete, while the victim is killed. Returns what is wrong, or null. */
async function liveAndDie({ id, bundle, options, victim, delayMs }) {
  const commands = [];
  const killer = sleep(delayMs).then(() => kill(victim, id, commands));
  for (const args of [
    [...options, 'create', '--bundle', bundle, id],
    ['start', id],
    ['exec', id, 'sh', '-c', 'sleep 0.3'],
    ['kill', id, 'KILL'],
  ]) {
    if ((await tsv(args, commands)) === 'stuck') return `"tsv ${args.join(' ')}" is stuck`;
  }
  await killer;
  if ((await tsv(['list'], [])) !== 0) return 'list fails';
  if ((await tsv(['delete', '--force', id], [])) !== 0) return 'delete --force fails';
  return leftovers(id, bundle);
}

async function leftovers(id, bundle) {
  for (let tries = 0; tries < 200; tries++) {
    const left = whatIsLeft(id, bundle);
    if (left === null) return null;
    if (tries === 199) return left;
    await sleep(25);
  }
}

function whatIsLeft(id, bundle) {
  if (existsSync(join(root, id))) return 'its directory is left';
  const store = readdirSync(join(bundle, 'rootfs')).find((name) => name.startsWith('.tsv'));
  if (store !== undefined) return `${store} is left in its root filesystem`;
  for (const { pid, command, status } of processes()) {
    if (command.includes(root) && !status.includes('State:\tZ')) return `process ${pid} is left: ${command}`;
  }
  const ours = new RegExp(`^tsv-[0-9a-f]+-${id}$`);
  const cgroup = readdirSync('/sys/fs/cgroup', { withFileTypes: true }).find(
    (entry) => entry.isDirectory() && readdirSync(join('/sys/fs/cgroup', entry.name)).some((name) => ours.test(name)),
  )?.name;
  if (cgroup !== undefined) return `its cgroup in ${cgroup} is left`;
  return readFileSync('/proc/self/mountinfo', 'utf8').includes(dir) ? 'a mount is left' : null;
}

/** Kills one process of the kind, if there is one now. */
function kill(victim, id, commands) {
  if (victim === 'cli' || victim === 'client') return commands.at(-1)?.kill('SIGKILL');
  const saved = readState(id);
  const pid = victim === 'stand-in' ? saved?.process?.pid : saved?.sentry?.pid;
  if (pid === undefined) return;
  const names = { stub: '', gofer: 'tsv-gofer' };
  const isChild = ({ parent, command }) => parent === pid && command === names[victim];
  const target = victim in names ? processes().find(isChild)?.pid : pid;
  try {
    if (target !== undefined) process.kill(target, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

function readState(id) {
  try {
    return JSON.parse(readFileSync(join(root, id, 'state.json'), 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw error;
  }
}

function processes() {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const command = readFileSync(`/proc/${name}/cmdline`, 'latin1').replaceAll('\0', ' ').trim();
        const status = readFileSync(`/proc/${name}/status`, 'latin1');
        return [{ pid: Number(name), parent: Number(/^PPid:\t(\d+)/m.exec(status)?.[1]), command, status }];
      } catch (error) {
        if (error.code === 'ENOENT' || error.code === 'ESRCH') return [];
        throw error;
      }
    });
}

/** Runs a command; resolves with its status, or 'stuck'. */
function tsv(args, commands) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [CLI, '--root', root, ...args], { stdio: 'ignore' });
    commands.push(child);
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      resolve('stuck');
    }, COMMAND_MS);
    child.on('exit', (status) => {
      clearTimeout(timer);
      resolve(status);
    });
  });
}

function makeBundle() {
  busyboxImage(dir);
  const config = {
    ociVersion: '1.0.2',
    root: { path: 'rootfs' },
    process: { cwd: '/', args: ['sh', '-c', 'echo x > /x; exec sleep 600'], env: ['PATH=/bin'] },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs' },
    ],
    linux: { namespaces: [{ type: 'pid' }, { type: 'mount' }] },
  };
  writeFileSync(join(dir, 'config.json'), JSON.stringify(config));
  mkdirSync(root, { recursive: true });
  return dir;
}

function pick(list) {
  return list[Math.floor(random() * list.length)];
}

/** mulberry32, a small generator: the same seed gives the same lives. */
function random() {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = state;
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}
