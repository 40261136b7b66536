/**
 * Builds the program of the package it is started in: the binary of `native/Cargo.toml` becomes `native/<name>`.
 *
 *   cd packages/gofer && node ../../tools/native/program.mjs
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

const TARGET = 'x86_64-unknown-linux-gnu';

const manifestPath = join(process.cwd(), 'native/Cargo.toml');
const metadata = JSON.parse(
  execFileSync('cargo', ['metadata', '--no-deps', '--format-version=1', '--manifest-path', manifestPath], {
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  }),
);
const crate = metadata.packages.find(({ manifest_path: path }) => path === manifestPath);
execFileSync('cargo', ['build', '--release', '--target', TARGET, '--manifest-path', manifestPath], {
  stdio: 'inherit',
});

const built = join(metadata.target_directory, TARGET, 'release', crate.name);
const installed = join(process.cwd(), 'native', crate.name);
// One that runs must not be written to.
copyFileSync(built, `${installed}.new`);
chmodSync(`${installed}.new`, 0o755);
renameSync(`${installed}.new`, installed);
console.log(`Built native/${crate.name}`);
