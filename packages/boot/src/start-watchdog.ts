import { Watchdog } from '@tsv/host';
import type { RuntimeConfig } from './config.js';
import type { SandboxLog } from './sandbox-log.js';

/** What is left to do when the first container starts, until guests are served, takes no longer, nor than anything may. */
const START_UP_MS = 30_000;

/** Starts the watchdog of this sentry, which begins its start-up now. */
export function startWatchdog({ watchdog, log }: RuntimeConfig, { fd }: SandboxLog): Watchdog {
  const { action, timeoutMs } = watchdog;
  const startUpMs = Math.min(START_UP_MS, timeoutMs);
  const text = 'The sandbox is stuck: its kernel does not come back from what it does for a guest';
  const dog = new Watchdog({
    limitMsMin: startUpMs,
    action,
    logFd: fd,
    message:
      log.format === 'json' ? `${JSON.stringify({ level: 50, time: Date.now(), msg: text })}\n` : `tsv: ${text}\n`,
  });
  dog.begin(startUpMs);
  return dog;
}
