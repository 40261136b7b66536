// Proves that whoever cannot set TSV up or start it is told what to do, and that nothing is left behind: no process, no
// file, no state of a container.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installSeccompFilter } from '@tsv/host';

const root = fileURLToPath(new URL('../../', import.meta.url));
const CHECK_HOST = `${root}tools/setup/check-host.mjs`;
const TSV = `${root}packages/cli/bin/tsv.js`;
const WITHOUT_PTRACE = '--without-ptrace';

if (process.argv[2] === WITHOUT_PTRACE) startWithoutPtrace();
else proveAll();

/** Runs `tsv` as a host does that forbids ptrace(2), such as a container with an old seccomp profile. */
function startWithoutPtrace() {
  const filter = { mismatch_action: 'allow', match_action: { errno: 1 }, filter: [{ syscall: 'ptrace' }] };
  installSeccompFilter(JSON.stringify(filter));
  const { status, stderr } = spawnSync(process.execPath, [TSV, '--platform', 'ptrace', 'run', '--', 'true'], {
    encoding: 'utf8',
  });
  process.stderr.write(stderr);
  process.exitCode = status ?? 1;
}

function proveAll() {
  const scratch = mkdtempSync(join(tmpdir(), 'tsv-messages-'));
  try {
    let failedCount = 0;
    const cases = [...setUpCases(scratch), ...startCases(scratch)];
    for (const test of cases) {
      const problem = problemOf(test, scratch);
      if (problem !== null) failedCount++;
      console.log(problem === null ? `ok      ${test.name}` : `FAILED  ${test.name}: ${problem}`);
    }
    console.log(`${cases.length - failedCount} passed, ${failedCount} failed`);
    process.exitCode = failedCount === 0 ? 0 : 1;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function setUpCases(scratch) {
  const pretend = (what, value) =>
    `--import=data:text/javascript,${encodeURIComponent(`Object.defineProperty(${what}, ${JSON.stringify(value)})`)}`;
  const onArm = pretend("process, 'arch'", { value: 'arm64' });
  const onMac = pretend("process, 'platform'", { value: 'darwin' });
  const old = pretend("process.versions, 'node'", { value: '18.20.0' });
  const pathWithout = (program) => {
    const dir = join(scratch, `without-${program}`);
    mkdirSync(dir);
    for (const other of ['cargo', 'cc', 'node'].filter((name) => name !== program))
      symlinkSync('/bin/true', join(dir, other));
    return dir;
  };
  return [
    {
      name: 'Rust is missing',
      argv: [CHECK_HOST],
      env: { PATH: pathWithout('cargo') },
      says: /install a stable toolchain, https:\/\/rustup\.rs/,
    },
    { name: 'a linker is missing', argv: [CHECK_HOST], env: { PATH: pathWithout('cc') }, says: /install gcc or clang/ },
    {
      name: 'another architecture',
      argv: [onArm, CHECK_HOST],
      says: /linux-arm64: TSV runs on linux-x64; use such a machine/,
    },
    { name: 'another system', argv: [onMac, CHECK_HOST], says: /darwin-x64: TSV runs on linux-x64/ },
    {
      name: 'an old Node.js',
      argv: [old, CHECK_HOST],
      says: /Node\.js 18\.20\.0 is too old: install Node\.js 20\.17 or newer/,
    },
  ].map((test) => ({ ...test, status: 1 }));
}

function startCases(scratch) {
  const bundle = (name, config) => {
    const dir = join(scratch, name);
    mkdirSync(dir);
    if (config !== undefined)
      writeFileSync(join(dir, 'config.json'), typeof config === 'string' ? config : JSON.stringify(config));
    return dir;
  };
  const valid = { ociVersion: '1.0.2', root: { path: '/' }, process: { cwd: '/', args: ['true'] } };
  const tsv = (name, args, says, status = 128) => ({ name, argv: [TSV, ...args], says, status });
  const run = (name, config, says) =>
    tsv(name, ['run', '--bundle', bundle(name.replaceAll(' ', '-'), config), 'id'], says);
  return [
    {
      name: 'no permission to trace',
      argv: [fileURLToPath(import.meta.url), WITHOUT_PTRACE],
      says: /Cannot use platform "ptrace": .*(--cap-add SYS_PTRACE|ptrace_scope)/,
      status: 128,
    },
    tsv(
      'no such platform',
      ['--platform', 'vmware', 'do', 'true'],
      /Cannot use platform "vmware": there is none; choose from auto, systrap, ptrace/,
    ),
    tsv(
      'no such command of the guest',
      ['do', 'nosuchprogram'],
      /Cannot run "nosuchprogram": executable file not found in \$PATH/,
      127,
    ),
    tsv('a file that is no program', ['do', '/etc/passwd'], /Cannot run "\/etc\/passwd": permission denied/, 126),
    tsv('a missing bundle', ['run', '--bundle', '/nonexistent', 'id'], /Cannot open bundle "\/nonexistent"/),
    run('no config', undefined, /no config\.json; make one with "tsv spec"/),
    run('no JSON', '{', /it is not JSON/),
    run('a bad field', { ...valid, process: { cwd: '/', args: [1] } }, /process\.args\.0: must be string/),
    run('an unsupported version', { ...valid, ociVersion: '9.0.0' }, /ociVersion: "9\.0\.0" is not supported/),
    run('an unreadable rootfs', { ...valid, root: { path: 'missing' } }, /Cannot open root\.path/),
    run('a bad mount', { ...valid, mounts: [{ destination: '/x', type: 'zfs' }] }, /there is no filesystem "zfs"/),
  ];
}

/** Null when `test` ends as it should, else what is wrong. */
function problemOf(test, scratch) {
  const [cwd, tmp, state] = ['cwd', 'tmp', 'state'].map((name) => join(scratch, name));
  for (const dir of [cwd, tmp, state]) mkdirSync(dir, { recursive: true });
  const result = spawnSync(process.execPath, test.argv, {
    encoding: 'utf8',
    cwd,
    timeout: 60_000,
    env: { ...process.env, TMPDIR: tmp, XDG_RUNTIME_DIR: state, ...test.env },
  });
  if (result.status !== test.status) return `status ${result.status} instead of ${test.status}: ${result.stderr}`;
  if (!test.says.test(result.stderr)) return `it says ${JSON.stringify(result.stderr)}`;
  if (result.stdout !== '') return `it prints ${JSON.stringify(result.stdout)}`;
  const files = [cwd, tmp, state].flatMap(filesIn);
  if (files.length > 0) return `it leaves ${files.join(', ')}`;
  const pids = processesIn(cwd);
  return pids.length > 0 ? `it leaves processes ${pids.join(', ')}` : null;
}

/** Names of all files below a directory; directories themselves may stay. */
function filesIn(dir) {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Processes whose working directory is `dir`: stubs have that of the sentry. One that is about to end is given time. */
function processesIn(dir) {
  let pids = [];
  for (let tries = 0; tries < 50; tries++) {
    pids = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && directoryOf(pid) === dir);
    if (pids.length === 0) break;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  }
  return pids;
}

function directoryOf(pid) {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(error.code)) return '';
    throw error;
  }
}
