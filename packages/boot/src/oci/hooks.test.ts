import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runHooks, type Hook, type OciState } from './hooks.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsv-hooks-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

const STATE: OciState = {
  ociVersion: '1.2.0',
  id: 'c1',
  status: 'creating',
  pid: 42,
  bundle: '/b',
  annotations: { a: 'b' },
};

function script(text: string, more: Partial<Hook> = {}): Hook {
  return { path: '/bin/sh', args: ['sh', '-c', text], ...more };
}

function output(): string {
  return readFileSync(join(dir, 'out'), 'utf8');
}

describe('runHooks, runtime-spec "POSIX-platform Hooks"', () => {
  it('does nothing without hooks', async () => {
    await expect(runHooks('prestart', undefined, STATE)).resolves.toBeUndefined();
    await expect(runHooks('startContainer', [], STATE)).resolves.toBeUndefined();
  });

  it('"the state of the container MUST be passed to hooks over stdin"', async () => {
    await runHooks('createRuntime', [script(`cat > ${dir}/out`)], STATE);
    expect(JSON.parse(output())).toEqual(STATE);
  });

  it('"hooks MUST be called in the listed order"', async () => {
    await runHooks('poststop', [script(`sleep 0.1; echo 1 >> ${dir}/out`), script(`echo 2 >> ${dir}/out`)], STATE);
    expect(output()).toBe('1\n2\n');
  });

  it('gives args with the name first and env, no more', async () => {
    const path = join(dir, 'hook');
    writeFileSync(path, `#!/bin/sh\necho "$@" > ${dir}/out; env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= >> ${dir}/out`);
    chmodSync(path, 0o700);
    await runHooks('prestart', [{ path, args: ['name', 'a', 'b'], env: ['A=1', 'B=x=y'] }], STATE);
    expect(output()).toBe('a b\nA=1\nB=x=y\n');
  });

  it('a hook need not read the state', async () => {
    const large = { ...STATE, annotations: { a: 'x'.repeat(1 << 20) } };
    await expect(runHooks('prestart', [script('exec true')], large)).resolves.toBeUndefined();
  });

  it('names the hook that failed, its status and what it said; none runs after it', async () => {
    const hooks = [script('true'), script('echo broken >&2; exit 3'), script(`echo ran > ${dir}/out`)];
    const failure = runHooks('createRuntime', hooks, STATE);
    await expect(failure).rejects.toThrow('Cannot run hooks.createRuntime.1 "/bin/sh": it ended with status 3: broken');
    expect(() => output()).toThrow('ENOENT');
  });

  it('tells a signal', async () => {
    await expect(runHooks('prestart', [script('kill -9 $$')], STATE)).rejects.toThrow('SIGKILL ended it');
  });

  it('ends a hook that takes longer than its timeout, with what it started', async () => {
    const hook = script(`sleep 60 & echo $! > ${dir}/out; wait`, { timeout: 1 });
    await expect(runHooks('prestart', [hook], STATE)).rejects.toThrow('it did not end within 1 s');
    const pid = Number(output());
    for (let i = 0; i < 200 && !/^[ZX]?$/.test(stateOf(pid)); i++) await sleep(50);
    expect(stateOf(pid)).toMatch(/^[ZX]?$/);
  });

  it.each`
    hook                                 | message
    ${{ path: 'relative' }}              | ${'hooks.prestart.0.path: "relative" is not an absolute path'}
    ${{ path: '/bin/true', timeout: 0 }} | ${'hooks.prestart.0.timeout: 0 is not greater than zero'}
    ${{ path: '/no/such/hook' }}         | ${'hooks.prestart.0 "/no/such/hook": there is no such program'}
    ${{ path: '/etc/passwd' }}           | ${'hooks.prestart.0 "/etc/passwd": EACCES'}
  `('refuses $hook', async ({ hook, message }: { hook: Hook; message: string }) => {
    await expect(runHooks('prestart', [hook], STATE)).rejects.toThrow(message);
  });

  it('startContainer runs where it is told to', async () => {
    const ran: string[] = [];
    await expect(runHooks('startContainer', [script('true')], STATE)).rejects.toThrow('hooks.startContainer');
    await runHooks('startContainer', [{ path: '/in/container' }], STATE, (hook, stdin, timeoutMs) => {
      ran.push(hook.path, stdin, String(timeoutMs));
      return Promise.resolve({ status: 0, signal: null, stderr: '' });
    });
    expect(ran).toEqual(['/in/container', JSON.stringify(STATE), 'Infinity']);
  });
});

/** State letter of a process; empty when there is none. */
function stateOf(pid: number): string {
  try {
    return /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))![1]!;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
