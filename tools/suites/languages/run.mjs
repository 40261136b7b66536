// Runs the network tests of CPython and of Go inside of a sandbox. Each has its own bound; what is left out is named
// below, with the reason. Prints what failed and ends with `N passed, N failed`.
//   node tools/suites/languages/run.mjs [--only TEXT] [--platform NAME]
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: { only: { type: 'string', default: '' }, platform: { type: 'string', default: 'ptrace' } },
});
const CLI = fileURLToPath(new URL('../../../packages/cli/bin/tsv.js', import.meta.url));
const RUN_TESTS = fileURLToPath(new URL('run_tests.py', import.meta.url));
const MINUTE_MS = 60_000;
/**
 * Tests of CPython that are left out: there is no UDP-Lite (RFC 3828); where there is a vsock(7), nobody answers; those of
 * connection attributes close the client's socket while its thread may still ask for its name.
 */
const LEFT_OUT = 'UDPLITE|VSOCK|NetworkConnectionAttributesTest';
/** By how long they take: those of a lane run one after the other. */
const LANES = [
  ['test_socket'],
  [
    ['test_ssl', 'test_epoll', 'test_httplib', 'test_httpservers'],
    ['test_asyncio.test_sock_lowlevel', 'test_asyncio.test_streams', 'test_asyncio.test_server'],
    ['test_socketserver', 'test_ftplib'],
  ],
];

const total = { passed: 0, failed: 0 };
const scratch = mkdtempSync(join(tmpdir(), 'tsv-languages-'));
try {
  const python = findPython();
  if (python === undefined) console.log('absent  CPython: no interpreter here has its own tests');
  else {
    await Promise.all(
      LANES.map(async (lane) => {
        for (const modules of lane.map((item) => [item].flat())) await runPython(python, modules);
      }),
    );
  }
  await runGo();
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 ? 0 : 1;

/** An interpreter that has `test.test_socket`: Debian's has not. */
function findPython() {
  const versions = join(process.env.PYENV_ROOT ?? join(homedir(), '.pyenv'), 'versions');
  const built = existsSync(versions) ? readdirSync(versions).filter((name) => name.startsWith('3.11.')) : [];
  const candidates = [...built.map((name) => join(versions, name, 'bin', 'python3.11')), '/usr/bin/python3'];
  return candidates.find((path) => spawnSync(path, ['-c', 'import test.test_socket, ssl']).status === 0);
}

async function runPython(python, modules) {
  const name = `CPython: ${modules.join(' ')}`;
  if (!name.includes(options.only)) return;
  const argv = [python, RUN_TESTS, LEFT_OUT, ...modules.map((module) => `test.${module}`)];
  const { output, isLate } = await inSandbox(argv, { minutes: 4 });
  const isWhole = /^done$/m.test(output);
  const failed = output.match(/^(FAILED|ERROR) .*(\n {4}.*)*/gm) ?? [];
  count(name, output.match(/^ok /gm)?.length ?? 0, failed, isWhole ? '' : endOf(output, isLate));
}

/** The tests of package net, built here and run in the sandbox in the directory of their data. */
async function runGo() {
  const name = 'Go: net';
  if (!name.includes(options.only)) return;
  const go = ['go', '/usr/local/go/bin/go'].find((path) => spawnSync(path, ['version']).status === 0);
  if (go === undefined) return console.log('absent  Go is not installed');
  const source = join(execFileSync(go, ['env', 'GOROOT'], { encoding: 'utf8' }).trim(), 'src/net');
  if (!existsSync(join(source, 'dial_test.go'))) return console.log('absent  Go has no tests here');
  const binary = join(scratch, 'net.test');
  const built = spawnSync(go, ['test', '-c', '-o', binary, '.'], { cwd: source, timeout: 5 * MINUTE_MS });
  if (built.status !== 0) return console.log(`absent  Go cannot build its tests here: ${built.stderr}`);
  // The shell leads the session, so that the terminal that a test opens does not hang up on all of them.
  const argv = ['sh', '-c', `${binary} -test.short -test.v -test.timeout 150s; exit $?`];
  const { output, isLate } = await inSandbox(argv, { minutes: 3, cwd: source });
  const failed = output.match(/^ *--- FAIL: .*(\n {4}.*)*/gm) ?? [];
  const isWhole = /^(PASS|FAIL)$/m.test(output);
  count(name, output.match(/^--- PASS: /gm)?.length ?? 0, failed, isWhole ? '' : endOf(output, isLate));
}

function count(name, passed, failed, problem) {
  const failedCount = failed.length + (problem === '' && passed > 0 ? 0 : 1);
  total.passed += passed;
  total.failed += failedCount;
  console.log(`${failedCount === 0 ? 'passed' : 'FAILED'}  ${name}: ${passed} tests`);
  for (const text of failed) console.log(text.replace(/^/gm, '        '));
  if (failedCount > failed.length) console.log(problem === '' ? '        nothing ran' : problem);
}

function endOf(output, isLate) {
  return `        ${isLate ? 'not done in time' : 'ended before its time'}:\n${output.slice(-2000).replace(/^/gm, '        ')}`;
}

/** Runs a command in a sandbox of its own, which is killed when its time is over. */
function inSandbox(argv, { minutes, cwd = scratch }) {
  const args = [CLI, '--net-raw', '--platform', options.platform, 'do', '--cwd', cwd, '--', ...argv];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
  return new Promise((resolve) => {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      process.kill(-child.pid, 'SIGKILL');
      child.stdout.destroy();
      child.stderr.destroy();
    }, minutes * MINUTE_MS);
    child.on('close', () => {
      clearTimeout(timer);
      resolve({ output, isLate });
    });
  });
}
