import type { Spec } from '@tsv/oci';
import type { RuntimeConfig } from './config.js';
import { hostStdio } from './container/host-stdio.js';
import type { PassedFd } from './container/process-starter.js';
import type { SandboxLaunch } from './container/launch-sentry.js';
import { openLog } from './quiet-log.js';
import { UserLog, openUserLog } from './user-log.js';
import { Sentry } from './sentry.js';

/** What {@link runContainer} runs. */
export interface RunOptions {
  readonly id: string;
  readonly spec: Spec;
  readonly bundleDir: string;
  readonly config: RuntimeConfig;
  readonly passed: readonly PassedFd[];
  /** File that is appended what the programs of the sandbox miss. */
  readonly userLog?: string | undefined;
  /** A bound socket for the control server, which is taken over; none when absent. */
  readonly listenFd?: number;
}

/**
 * Runs a container in a sandbox of its own in this process, in the foreground. Resolves with its exit status. Throws
 * {@link SandboxError} when it cannot start; nothing is left behind.
 */
export async function runContainer(options: RunOptions): Promise<number> {
  const { id, spec, bundleDir, config } = options;
  const log = await openLog(config.log, id);
  const sentry = new Sentry({ config, log, listenFd: options.listenFd ?? -1 });
  try {
    const io = hostStdio(spec.process?.terminal === true, options.passed);
    const userLog = options.userLog === undefined ? null : new UserLog(openUserLog(options.userLog));
    const loader = await sentry.create({ id, spec, bundleDir, io }, userLog);
    await loader.startContainer(id);
  } catch (error) {
    sentry.destroy();
    throw error;
  }
  return sentry.run();
}

/** What {@link runSentry} is started with: see `launchSentry`. */
export interface SentryProcessOptions extends SandboxLaunch {
  /** Connection of whoever makes the sandbox. */
  readonly creatorFd: number;
  readonly listenFd: number;
}

/** Is the sentry of a sandbox that another process makes. Resolves with the exit status. */
export async function runSentry(options: SentryProcessOptions): Promise<number> {
  const { id, config, creatorFd, listenFd } = options;
  const log = await openLog(config.log, id);
  const sentry = new Sentry({ config, log, listenFd });
  sentry.createdBy(creatorFd);
  return sentry.run();
}
