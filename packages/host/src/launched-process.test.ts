import { EBADF, EINVAL, ENOENT, O_CLOEXEC } from '@tsv/abi';
import { LaunchError, LaunchedProcess, startProcess, type ProcessOptions } from './launched-process.js';
import { close, read } from './open-file.js';
import { pipe2 } from './pipe.js';
import { LANDLOCK_DENY_TCP, createLandlockRuleset } from './sandboxing.js';

const CLONE_NEWUSER = 0x1000_0000;
const CLONE_NEWPID = 0x2000_0000;
const CLONE_NEWNS = 0x2_0000;
const SIGKILL = 9;
const DEFAULTS = { namespaces: 0, uidMap: '', gidMap: '', parentDeathSignal: SIGKILL, landlock: -1 };

function shell(script: string, fds = [0, 1, 2]): ProcessOptions {
  return { ...DEFAULTS, file: '/bin/sh', argv: ['sh', '-c', script], envp: ['PATH=/bin:/usr/bin', 'X=\xe4'], fds };
}

/** Runs a script and returns what it printed, and how it ended. */
async function run(script: string, options: Partial<ProcessOptions> = {}): Promise<[string, number, number]> {
  const pair = new Int32Array(2);
  pipe2(pair, O_CLOEXEC);
  const [reader, writer] = pair as unknown as [number, number];
  const child = new LaunchedProcess({ ...shell(script, [0, writer, writer]), ...options });
  close(writer);
  const { status, signal } = await child.ended;
  const buffer = new Uint8Array(4096);
  const len = read(reader, buffer, 0, 4096);
  close(reader);
  return [Buffer.from(buffer.subarray(0, len)).toString('latin1'), status, signal];
}

describe('LaunchedProcess', () => {
  it('runs a program, and tells its exit status', async () => {
    expect(await run('echo "$X"; exit 7')).toEqual(['\xe4\n', 7, 0]);
  });

  it('can be killed', async () => {
    const child = new LaunchedProcess(shell('sleep 100'));
    expect([child.signal(SIGKILL), child.signal(9999)]).toEqual([0, -EINVAL]);
    expect(await child.ended).toEqual({ status: 0, signal: SIGKILL });
    expect(child.signal(SIGKILL)).toBe(-EBADF);
  });

  it('is root of its user namespace, and init of its pid namespace', async () => {
    const ids = { uidMap: `0 ${process.getuid!()} 1`, gidMap: `0 ${process.getgid!()} 1` };
    const namespaces = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS;
    expect(
      await run('id -u; id -g; echo $$; mount -t tmpfs none /mnt && echo mounted', { ...ids, namespaces }),
    ).toEqual(['0\n0\n1\nmounted\n', 0, 0]);
  });

  it('cannot gain privileges', async () => {
    expect((await run('grep NoNewPrivs /proc/self/status'))[0]).toBe('NoNewPrivs:\t1\n');
  });

  it('handles signals as by default', async () => {
    expect((await run('grep -E "Sig(Blk|Ign)" /proc/self/status'))[0]).toMatch(/SigBlk:\t0+\nSigIgn:\t0+\n/);
  });

  it('reaches only the files that Landlock leaves it', async () => {
    const landlock = createLandlockRuleset(['/usr', '/bin', '/lib', '/lib64', '/dev/null'], [], LANDLOCK_DENY_TCP);
    if (landlock < 0) return; // This kernel has no Landlock.
    const [text] = await run(
      'cat /etc/passwd 2>/dev/null || echo refused; cat /usr/bin/env >/dev/null 2>&1 || echo gone',
      {
        landlock,
      },
    );
    expect(text).toContain('refused');
  });

  it.each`
    what                | options                                         | step | errno
    ${'program'}        | ${{ file: '/absent' }}                          | ${7} | ${ENOENT}
    ${'descriptor'}     | ${{ fds: [0, 1, 1 << 20] }}                     | ${5} | ${EBADF}
    ${'map'}            | ${{ namespaces: CLONE_NEWUSER, uidMap: 'all' }} | ${2} | ${EINVAL}
    ${'kind of memory'} | ${{ namespaces: 0x100 }}                        | ${1} | ${EINVAL}
  `('throws for a wrong $what', ({ options, step, errno }: Refusal) => {
    let error: unknown;
    try {
      new LaunchedProcess({ ...shell('true'), ...options });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(LaunchError);
    expect([(error as LaunchError).step, (error as LaunchError).errno]).toEqual([step, -errno]);
  });

  it('says EINVAL for a short result', () => {
    expect(startProcess(shell('true'), new Int32Array(1))).toBe(-EINVAL);
  });
});

type Refusal = { options: Partial<ProcessOptions>; step: number; errno: number };
