/**
 * Builds the Node-API addon of the package it is started in: `native/Cargo.toml` becomes `native/<name>.<triple>.node`,
 * `native/index.d.ts` (the contract, written by napi-derive) and `native/index.js` (the loader).
 *
 *   cd packages/pgalloc && node ../../tools/native/build.mjs [--debug]
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import process from 'node:process';
import { NapiCli, parseTriple } from '@napi-rs/cli';
import { loaderSource } from './loader.mjs';

const TARGET = 'x86_64-unknown-linux-gnu';

const packageDir = process.cwd();
const manifest = JSON.parse(readFileSync(join(packageDir, 'package.json'), 'utf8'));
checkHost();
checkManifest();

const { task } = await new NapiCli().build({
  cwd: packageDir,
  manifestPath: join(packageDir, 'native/Cargo.toml'),
  outputDir: 'native',
  target: TARGET,
  platform: true,
  noJsBinding: true,
  dts: 'index.d.ts',
  release: !process.argv.includes('--debug'),
  strip: !process.argv.includes('--debug'),
});
const built = (await task).find((output) => output.kind === 'node');
if (built === undefined) fail('cargo wrote no cdylib', 'give native/Cargo.toml [lib] crate-type = ["cdylib"]');

const triples = manifest.napi.targets.map((target) => parseTriple(target).platformArchABI);
writeFileSync(join(packageDir, 'native/index.js'), loaderSource(manifest.name, manifest.napi.binaryName, triples));
console.log(`Built native/${basename(built.path)}`);

/** Ends with advice if an addon cannot be built on this machine. */
function checkHost() {
  const here = `${process.platform}-${process.arch}`;
  if (here !== 'linux-x64') fail(`this is ${here}`, 'build on x86-64 Linux (a container or a VM will do)');
  let rustc;
  try {
    rustc = execFileSync('rustc', ['-vV'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    execFileSync('cargo', ['--version'], { stdio: 'ignore' });
  } catch (error) {
    const state =
      error.code === 'ENOENT' ? 'cargo and rustc are not on the PATH' : `rustc does not run (${error.message.trim()})`;
    fail(state, 'install Rust 1.88 or newer (https://rustup.rs), then run the build again');
  }
  const [, major, minor] = /^release: (\d+)\.(\d+)/m.exec(rustc) ?? [];
  if (major === '1' && Number(minor) < 88)
    fail(`Rust is ${major}.${minor}`, 'run "rustup update stable" (1.88 or newer is needed)');
  if (!/^host: x86_64-.*linux-gnu$/m.test(rustc) && !hasTargetLibraries()) {
    fail(`Rust has no libraries for ${TARGET}`, `run "rustup target add ${TARGET}"`);
  }
}

function hasTargetLibraries() {
  const dir = execFileSync('rustc', ['--print', 'target-libdir', '--target', TARGET], { encoding: 'utf8' }).trim();
  return existsSync(dir);
}

function checkManifest() {
  if (!existsSync(join(packageDir, 'native/Cargo.toml'))) {
    fail('there is no native/Cargo.toml here', 'run this in the folder of a package that has an addon');
  }
  if (!manifest.napi?.binaryName || !manifest.napi.targets?.includes(TARGET)) {
    fail('package.json does not say how', `add "napi": { "binaryName": "…", "targets": ["${TARGET}", …] }`);
  }
}

function fail(state, advice) {
  console.error(`Cannot build the addon of ${manifest.name}: ${state}\nTo go on: ${advice}`);
  process.exit(1);
}
