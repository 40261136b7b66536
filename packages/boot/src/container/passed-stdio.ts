import { close } from '@tsv/host';
import type { IoParams } from '../control/methods.js';
import { SandboxError } from '../sandbox-error.js';
import { hostTerminal } from '../host-terminal.js';
import { openConsole, type ConsoleSize } from './console-socket.js';
import type { PassedFd } from './process-starter.js';

/** Which descriptors a process in a sandbox is to get. */
export interface StdioOptions {
  readonly wantsTerminal: boolean;
  /** Who is sent the user's end of the terminal; without one it is this process's terminal. */
  readonly consoleSocket: string | undefined;
  readonly passed: readonly PassedFd[];
  readonly size?: ConsoleSize | undefined;
}

/** Descriptors to send along with a call. */
export class PassedStdio {
  readonly params: Omit<IoParams, 'hostPid'>;
  readonly fds: readonly number[];
  readonly #owned: readonly number[];

  constructor(params: Omit<IoParams, 'hostPid'>, fds: readonly number[], owned: readonly number[]) {
    this.params = params;
    this.fds = fds;
    this.#owned = owned;
  }

  /** They were sent. */
  close(): void {
    for (const fd of this.#owned) close(fd);
  }
}

/** Opens what the options ask for. Throws {@link SandboxError}. */
export function passedStdio(options: StdioOptions): PassedStdio {
  const { wantsTerminal, consoleSocket } = options;
  const passed = options.passed.map(({ hostFd }) => hostFd);
  const params = (terminal: IoParams['terminal']): Omit<IoParams, 'hostPid'> => ({
    terminal,
    passedAt: options.passed.map(({ guestFd }) => guestFd),
  });
  if (!wantsTerminal) {
    if (consoleSocket !== undefined) {
      throw new SandboxError('Cannot use --console-socket: the process has no terminal');
    }
    return new PassedStdio(params('none'), [0, 1, 2, ...passed], []);
  }
  if (consoleSocket !== undefined) {
    const slave = openConsole(consoleSocket, options.size);
    return new PassedStdio(params('own'), [slave, slave, ...passed], [slave]);
  }
  const terminal = hostTerminal();
  if (terminal === null) {
    throw new SandboxError('Cannot give the process a terminal: there is none here; use --console-socket');
  }
  return new PassedStdio(params('shared'), [terminal.input, terminal.output, ...passed], []);
}
