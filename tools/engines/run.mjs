// Runs container engines of Debian with TSV as their runtime, and ends with `N passed, N failed`. What cannot run here is
// skipped, and the reason is printed.
//   node tools/engines/run.mjs
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { busyboxImage } from './busybox-image.mjs';
import { testContainerd } from './containerd.mjs';
import { testDocker } from './docker.mjs';
import { testPodman } from './podman.mjs';
import { exec, ok } from './suite.mjs';

const CLI = fileURLToPath(new URL('../../packages/cli/bin/tsv.js', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'tsv-engines-'));
const has = (program) => spawnSync('which', [program], { stdio: 'ignore' }).status === 0;
let passed = 0;
let failed = 0;

try {
  const archive = busyboxImage(dir);
  // Engines want a program by its path; the containers of this run have a state directory of their own.
  const runtime = join(dir, 'tsv');
  writeFileSync(runtime, `#!/bin/sh\nXDG_RUNTIME_DIR= exec "${process.execPath}" "${CLI}" "$@"\n`);
  chmodSync(runtime, 0o755);
  if (process.getuid() !== 0) console.log('skip engines: they are started by root only');
  else {
    if (has('podman')) await count(testPodman(scratch('podman'), runtime, archive));
    else console.log('skip podman: it is not installed');
    if (has('containerd') && has('podman'))
      await count(testContainerd(scratch('ctd'), runtime, await ociArchive(archive)));
    else console.log('skip containerd: it is not installed');
    if (has('dockerd')) await count(testDocker(scratch('docker'), runtime, archive), 'docker');
    else console.log('skip docker: it is not installed');
  }
} finally {
  rmSync(dir, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

function scratch(name) {
  const path = join(dir, name);
  mkdirSync(path);
  return path;
}

/** Adds up what a suite tells; null means that its daemon does not start here. */
async function count(result, name) {
  const counts = await result;
  if (counts === null) {
    console.log(`skip ${name}: its daemon does not start here`);
    return;
  }
  passed += counts.passed;
  failed += counts.failed;
}

/** The image in the form that containerd imports, made by podman. */
async function ociArchive(archive) {
  const base = ['podman', '--root', join(dir, 'store'), '--runroot', join(dir, 'run'), '--storage-driver', 'vfs'];
  await ok([...base, 'import', archive, 'local/busybox:latest']);
  const path = join(dir, 'image.tar');
  await ok([...base, 'save', '--format', 'docker-archive', '-o', path, 'local/busybox:latest']);
  await exec([...base, 'rmi', '-fa']);
  return path;
}
