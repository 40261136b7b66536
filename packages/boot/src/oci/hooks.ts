import { spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import type { Hooks } from '@tsv/oci';
import { SandboxError } from '../sandbox-error.js';

/** When a hook runs, config.md "POSIX-platform Hooks". */
export type HookKind = 'prestart' | 'createRuntime' | 'createContainer' | 'startContainer' | 'poststart' | 'poststop';

/** One program of `hooks`. */
export type Hook = NonNullable<Hooks['prestart']>[number];

/** The state of a container, runtime.md "State", and `paused` as runc has it. */
export interface OciState {
  readonly ociVersion: string;
  readonly id: string;
  readonly status: 'creating' | 'created' | 'running' | 'paused' | 'stopped';
  /** Host pid of the container's process; there is none when it has stopped. */
  readonly pid?: number;
  readonly bundle: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** How a hook has ended. */
export interface HookOutcome {
  /** null when a signal ended it. */
  readonly status: number | null;
  readonly signal: string | null;
  readonly stderr: string;
}

/** Runs one hook with `stdin`, not longer than `timeoutMs` (Infinity for no limit); it is killed then. */
export type HookExecutor = (hook: Hook, stdin: string, timeoutMs: number) => Promise<HookOutcome>;

/** What is kept of a hook's standard error, for messages. */
const STDERR_BYTES_MAX = 4096;
const MS_PER_SECOND = 1000;
/** setTimeout(3) takes no more than this. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;

/**
 * Runs the hooks of one kind in the order of the list, each with the state on its standard input, runtime.md "Lifecycle".
 * They run on the host with `runOnHost`; for `startContainer`, whose programs are the container's, say how by `execute`.
 *
 * Throws {@link SandboxError} naming the first hook that failed, with its status and standard error: those after it did not
 * run. The caller goes on after `poststart` and `poststop`, as runtime.md says, and warns.
 */
export async function runHooks(
  kind: HookKind,
  hooks: readonly Hook[] | undefined,
  state: OciState,
  execute: HookExecutor | null = kind === 'startContainer' ? null : runOnHost,
): Promise<void> {
  if (hooks === undefined || hooks.length === 0) return;
  if (execute === null) throw new SandboxError('Cannot run hooks.startContainer: nothing runs in the container yet');
  checkHooks(kind, hooks);
  const stdin = JSON.stringify(state);
  for (const [index, hook] of hooks.entries()) {
    const where = `hooks.${kind}.${index} "${hook.path}"`;
    const timeoutMs = hook.timeout === undefined ? Infinity : hook.timeout * MS_PER_SECOND;
    const { status, signal, stderr } = await startHook(execute, hook, stdin, timeoutMs, where);
    if (status === 0) continue;
    const said = stderr.trim() === '' ? '' : `: ${stderr.trim()}`;
    const end = status === null ? endBySignal(signal, hook) : `it ended with status ${status}`;
    throw new SandboxError(`Cannot run ${where}: ${end}${said}`);
  }
}

/** What config.md demands of entries. Throws {@link SandboxError} with the path of the field. */
export function checkHooks(kind: HookKind, hooks: readonly Hook[]): void {
  for (const [index, { path, timeout }] of hooks.entries()) {
    const where = `hooks.${kind}.${index}`;
    if (!isAbsolute(path)) throw new SandboxError(`Cannot use ${where}.path: "${path}" is not an absolute path`);
    if (timeout !== undefined && timeout <= 0) {
      throw new SandboxError(`Cannot use ${where}.timeout: ${timeout} is not greater than zero`);
    }
  }
}

async function startHook(
  execute: HookExecutor,
  hook: Hook,
  stdin: string,
  timeoutMs: number,
  where: string,
): Promise<HookOutcome> {
  try {
    return await execute(hook, stdin, timeoutMs);
  } catch (error) {
    if (error instanceof SandboxError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    throw new SandboxError(`Cannot run ${where}: ${code === 'ENOENT' ? 'there is no such program' : code}`);
  }
}

function endBySignal(signal: string | null, hook: Hook): string {
  return signal === TIMED_OUT ? `it did not end within ${hook.timeout ?? 0} s` : `${signal ?? 'a signal'} ended it`;
}

/** The signal of a {@link HookOutcome} that took too long. */
export const TIMED_OUT = 'timeout';

/** Runs a hook on the host: `args` with its name first, `env` and no more, as execv(3) takes them. */
export const runOnHost: HookExecutor = (hook, stdin, timeoutMs) => {
  // Bad paths are told before a process is made.
  statSync(hook.path);
  return new Promise((resolve, reject) => {
    const [name = hook.path, ...args] = hook.args ?? [];
    // The hook leads a process group, so that what it started ends with it when it takes too long.
    const child = spawn(hook.path, args, {
      argv0: name,
      env: environmentOf(hook),
      stdio: ['pipe', 'ignore', 'pipe'],
      detached: true,
    });
    let stderr = '';
    let isLate = false;
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (stderr.length < STDERR_BYTES_MAX) stderr = (stderr + text).slice(0, STDERR_BYTES_MAX);
    });
    child.stdin.on('error', () => {
      // A hook need not read its state.
    });
    child.stdin.end(stdin);
    const timer = timeoutMs > TIMEOUT_MS_MAX ? undefined : setTimeout(late, timeoutMs);
    function late(): void {
      isLate = true;
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      // What it started elsewhere may hold its standard error open.
      child.stderr.destroy();
    }
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      resolve(isLate ? { status: null, signal: TIMED_OUT, stderr } : { status, signal, stderr });
    });
  });
};

function environmentOf(hook: Hook): Record<string, string> {
  return Object.fromEntries(
    (hook.env ?? []).map((entry) => {
      const cut = entry.indexOf('=');
      return cut < 0 ? [entry, ''] : [entry.slice(0, cut), entry.slice(cut + 1)];
    }),
  );
}
