// containerd's runc shim (io.containerd.runc.v2) with TSV in the place of runc, in a root and on a socket of its own.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Suite, exec, ok } from './suite.mjs';

/** Runs every test in `dir`; returns how many passed and failed. */
export async function testContainerd(dir, runtime, ociArchive) {
  mkdirSync(dir, { recursive: true });
  const address = join(dir, 'c.sock');
  writeFileSync(
    join(dir, 'config.toml'),
    `version = 2\nroot = "${dir}/root"\nstate = "${dir}/state"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "${address}"\n`,
  );
  const log = openSync(join(dir, 'containerd.log'), 'w');
  const daemon = spawn('containerd', ['--config', join(dir, 'config.toml')], { stdio: ['ignore', log, log] });
  const ended = new Promise((resolve) => daemon.once('close', resolve));
  const ctr = (...args) => ok(['ctr', '--address', address, ...args]);
  const tryCtr = (...args) => exec(['ctr', '--address', address, ...args]);
  const run = (...args) => ['run', '--runc-binary', runtime, '--snapshotter', 'native', ...args];
  const suite = new Suite('containerd');
  let image;

  suite.test('run', async () => {
    assert.equal(await ctr(...run('--rm', image, 'a', 'echo', 'hello')), 'hello\n');
    assert.equal((await tryCtr(...run('--rm', image, 'b', 'sh', '-c', 'exit 7'))).status, 7);
  });
  suite.test('run detached, exec, ps, pause, kill, rm', async () => {
    await ctr(...run('-d', image, 'c', 'sleep', '600'));
    assert.match(await ctr('task', 'ls'), /^c\s+\d+\s+RUNNING$/m);
    assert.equal(
      await ctr('task', 'exec', '--exec-id', 'x', 'c', 'sh', '-c', 'id -u; hostname >/dev/null; echo in'),
      '0\nin\n',
    );
    assert.equal((await tryCtr('task', 'exec', '--exec-id', 'y', 'c', 'sh', '-c', 'exit 9')).status, 9);
    assert.match(await ctr('task', 'ps', 'c'), /^PID\s+INFO\n\d+/);
    await ctr('task', 'pause', 'c');
    assert.match(await ctr('task', 'ls'), /PAUSED/);
    await ctr('task', 'resume', 'c');
    await ctr('task', 'kill', '-s', 'SIGKILL', 'c');
    for (let i = 0; i < 200 && !(await ctr('task', 'ls')).includes('STOPPED'); i++) await sleep(50);
    await ctr('task', 'rm', 'c');
    await ctr('container', 'rm', 'c');
    assert.equal((await ctr('container', 'ls', '-q')).trim(), '');
  });

  try {
    for (let i = 0; i < 200 && (await tryCtr('version')).status !== 0; i++) await sleep(50);
    await ctr('image', 'import', '--snapshotter', 'native', ociArchive);
    image = (await ctr('image', 'ls', '-q')).trim();
    return await suite.run();
  } finally {
    daemon.kill('SIGTERM');
    await ended;
  }
}
