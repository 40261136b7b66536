// Uses @tsv/netstack as somebody does who has only the published packages: packs it with what it needs, installs the
// tarballs in a directory of its own, and there runs the README's examples, checks the types from outside, and bundles
// the core for a browser. Ends with `N passed, N failed`. Needs the packages built.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createContext, Script } from 'node:vm';

const root = fileURLToPath(new URL('../../', import.meta.url));
const PACKAGES = ['abi', 'waiter', 'clock', 'netstack'];
/** What the examples and the checks use beside: taken from here, so that no registry is asked. */
const BORROWED = ['undici', '@types/node', 'undici-types'];
const STEP_MS = 120_000;
/** As much of Jest's `expect` as the README needs. */
const EXPECT = `import assert from 'node:assert/strict';
const expect = (actual) => ({ toBe: (expected) => assert.equal(actual, expected) });
`;

const dir = mkdtempSync(join(tmpdir(), 'tsv-installed-'));
const counts = { passed: 0, failed: 0 };
try {
  install();
  const readme = readFileSync(join(dir, 'node_modules/@tsv/netstack/README.md'), 'utf8');
  const examples = [...readme.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code);
  assert.notEqual(examples.length, 0);
  examples.forEach((code, i) =>
    test(`README: example ${i + 1}`, () => runModule(`example-${i + 1}.mjs`, EXPECT + code)),
  );
  for (const [module, moduleResolution] of [
    ['node16', 'node16'],
    ['esnext', 'bundler'],
  ]) {
    test(`types, moduleResolution ${moduleResolution}`, () => checkTypes(module, moduleResolution));
  }
  test('the core in a browser', () => runBundle(examples[0]));
} finally {
  rmSync(dir, { recursive: true, force: true });
}
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exitCode = counts.failed === 0 ? 0 : 1;

function install() {
  const tarballs = PACKAGES.map((name) => {
    const args = ['pack', '--json', '--ignore-scripts', '--loglevel=error', '--pack-destination', dir];
    const packed = JSON.parse(run('npm', args, join(root, 'packages', name)));
    return `./${(Array.isArray(packed) ? packed[0] : packed[`@tsv/${name}`]).filename}`;
  });
  writeFileSync(
    join(dir, 'package.json'),
    '{ "name": "stranger", "version": "1.0.0", "private": true, "type": "module" }',
  );
  run('npm', ['install', '--offline', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error', ...tarballs]);
  mkdirSync(join(dir, 'node_modules/@types'));
  for (const name of BORROWED) symlinkSync(join(root, 'node_modules', name), join(dir, 'node_modules', name));
}

function runModule(name, code) {
  writeFileSync(join(dir, name), code);
  run(process.execPath, [name]);
}

/** A strict program sees every entry point, with the types of what the packages need. */
function checkTypes(module, moduleResolution) {
  const { exports } = JSON.parse(readFileSync(join(dir, 'node_modules/@tsv/netstack/package.json'), 'utf8'));
  const entries = Object.keys(exports).filter((path) => path !== './package.json');
  const imports = entries.map((path, i) => `import * as m${i} from '@tsv/netstack${path.slice(1)}';`);
  const uses = entries.map((_, i) => `export const names${i}: string[] = Object.keys(m${i});`);
  const code = `${[...imports, ...uses].join('\n')}
import { EgressPolicy, IpAddress, type Stack, TcpSocket } from '@tsv/netstack';
export function use(stack: Stack): number {
  new EgressPolicy(stack, { onFlow: ({ names }) => ({ action: names.length > 0 ? 'allow' : 'deny' }) });
  return new TcpSocket(stack, false).connect(IpAddress.parse('10.0.0.1'), 80);
}
// @ts-expect-error: a port is a number.
export const wrong = (socket: TcpSocket): number => socket.connect(IpAddress.parse('10.0.0.1'), '80');
`;
  writeFileSync(join(dir, 'types.ts'), code);
  const options = ['--module', module, '--moduleResolution', moduleResolution, '--target', 'es2022', '--types', 'node'];
  run(process.execPath, [
    join(root, 'node_modules/typescript/bin/tsc'),
    '--noEmit',
    '--strict',
    ...options,
    'types.ts',
  ]);
}

/** The first example where there is nothing of Node, only the language. */
function runBundle(example) {
  writeFileSync(join(dir, 'browser.mjs'), example.replace(/^expect\((.*)\)\.toBe\(3\);$/m, 'globalThis.result = $1;'));
  const options = ['--bundle', '--platform=browser', '--format=iife', '--log-level=warning', '--outfile=browser.js'];
  run(join(root, 'node_modules/.bin/esbuild'), ['browser.mjs', ...options]);
  const context = createContext({});
  new Script(readFileSync(join(dir, 'browser.js'), 'utf8')).runInContext(context, { timeout: STEP_MS });
  assert.equal(context.result, 3);
}

function run(file, args, cwd = dir) {
  return execFileSync(file, args, { cwd, encoding: 'utf8', timeout: STEP_MS, stdio: ['ignore', 'pipe', 'pipe'] });
}

function test(name, check) {
  try {
    check();
    counts.passed++;
    console.log(`passed  ${name}`);
  } catch (error) {
    counts.failed++;
    console.log(`FAILED  ${name}\n${error.message}\n${error.stdout ?? ''}`);
  }
}
