import { realpathSync } from 'node:fs';
import { LaunchError, close, openStandIn, startProcess, unixSocketpair } from '@tsv/host';
import { CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, EPERM, O_CLOEXEC, SOCK_STREAM, errnoText } from '@tsv/abi';
import { toByteString } from '../byte-string.js';
import { SandboxError } from '../sandbox-error.js';
import { identifyProcess, type HostProcess } from './host-process.js';

/** A stand-in, and the socket that its sentry is to get. */
export interface HostStandIn {
  readonly process: HostProcess;
  readonly socketFd: number;
}

/** What engines find when they look into a stand-in. */
export interface StandInView {
  /** The container's root directory: it is the stand-in's, in a mount namespace of its own. */
  readonly root: string;
  /** Whether it has a network namespace of its own. */
  readonly hasNetwork: boolean;
}

/**
 * Starts a process of the host that engines see in the place of a guest's. It leads a session of its own, on the terminal
 * `terminalFd` unless that is -1, and ends when nobody holds the socket any more. With a view it is in namespaces of its
 * own, where the host allows it: engines enter them to copy files, list processes and set up networks. Throws
 * {@link SandboxError}.
 */
export function startStandIn(terminalFd: number, view: StandInView | null): HostStandIn {
  const pair = new Int32Array(2);
  const error = unixSocketpair(SOCK_STREAM | O_CLOEXEC, pair);
  if (error < 0) throw new SandboxError(`Cannot make the socket of a stand-in: ${errnoText(-error)}`);
  const [ours, theirs] = [pair[0]!, pair[1]!];
  const image = openStandIn();
  const result = new Int32Array(2);
  let failure = view === null ? -EPERM : launch(image, theirs, terminalFd, view, result);
  if (failure === -EPERM) failure = launch(image, theirs, terminalFd, null, result);
  close(theirs);
  if (image >= 0) close(image);
  const [pid, pidfd] = [result[0]!, result[1]!];
  if (failure < 0) {
    close(ours);
    throw new SandboxError(new LaunchError('the stand-in', pid, failure).message);
  }
  close(pidfd);
  const process = identifyProcess(pid);
  if (process !== null) return { process, socketFd: ours };
  close(ours);
  throw new SandboxError('Cannot start a stand-in: it has ended at once');
}

function launch(
  program: number,
  socketFd: number,
  terminalFd: number,
  view: StandInView | null,
  result: Int32Array,
): number {
  const namespaces = view === null ? 0 : CLONE_NEWNS | CLONE_NEWPID | (view.hasNetwork ? CLONE_NEWNET : 0);
  return startProcess(
    {
      file: '',
      program,
      argv: ['tsv-container'],
      envp: [],
      fds: [socketFd, terminalFd < 0 ? socketFd : terminalFd],
      namespaces,
      // A container on the host's own root directory has that already.
      ...(view !== null && realpathSync(view.root) !== '/' && { root: toByteString(view.root) }),
      uidMap: '',
      gidMap: '',
      parentDeathSignal: 0,
      landlock: -1,
      // One that came before it takes signals would end it.
      blocksSignals: true,
    },
    result,
  );
}
