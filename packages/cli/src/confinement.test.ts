import { spawn, type ChildProcess } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TSV, runTsv } from './testing/run-tsv.js';

jest.setTimeout(60_000);

/** A sentry whose guest runs. Kill it when done. */
function startSentry(platform: string): Promise<ChildProcess> {
  const args = [TSV, '--platform', platform, 'do', '--', 'sh', '-c', 'echo up; sleep 60'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.stdout.once('data', () => {
      resolve(child);
    });
    child.once('close', () => {
      reject(new Error('The sandbox ended early'));
    });
  });
}

const isRoot = process.getuid?.() === 0;

describe('a running sentry', () => {
  it.each(['ptrace', 'systrap'])('has no privileges, with %s', async (platform) => {
    const sentry = await startSentry(platform);
    try {
      for (const tid of readdirSync(`/proc/${sentry.pid!}/task`)) {
        const status = readFileSync(`/proc/${sentry.pid!}/task/${tid}/status`, 'utf8');
        expect(status).toMatch(/^CapEff:\t0{16}$/m);
        expect(status).toMatch(/^NoNewPrivs:\t1$/m);
        expect(status).toMatch(/^Seccomp:\t2$/m);
        // Stops and ends of stubs are heard otherwise: SIGCHLD, the 17th bit, has no handler.
        expect(status).toMatch(/^SigCgt:\t[0-9a-f]{11}[02468ace][0-9a-f]{4}$/m);
      }
      // Only root has a root directory of its own in the foreground.
      if (isRoot) expect(readdirSync(`/proc/${sentry.pid!}/root`)).toEqual([]);
    } finally {
      sentry.kill('SIGKILL');
    }
  });

  it('warns without seccomp', async () => {
    const { status, stderr } = await runTsv(['--disable-seccomp', 'do', '--', 'true']);
    expect([status, stderr]).toEqual([0, expect.stringContaining('without seccomp filters')]);
  });

  it('reports a failure after it was confined', async () => {
    const { status, stderr } = await runTsv(['do', '--', 'sh', '-c', 'exec /no/such/program']);
    expect([status, stderr]).toEqual([127, expect.stringContaining('not found')]);
  });
});

describe('host files of a confined sentry', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'tsv-files-'));
  });
  afterEach(() => {
    rmSync(dir, { recursive: true, force: true });
  });

  // Only root may give files away.
  const itAsRoot = isRoot ? it : it.skip;

  itAsRoot.each([['--directfs'], ['--directfs=false']])(
    'root has those of others too, with %s (as root: it gives files away)',
    async (flag) => {
      const theirs = join(dir, 'theirs');
      mkdirSync(theirs, { mode: 0o700 });
      writeFileSync(join(theirs, 'file'), 'text', { mode: 0o600 });
      chownSync(join(theirs, 'file'), 1234, 1234);
      chownSync(theirs, 1234, 1234);
      const script = `cat ${theirs}/file && ls ${theirs} && echo more >> ${theirs}/file && cat ${theirs}/file`;
      const { stdout, stderr } = await runTsv([flag, 'do', '--', 'sh', '-c', script]);
      expect([stdout, stderr]).toEqual(['textfile\ntextmore\n', '']);
      expect(readFileSync(join(theirs, 'file'), 'utf8')).toBe('text');
      const write = `echo new > ${theirs}/made && chown 77:78 ${theirs}/made && chmod 640 ${theirs}/file && rm ${theirs}/file && stat -c %u:%g ${theirs}/made`;
      const through = await runTsv([flag, '--overlay2=none', 'do', '--', 'sh', '-c', write]);
      expect([through.stdout, through.stderr]).toEqual(['77:78\n', '']);
      expect(readdirSync(theirs)).toEqual(['made']);
    },
  );

  itAsRoot('a container whose gofer has ended is killed (as root)', async () => {
    const sentry = await startSentry('ptrace');
    const ended = new Promise((resolve) =>
      sentry.once('close', (status) => {
        resolve(status);
      }),
    );
    process.kill(goferOf(sentry.pid!), 'SIGKILL');
    expect(await ended).toBe(137);
  });
});

/** The gofer that a sentry has started. */
function goferOf(sentry: number): number {
  const children = readFileSync(`/proc/${sentry}/task/${sentry}/children`, 'utf8').trim().split(' ').map(Number);
  return children.find((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'tsv-gofer\n')!;
}

describe('--oci-seccomp', () => {
  it('applies linux.seccomp to the container', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'tsv-seccomp-'));
    const config = (await runTsv(['spec', '--bundle', dir])).status;
    expect(config).toBe(0);
    const path = join(dir, 'config.json');
    const spec = JSON.parse(readFileSync(path, 'utf8')) as Record<string, Record<string, unknown>>;
    spec['root'] = { path: '/', readonly: false };
    spec['process'] = {
      ...spec['process'],
      terminal: false,
      args: ['sh', '-c', 'mkdir /tmp/x-$$; grep Seccomp: /proc/self/status'],
    };
    spec['linux'] = {
      ...spec['linux'],
      seccomp: {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 28 }],
      },
    };
    writeFileSync(path, JSON.stringify(spec));
    const on = await runTsv(['--overlay2=root:memory', '--oci-seccomp', 'run', '--bundle', dir, 'seccomp-on']);
    expect([on.stdout, on.stderr]).toEqual(['Seccomp:\t2\n', expect.stringContaining('No space left')]);
    const log = join(dir, 'log');
    const debug = ['--debug', '--debug-log', log, '--overlay2=root:memory', '--oci-seccomp'];
    await runTsv([...debug, 'run', '--bundle', dir, 'seccomp-log']);
    expect(readFileSync(log, 'utf8')).toMatch(/linux\.seccomp \d+: ret #0x5001c\n/);
    const off = await runTsv(['--overlay2=root:memory', 'run', '--bundle', dir, 'seccomp-off']);
    expect([off.stdout, off.stderr]).toEqual(['Seccomp:\t0\n', '']);
    rmSync(dir, { recursive: true });
  });
});
