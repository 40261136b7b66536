// Packs every package as npm would publish it and checks what is inside: built files and types of each source, the
// Node-API binary where there is one, and nothing else.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const problems = [];

for (const name of readdirSync(`${root}packages`)) {
  const folder = `${root}packages/${name}`;
  const manifest = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'));
  const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts', '--loglevel=error'], {
    cwd: folder,
    encoding: 'utf8',
  });
  const packed = JSON.parse(output);
  const report = Array.isArray(packed) ? packed[0] : packed[manifest.name];
  const files = new Set(report.files.map((file) => file.path));
  for (const needed of neededFiles(folder, manifest)) {
    if (!files.has(needed)) problems.push(`${manifest.name}: "${needed}" is missing`);
  }
  for (const file of files) {
    if (!isWelcome(file, manifest)) problems.push(`${manifest.name}: "${file}" does not belong in it`);
  }
}
for (const problem of problems) console.error(`Cannot publish ${problem}`);
console.log(`${problems.length === 0 ? 'All packages pack' : 'Packages do not pack'} with exactly what they need`);
process.exitCode = problems.length === 0 ? 0 : 1;

function neededFiles(folder, manifest) {
  const needed = [
    'package.json',
    'README.md',
    manifest.exports['.'].default.slice(2),
    manifest.exports['.'].types.slice(2),
  ];
  if (manifest.bin !== undefined) needed.push(...Object.values(manifest.bin).map((path) => path.replace(/^\.\//, '')));
  if (manifest.napi !== undefined) needed.push(`native/${manifest.napi.binaryName}.linux-x64-gnu.node`);
  else if (existsSync(`${folder}/native/Cargo.toml`)) needed.push(programOf(manifest));
  return needed;
}

/** The program that a package builds in `native`, if it has one instead of an addon. */
function programOf(manifest) {
  return `native/${manifest.name.slice(1).replace('/', '-')}`;
}

function isWelcome(file, manifest) {
  if (['package.json', 'README.md', 'CHANGELOG.md', 'LICENSE'].includes(file)) return true;
  if (file.startsWith('bin/')) return manifest.bin !== undefined;
  if (/^dist\/(?!test\/).*\.(js|mjs|cjs|d\.ts|map)$/.test(file)) return !/\.test\.|\/testing\//.test(file);
  if (file === programOf(manifest)) return true;
  const hasNative = manifest.napi !== undefined || manifest.exports['./native'] !== undefined;
  return hasNative && /^native\/(index\.(js|d\.ts)|package\.json|[\w.-]+\.node)$/.test(file);
}
