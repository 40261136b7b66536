// podman with TSV as its runtime.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Suite, exec, ok } from './suite.mjs';

const TRAP = 'trap "exit 4" TERM; echo started; while :; do sleep 0.1; done';

/** Runs every test in `dir`; returns how many passed and failed. */
export async function testPodman(dir, runtime, archive) {
  const base = ['podman', '--root', join(dir, 'store'), '--runroot', join(dir, 'run'), '--tmpdir', join(dir, 'tmp')];
  base.push(
    '--storage-driver',
    'vfs',
    '--cgroup-manager',
    'cgroupfs',
    '--events-backend',
    'file',
    '--runtime',
    runtime,
  );
  const podman = (...args) => ok([...base, ...args]);
  const tryPodman = (...args) => exec([...base, ...args]);
  const run = (...args) => podman('run', '--rm', '--network', 'none', ...args);
  const started = async (name, ...args) => {
    await podman('run', '-d', '--name', name, '--network', 'none', ...args);
    for (let i = 0; i < 200 && !(await podman('logs', name)).includes('started'); i++) await sleep(50);
  };
  mkdirSync(join(dir, 'volume'));
  await podman('import', archive, 'busybox');
  const suite = new Suite('podman');

  suite.test('run passes output, input and status through', async () => {
    assert.equal(await run('busybox', 'echo', 'hello'), 'hello\n');
    assert.equal(
      (await exec([...base, 'run', '--rm', '-i', '--network', 'none', 'busybox', 'cat'], { input: 'in\n' })).stdout,
      'in\n',
    );
    assert.equal((await tryPodman('run', '--rm', '--network', 'none', 'busybox', 'sh', '-c', 'exit 7')).status, 7);
    assert.equal((await tryPodman('run', '--rm', '--network', 'none', 'busybox', 'nosuchprogram')).status, 127);
    assert.equal((await tryPodman('run', '--rm', '--network', 'none', 'busybox', '/etc/passwd')).status, 126);
  });
  suite.test('run with a volume, a user, a directory, variables and a read-only root', async () => {
    await run('-v', `${join(dir, 'volume')}:/data`, 'busybox', 'sh', '-c', 'echo kept > /data/file');
    assert.equal(readFileSync(join(dir, 'volume/file'), 'utf8'), 'kept\n');
    const script = 'id -u; id -g; pwd; echo $A; touch /tmp/x 2>&1';
    const options = ['--user', '1000:1000', '-w', '/var', '-e', 'A=b', '--read-only', '--read-only-tmpfs=false'];
    assert.equal(
      await run(...options, 'busybox', 'sh', '-c', `${script} || true`),
      '1000\n1000\n/var\nb\ntouch: /tmp/x: Read-only file system\n',
    );
  });
  suite.test('run with a memory limit and without capabilities', async () => {
    const script = 'grep CapEff /proc/self/status; chown 1 /tmp 2>&1 || true';
    const output = await run('--memory', '512m', '--cap-drop', 'all', 'busybox', 'sh', '-c', script);
    assert.match(output, /^CapEff:\s+0+\nchown: \/tmp: Operation not permitted\n$/);
  });
  suite.test('run with a tmpfs, a device, a limit and an init', async () => {
    const options = ['--tmpfs', '/scratch:size=1m', '--device', '/dev/zero:/dev/nought', '--ulimit', 'nofile=77:99'];
    const script = 'ulimit -n; ulimit -Hn; head -c 3 /dev/nought | wc -c; grep -c "^tmpfs /scratch " /proc/mounts';
    assert.equal(await run(...options, 'busybox', 'sh', '-c', script), '77\n99\n3\n1\n');
    const init = ['--init', '--init-path', '/usr/bin/tini-static'];
    assert.match(await run(...init, 'busybox', 'sh', '-c', 'echo $$; cat /proc/1/comm; exit 0'), /^[2-9]\n.*init\n$/);
  });
  suite.test('build of an image with commands', async () => {
    const context = join(dir, 'context');
    mkdirSync(context);
    writeFileSync(join(context, 'file'), 'copied\n');
    writeFileSync(
      join(context, 'Containerfile'),
      'FROM localhost/busybox\nCOPY file /file\nRUN cat /file /proc/version > /made\nCMD ["cat", "/made"]\n',
    );
    await podman('build', '--network', 'none', '--isolation', 'oci', '-t', 'made', context);
    const version = await run('busybox', 'cat', '/proc/version');
    assert.notEqual(version, readFileSync('/proc/version', 'utf8'));
    assert.equal(await run('made'), `copied\n${version}`);
  });
  suite.test('run on a terminal', async () => {
    const command = [
      ...base,
      'run',
      '--rm',
      '-it',
      '--network',
      'none',
      'busybox',
      'sh',
      '-c',
      "'tty; stty size'",
    ].join(' ');
    // At the end of its input script(1) types ^D, which podman reads as the end of its own, or once its terminal is raw as NUL.
    const script = ['script', '-qec', `stty rows 29 cols 91; ${command}`, '/dev/null'];
    const output = await ok(script, { endsInput: false });
    assert.match(output.replaceAll('\r', ''), /\/dev\/pts\/0\n29 91\n$/);
  });
  suite.test('exec, ps, top, logs, inspect', async () => {
    await started('a', 'busybox', 'sh', '-c', TRAP);
    assert.equal(await podman('exec', 'a', 'sh', '-c', 'id -u; echo $HOME'), '0\n/root\n');
    assert.equal(await podman('exec', '-u', '1000', 'a', 'id', '-u'), '1000\n');
    assert.equal((await tryPodman('exec', 'a', 'sh', '-c', 'exit 9')).status, 9);
    assert.equal((await tryPodman('exec', 'a', 'nosuchprogram')).status, 127);
    assert.equal((await exec([...base, 'exec', '-i', 'a', 'cat'], { input: 'in\n' })).stdout, 'in\n');
    assert.match(await podman('ps', '--format', '{{.Names}} {{.Status}}'), /^a Up /);
    assert.match(await podman('top', 'a', '-o', 'pid,comm'), /^PID\s+COMMAND\n\s+1 sh\n/);
    assert.equal(await podman('logs', 'a'), 'started\n');
  });
  suite.test('cp into and out of a running container', async () => {
    writeFileSync(join(dir, 'file'), 'copied\n');
    await podman('cp', join(dir, 'file'), 'a:/tmp/file');
    assert.equal(await podman('exec', 'a', 'cat', '/tmp/file'), 'copied\n');
    await podman('exec', 'a', 'sh', '-c', 'echo inside > /tmp/other');
    await podman('cp', 'a:/tmp/other', join(dir, 'other'));
    assert.equal(readFileSync(join(dir, 'other'), 'utf8'), 'inside\n');
  });
  suite.test('pause, unpause, stats, stop, rm', async () => {
    await podman('pause', 'a');
    assert.equal(await podman('inspect', '-f', '{{.State.Status}}', 'a'), 'paused\n');
    await podman('unpause', 'a');
    assert.match(await podman('stats', '--no-stream', '--format', '{{.Name}}', 'a'), /^a$/m);
    await podman('stop', 'a');
    assert.equal(await podman('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'a'), 'exited 4\n');
    await podman('start', 'a');
    await podman('kill', '-s', 'KILL', 'a');
    await podman('wait', 'a');
    assert.equal(await podman('inspect', '-f', '{{.State.ExitCode}}', 'a'), '137\n');
    await podman('rm', 'a');
  });
  suite.test('rm --force of a running container', async () => {
    await started('b', 'busybox', 'sh', '-c', 'trap "" TERM; echo started; while :; do sleep 0.1; done');
    await podman('rm', '--force', '--time', '0', 'b');
    assert.equal(await podman('ps', '-aq'), '');
  });
  suite.test('a health check', async () => {
    await started(
      'c',
      '--health-cmd',
      'test -e /tmp/healthy',
      '--health-interval',
      'disable',
      'busybox',
      'sh',
      '-c',
      TRAP,
    );
    assert.equal((await tryPodman('healthcheck', 'run', 'c')).status, 1);
    await podman('exec', 'c', 'touch', '/tmp/healthy');
    assert.equal((await tryPodman('healthcheck', 'run', 'c')).status, 0);
    await podman('rm', '-f', '--time', '0', 'c');
  });

  suite.test('a pod: its containers share a sandbox, its name and its shared memory', async () => {
    const infra = ['--infra-image', 'localhost/busybox', '--infra-command', '/bin/sleep 600'];
    await podman('pod', 'create', '--name', 'p', '--network', 'none', ...infra);
    const inPod = (...args) => ['run', '--pod', 'p', ...args, 'busybox', 'sh', '-c'];
    await podman(...inPod('-d', '--name', 'd'), 'echo shared > /dev/shm/file; echo mine > /tmp/file; exec sleep 600');
    assert.equal(await podman('pod', 'ps', '--format', '{{.Status}} {{.NumberOfContainers}}'), 'Running 2\n');
    assert.equal(
      await podman(...inPod('--rm'), 'until test -s /dev/shm/file; do sleep 0.1; done; cat /dev/shm/file; ls /tmp'),
      'shared\n',
    );
    assert.match(await podman('exec', 'd', 'cat', '/proc/version', '/tmp/file'), /mine\n$/);
    assert.equal(await podman('exec', 'd', 'hostname'), 'p\n');
    await podman('pod', 'stop', '-t', '0', 'p');
    assert.equal(await podman('pod', 'ps', '--format', '{{.Status}}'), 'Exited\n');
    await podman('pod', 'start', 'p');
    assert.equal(await podman('exec', 'd', 'echo', 'again'), 'again\n');
    await podman('pod', 'rm', '-f', '-t', '0', 'p');
    assert.equal(await podman('ps', '-aq'), '');
  });

  try {
    return await suite.run();
  } finally {
    await exec([...base, 'pod', 'rm', '-fa', '-t', '0']);
    await exec([...base, 'rm', '-fa', '--time', '0']);
    await exec([...base, 'rmi', '-fa']);
  }
}
