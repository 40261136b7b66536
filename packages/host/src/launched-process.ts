import native, { type ProcessOptions } from '../native/index.js';
import { FdWatcher } from './fd-watcher.js';
import { close } from './open-file.js';

export type { ProcessOptions };
export const { startProcess, reapProcess, signalProcess, openStandIn } = native;

/** What was done when starting a process failed, by the step that {@link startProcess} tells. */
const STEPS = [
  'start',
  'clone into new namespaces',
  'map user and group ids',
  'make mounts private',
  'give up privileges',
  'place descriptors',
  'restrict itself with Landlock',
  'execute',
];

const EPOLLIN = 1;

/** Why a process did not start. */
export class LaunchError extends Error {
  /** Negated. */
  readonly errno: number;
  /** 1 clone(2), 2 id maps, 3 mounts, 4 prctl(2), 5 descriptors, 6 Landlock, 7 execve(2). */
  readonly step: number;

  constructor(file: string, step: number, errno: number) {
    super(`Cannot start "${file}": the new process could not ${STEPS[step] ?? 'start'}, errno ${-errno}`);
    this.name = 'LaunchError';
    this.errno = errno;
    this.step = step;
  }
}

/** A process in namespaces of its own. Keeps the event loop alive until it has ended. */
export class LaunchedProcess {
  readonly pid: number;
  /** Resolves with what wait(2) would tell: an exit status, or the signal that killed it. */
  readonly ended: Promise<{ status: number; signal: number }>;
  #pidfd: number;

  /** Starts a program. Throws {@link LaunchError}. */
  constructor(options: ProcessOptions) {
    const result = new Int32Array(2);
    const errno = startProcess(options, result);
    if (errno < 0) throw new LaunchError(options.file, result[0]!, errno);
    this.pid = result[0]!;
    this.#pidfd = result[1]!;
    this.ended = new Promise((resolve) => {
      const watcher = new FdWatcher(() => {
        watcher.close();
        resolve(this.#reap());
      });
      watcher.add(this.#pidfd, 0, EPOLLIN);
    });
  }

  /** Sends a signal. Errors: ESRCH when it has ended, and what else kill(2) says. */
  signal(signo: number): number {
    return signalProcess(this.#pidfd, signo);
  }

  #reap(): { status: number; signal: number } {
    const result = new Int32Array(2);
    reapProcess(this.#pidfd, result);
    close(this.#pidfd);
    this.#pidfd = -1;
    return { status: result[0]!, signal: result[1]! };
  }
}
