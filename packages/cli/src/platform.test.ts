import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { TSV, runTsv } from './testing/run-tsv.js';

jest.setTimeout(60_000);

const ROOT = join(__dirname, '../../..');
const TIMEOUT_MS = 30_000;
const NOBODY = 65534;

/**
 * Becomes a user without rights on a host that lets nobody trace, as kernel.yama.ptrace_scope=3 does, and starts Node.js with
 * the arguments. A filter is inherited, and cannot be taken away again.
 */
const WITHOUT_RIGHTS = `
  import { spawnSync } from 'node:child_process';
  import { installSeccompFilter } from '@tsv/host';
  const [uid, ...args] = process.argv.slice(1);
  const filter = { mismatch_action: 'allow', match_action: { errno: 1 }, filter: [{ syscall: 'ptrace' }] };
  if (installSeccompFilter(JSON.stringify(filter)) < 0) throw new Error('seccomp(2)');
  if (process.getuid() === 0 && uid !== '0') {
    process.setgroups([]);
    process.setgid(Number(uid));
    process.setuid(Number(uid));
  }
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit', timeout: ${TIMEOUT_MS} });
  process.exitCode = status ?? 255;
`;

interface Ending {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function withoutRights(uid: number, ...args: string[]): Promise<Ending> {
  return new Promise((resolve, reject) => {
    const script = ['--input-type=module', '-e', WITHOUT_RIGHTS, '--', String(uid), TSV, ...args];
    const child = spawn(process.execPath, script, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.on('close', (status) => {
      resolve({ status, stdout, stderr });
    });
  });
}

/** Nobody, unless these files lie where only root may go. */
function ordinaryUser(): number {
  const { status } = spawnSync(process.execPath, [TSV, '--version'], { uid: NOBODY, gid: NOBODY, cwd: '/' });
  return status === 0 ? NOBODY : 0;
}

describe('--platform auto, the default', () => {
  it('is systrap where that runs, as the log tells', async () => {
    const { status, stderr } = await runTsv(['--debug', 'do', '--', 'true']);
    expect([status, stderr]).toEqual([0, expect.stringContaining('Guest code is run by platform systrap')]);
  });

  it('needs no ptrace(2), and no rights but those of an ordinary user', async () => {
    const uid = ordinaryUser();
    const script = 'id -u; for i in 1 2 3; do /bin/echo $i; done | sort -r; exit 7';
    const { status, stdout, stderr } = await withoutRights(uid, '--debug', 'do', '--', 'sh', '-c', script);
    expect(stderr).toContain('Guest code is run by platform systrap');
    expect([status, stdout]).toEqual([7, expect.stringMatching(/^\d+\n3\n2\n1\n$/)]);
  });

  it('says what ptrace lacks where that is asked for', async () => {
    const { status, stderr } = await withoutRights(0, '--platform', 'ptrace', 'do', '--', 'true');
    expect([status, stderr]).toEqual([128, expect.stringContaining('Cannot use platform "ptrace": ')]);
  });
});
