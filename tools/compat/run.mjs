// Runs each case natively and under TSV and compares stdout, stderr, exit status and the files written. Prints a table
// and ends with `N passed, N failed`; exits 1 on any difference.
//   npm run compat [-- --only TEXT] [--platform NAME] [--systrap-patching on|off] [--every N] [--offset N] [--verbose] [--jobs N]
import { execFileSync, spawn } from 'node:child_process';
import { accessSync, constants, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CASES } from './cases.mjs';

const CLI = fileURLToPath(new URL('../../packages/cli/bin/tsv.js', import.meta.url));
const PROGRAMS = fileURLToPath(new URL('./programs', import.meta.url));
const GUESTS = fileURLToPath(new URL('./guests', import.meta.url));
const OUTPUT_BYTES_MAX = 4 << 20;

const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGABRT: 6, SIGFPE: 8, SIGKILL: 9, SIGSEGV: 11, SIGPIPE: 13, SIGTERM: 15 };

/** Runs the command and then lists the directory with sums, so that written files are compared too. */
const FILES_AFTER =
  '"$@"; status=$?; echo "files:"; find . -type f -exec sha256sum {} + | sort -k 2; find . -type l -exec readlink {} + ; find . -type d | sort; exit $status';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    platform: { type: 'string', default: 'auto' },
    'systrap-patching': { type: 'string', default: 'on' },
    every: { type: 'string', default: '1' },
    offset: { type: 'string', default: '0' },
    verbose: { type: 'boolean', default: false },
    jobs: { type: 'string', default: '2' },
  },
});

const built = mkdtempSync(join(tmpdir(), 'tsv-guests-'));
let passedCount = 0;
let failedCount = 0;
try {
  const chosen = CASES.filter((test) => options.only === undefined || test.name.includes(options.only));
  const queue = chosen.filter((_, i) => i % Number(options.every) === Number(options.offset));
  await Promise.all(Array.from({ length: Number(options.jobs) }, () => work(queue)));
} finally {
  rmSync(built, { recursive: true, force: true });
}
console.log(`${passedCount} passed, ${failedCount} failed`);
process.exitCode = failedCount === 0 && passedCount > 0 ? 0 : 1;

/** Takes cases from the queue until it is empty. */
async function work(queue) {
  for (let test = queue.shift(); test !== undefined; test = queue.shift()) {
    const missing = [test.needs, test.guest?.compiler].find(
      (program) => program !== undefined && !isInstalled(program),
    );
    if (missing !== undefined) {
      console.log(`absent  ${test.name}: ${missing} is not installed`);
      continue;
    }
    const problem = await compare(test.guest === undefined ? test : { ...test, argv: build(test) });
    if (problem === null) passedCount++;
    else failedCount++;
    console.log(`${problem === null ? 'same  ' : 'DIFFER'}  ${test.name}`);
    if (problem !== null) console.log(problem.replace(/^/gm, '        '));
  }
}

/** Compiles a program of ours; its command. */
function build({ name, guest }) {
  const program = join(built, name.replaceAll(/[^a-zA-Z0-9]+/g, '-'));
  execFileSync(guest.compiler, [...guest.flags, '-o', program, resolve(GUESTS, guest.source)], { stdio: 'inherit' });
  return [program, ...guest.args];
}

function isInstalled(program) {
  return process.env.PATH.split(':').some((dir) => {
    try {
      accessSync(join(dir, program), constants.X_OK);
      return true;
    } catch (error) {
      if (['ENOENT', 'EACCES', 'ENOTDIR'].includes(error.code)) return false;
      throw error;
    }
  });
}

/** Null when both runs agree, else what differs. */
async function compare(test) {
  const argv = test.files ? ['sh', '-c', FILES_AFTER, 'sh', ...test.argv] : test.argv;
  const how = ['--net-raw', '--platform', options.platform, '--systrap-patching', options['systrap-patching']];
  how.push(...(test.flags ?? []));
  const under = await inFixture((cwd) =>
    execute(process.execPath, [CLI, ...how, 'do', '--cwd', cwd, '--', ...argv], test, cwd),
  );
  if (test.expect !== undefined) {
    if (test.expect.test(under.stdout) && under.status === '0') return null;
    return `stdout does not match ${test.expect}, status ${under.status}\n${under.stdout}\n${under.stderr}`;
  }
  const native = await inFixture((cwd) => execute(argv[0], argv.slice(1), test, cwd));
  if (test.sorted) for (const run of [native, under]) run.stdout = run.stdout.split('\n').sort().join('\n');
  const fields = ['status', 'stdout', ...(test.stderr === false ? [] : ['stderr'])];
  const differing = fields.filter((field) => native[field] !== under[field]);
  if (differing.length === 0) return null;
  const shown = differing.map(
    (field) => `${field}: native ${show(native[field])}\n${' '.repeat(field.length)}  TSV    ${show(under[field])}`,
  );
  if (!differing.includes('stderr') && under.stderr !== native.stderr)
    shown.push(`stderr of TSV: ${show(under.stderr)}`);
  return shown.join('\n');
}

async function inFixture(body) {
  const cwd = mkdtempSync(join(tmpdir(), 'tsv-compat-'));
  try {
    cpSync(PROGRAMS, cwd, { recursive: true });
    const result = await body(cwd);
    for (const field of ['stdout', 'stderr']) {
      result[field] = result[field].replaceAll(cwd, '/CWD').replaceAll(built, '/GUESTS');
    }
    return result;
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}

function execute(command, args, test, cwd) {
  return new Promise((resolve, reject) => {
    const env = {
      PATH: process.env.PATH,
      HOME: '/root',
      LANG: 'C',
      LC_ALL: 'C',
      TZ: 'UTC',
      PYTHONUNBUFFERED: '1',
      ...test.env,
    };
    const child = spawn(command, args, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr']) {
      child[name].setEncoding('latin1');
      child[name].on('data', (text) => {
        if (output[name].length < OUTPUT_BYTES_MAX) output[name] += text;
      });
    }
    const timer = setTimeout(() => {
      output.stderr += '\n(killed: it took too long)';
      killGroup(child.pid);
    }, test.timeoutMs ?? 15000);
    child.on('error', reject);
    child.stdin.on('error', () => {
      // The program may end without reading its input; the write fails then, natively too.
    });
    child.stdin.end(test.stdin ?? '');
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      // A death by signal shows as 128 + n from TSV, as from a shell.
      resolve({ ...output, status: String(code ?? 128 + SIGNALS[signal]) });
    });
  });
}

/** Kills a command with what it started. */
function killGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

function show(text) {
  return JSON.stringify(text.length > 1500 && !options.verbose ? `${text.slice(0, 1500)}…` : text);
}
