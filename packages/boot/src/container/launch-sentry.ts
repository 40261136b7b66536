import { spawn } from 'node:child_process';
import { bind, close, socket, unixSocketpair } from '@tsv/host';
import { AF_UNIX, O_CLOEXEC, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM, errnoText } from '@tsv/abi';
import type { RuntimeConfig } from '../config.js';
import { ControlClient, withShortPath } from '../control/control-client.js';
import { SandboxError } from '../sandbox-error.js';
import { identifyProcess, type HostProcess } from './host-process.js';

/** Descriptors of a sentry: the connection that makes the sandbox, and the socket that it listens on. */
export const CREATOR_FD = 3;
export const LISTEN_FD = 4;

/** A sentry process that waits to be told what to make. */
export interface LaunchedSentry {
  readonly process: HostProcess;
  readonly client: ControlClient;
}

/** What a sentry process is told at its start. */
export interface SandboxLaunch {
  readonly id: string;
  readonly config: RuntimeConfig;
}

/** A socket bound at `path` for a control server. Throws {@link SandboxError}. */
export function bindControlSocket(path: string): number {
  const fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) throw new SandboxError(`Cannot make the control socket: ${errnoText(-fd)}`);
  const error = withShortPath(path, (address) => bind(fd, address));
  if (error === 0) return fd;
  close(fd);
  throw new SandboxError(`Cannot make the control socket "${path}": ${errnoText(-error)}`);
}

/**
 * Starts a sentry as a process of its own session, with `entry boot` (the command line's program), that listens at
 * `socketPath`. It ends with its creator's connection until the creation is committed. Throws {@link SandboxError}.
 */
export async function launchSentry(entry: string, launch: SandboxLaunch, socketPath: string): Promise<LaunchedSentry> {
  const listenFd = bindControlSocket(socketPath);
  const pair = new Int32Array(2);
  const error = unixSocketpair(SOCK_STREAM | O_CLOEXEC, pair);
  if (error < 0) {
    close(listenFd);
    throw new SandboxError(`Cannot make a control connection: ${errnoText(-error)}`);
  }
  const [ours, theirs] = [pair[0]!, pair[1]!];
  try {
    const child = spawn(process.execPath, [entry, 'boot', '--options', JSON.stringify(launch)], {
      detached: true,
      cwd: '/',
      env: { PATH: process.env['PATH'] ?? '' },
      // Its own words go where the command line's go, until the creation is committed.
      stdio: ['ignore', 'ignore', 'inherit', theirs, listenFd],
    });
    const pid = await new Promise<number>((resolve, reject) => {
      child.once('spawn', () => {
        resolve(child.pid!);
      });
      child.once('error', reject);
    });
    child.unref();
    const identity = identifyProcess(pid);
    if (identity === null) throw new Error('it has ended at once');
    return { process: identity, client: new ControlClient(ours) };
  } catch (failure) {
    close(ours);
    throw new SandboxError(`Cannot start the sentry: ${(failure as Error).message}`);
  } finally {
    close(theirs);
    close(listenFd);
  }
}
