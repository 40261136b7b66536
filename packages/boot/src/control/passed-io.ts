import { close } from '@tsv/host';
import type { HostFdWatcher } from '@tsv/gofer';
import type { ProcessIo } from '../container/process-starter.js';
import { StandIn } from '../container/stand-in.js';
import { SandboxError } from '../sandbox-error.js';
import type { IoParams } from './methods.js';

const TERMINAL_FDS = 2;
const STDIO_FDS = 3;

/**
 * The descriptors that came with a call as a process's. Calls `body` with them: when it throws, they are closed. Throws
 * {@link SandboxError} when their number is wrong.
 */
export async function withPassedIo<T>(
  params: IoParams,
  fds: readonly number[],
  watcher: HostFdWatcher,
  body: (io: ProcessIo) => T | Promise<T>,
): Promise<T> {
  const standardCount = params.terminal === 'none' ? STDIO_FDS : TERMINAL_FDS;
  const wantedCount = standardCount + params.passedAt.length + (params.hostPid === 0 ? 0 : 1);
  let standIn: StandIn | null = null;
  try {
    if (fds.length !== wantedCount) {
      throw new SandboxError(`Cannot use the descriptors: ${fds.length} came instead of ${wantedCount}`);
    }
    if (params.hostPid !== 0) {
      const ignore = (): void => undefined;
      standIn = new StandIn(fds[wantedCount - 1]!, params.hostPid, watcher, { signalled: ignore, killed: ignore });
    }
    const passed = params.passedAt.map((guestFd, index) => ({ hostFd: fds[standardCount + index]!, guestFd }));
    if (params.terminal === 'none') {
      return await body({ terminal: null, stdio: fds.slice(0, STDIO_FDS), passed, standIn });
    }
    const terminal = { input: fds[0]!, output: fds[1]!, isOwned: true, isShared: params.terminal === 'shared' };
    return await body({ terminal, stdio: [], passed, standIn });
  } catch (error) {
    standIn?.close();
    for (const fd of standIn === null ? fds : fds.slice(0, -1)) close(fd);
    throw error;
  }
}
