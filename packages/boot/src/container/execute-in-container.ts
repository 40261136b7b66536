import { close } from '@tsv/host';
import { constants } from 'node:os';
import type { Process } from '@tsv/oci';
import type { ControlClient } from '../control/control-client.js';
import { leaveHungUpTerminal } from '../host-terminal.js';
import { SandboxError } from '../sandbox-error.js';
import { SignalForwarding } from '../signal-forwarding.js';
import { writePidFile } from './container-creator.js';
import { startStandIn, type HostStandIn } from './host-stand-in.js';
import { killProcess } from './kill-process.js';
import { passedStdio } from './passed-stdio.js';
import type { PassedFd } from './process-starter.js';
import { exitStatusOf } from './wait-status.js';

const SIGWINCH = constants.signals.SIGWINCH;

/** What `exec` is asked for. */
export interface ExecOptions {
  readonly process: Process;
  readonly isDetached: boolean;
  readonly consoleSocket?: string | undefined;
  readonly pidFile?: string | undefined;
  /** File for the process's ID in the container. */
  readonly internalPidFile?: string | undefined;
  readonly passed: readonly PassedFd[];
  /** A cgroup that is there, by its path below the container's own. */
  readonly cgroup: string;
  /** Whether it may be started in a paused container: it runs when that is resumed. */
  readonly mayBePaused: boolean;
}

/** Runs a process in a container; resolves with its exit status, or with 0 at once when it is detached. */
export async function executeInContainer(client: ControlClient, id: string, options: ExecOptions): Promise<number> {
  const { process, consoleSocket, passed, isDetached, pidFile, internalPidFile, cgroup, mayBePaused } = options;
  const stdio = passedStdio({
    wantsTerminal: process.terminal === true,
    consoleSocket,
    passed,
    size: process.consoleSize,
  });
  const needsStandIn = isDetached || stdio.params.terminal === 'own';
  let standIn: HostStandIn | null = null;
  try {
    if (isDetached && stdio.params.terminal === 'shared') {
      throw new SandboxError('Cannot detach from a process on this terminal: use --console-socket');
    }
    if (needsStandIn) standIn = startStandIn(stdio.params.terminal === 'own' ? stdio.fds[0]! : -1, null);
    const { pid } = await client.call(
      'containerManager.ExecuteAsync',
      {
        ...{ id, process: JSON.stringify(process), cgroup, mayBePaused },
        ...stdio.params,
        hostPid: standIn?.process.pid ?? 0,
      },
      standIn === null ? stdio.fds : [...stdio.fds, standIn.socketFd],
    );
    if (internalPidFile !== undefined) writePidFile(internalPidFile, pid);
    if (pidFile !== undefined) writePidFile(pidFile, standIn?.process.pid ?? globalThis.process.pid);
    return isDetached ? 0 : await attend(client, id, pid);
  } catch (error) {
    if (standIn !== null) killProcess(standIn.process);
    throw error;
  } finally {
    stdio.close();
    if (process.terminal === true) leaveHungUpTerminal();
    if (standIn !== null) close(standIn.socketFd);
  }
}

/** Waits for a process and passes on to it the signals that come meanwhile. */
async function attend(client: ControlClient, id: string, pid: number): Promise<number> {
  const forwarding = new SignalForwarding((signo) => {
    const told =
      signo === SIGWINCH
        ? client.call('containerManager.ResizeTerminal', { id, pid })
        : client.call('containerManager.SignalExecuted', { id, pid, signo });
    told.catch((error: unknown) => {
      globalThis.process.stderr.write(`tsv: warning: ${(error as Error).message}\n`);
    });
  });
  try {
    const { waitStatus } = await client.call('containerManager.WaitPID', { id, pid });
    return exitStatusOf(waitStatus);
  } finally {
    forwarding.stop();
  }
}
