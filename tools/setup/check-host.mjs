// Says what is missing before anything is installed: TSV is built from source, and its native parts run on one kind of host.
import { spawnSync } from 'node:child_process';

const problems = [];
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 17)) {
  problems.push(`Node.js ${process.versions.node} is too old: install Node.js 20.17 or newer`);
}
if (process.platform !== 'linux' || process.arch !== 'x64') {
  problems.push(`This host is ${process.platform}-${process.arch}: TSV runs on linux-x64; use such a machine or VM`);
}
if (!runs('cargo')) problems.push('Rust is missing (cargo not found): install a stable toolchain, https://rustup.rs');
if (!runs('cc'))
  problems.push('A C linker is missing (cc not found): install gcc or clang, such as Debian\'s "build-essential"');

for (const problem of problems) console.error(`Cannot set up TSV: ${problem}`);
process.exitCode = problems.length === 0 ? 0 : 1;

function runs(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
}
