// Docker's engine with TSV as a runtime, in directories and on a socket of its own.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Suite, exec, ok } from './suite.mjs';

/** Runs every test in `dir`; returns how many passed and failed, or null where the daemon does not start. */
export async function testDocker(dir, runtime, archive) {
  const host = `unix://${join(dir, 'd.sock')}`;
  const log = openSync(join(dir, 'dockerd.log'), 'w');
  const options = ['--bridge=none', '--iptables=false', '--ip-masq=false', '--storage-driver', 'vfs', '-H', host];
  options.push('--data-root', join(dir, 'data'), '--exec-root', join(dir, 'exec'), '--pidfile', join(dir, 'pid'));
  options.push('--exec-opt', 'native.cgroupdriver=cgroupfs', '--add-runtime', `tsv=${runtime}`);
  const daemon = spawn('dockerd', options, { stdio: ['ignore', log, log] });
  const ended = new Promise((resolve) => daemon.once('close', resolve));
  const docker = (...args) => ok(['docker', '-H', host, ...args]);
  const tryDocker = (...args) => exec(['docker', '-H', host, ...args]);
  const run = (...args) => ['run', '--runtime', 'tsv', '--network', 'none', ...args];
  const suite = new Suite('docker');

  suite.test('run', async () => {
    assert.equal(await docker(...run('--rm', 'busybox', 'echo', 'hello')), 'hello\n');
    assert.equal((await tryDocker(...run('--rm', 'busybox', 'sh', '-c', 'exit 7'))).status, 7);
    assert.equal((await tryDocker(...run('--rm', 'busybox', 'nosuchprogram'))).status, 127);
  });
  suite.test('run detached, exec, ps, top, kill, rm', async () => {
    await docker(...run('-d', '--name', 'one', 'busybox', 'sleep', '600'));
    assert.equal((await tryDocker('exec', 'one', 'sh', '-c', 'id -u; exit 9')).status, 9);
    assert.equal(await docker('exec', 'one', 'id', '-u'), '0\n');
    assert.match(await docker('ps', '--format', '{{.Names}} {{.Status}}'), /^one Up /);
    assert.match(await docker('top', 'one'), /tsv-container\n$/);
    await docker('kill', 'one');
    assert.equal(await docker('inspect', '-f', '{{.State.ExitCode}}', 'one'), '137\n');
    await docker('rm', 'one');
  });
  suite.test('run with a CPU limit', async () => {
    const limited = await docker(...run('--rm', '--cpus', '0.5', 'busybox', 'cat', '/sys/fs/cgroup/cpu.max'));
    assert.equal(limited, '50000 100000\n');
  });

  try {
    for (let i = 0; i < 200 && (await tryDocker('version')).status !== 0; i++) {
      if (daemon.exitCode !== null) return null;
      await sleep(100);
    }
    await docker('import', archive, 'busybox');
    return await suite.run();
  } finally {
    daemon.kill('SIGTERM');
    await ended;
  }
}
