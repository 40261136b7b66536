import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, type HostProcess } from './host-process.js';

const STEP_MS = 5;

/** Sends a signal to a process of the host unless it has ended. Returns whether it was there. */
export function killProcess(target: HostProcess, signal: NodeJS.Signals = 'SIGKILL'): boolean {
  if (!isAlive(target)) return false;
  try {
    process.kill(target.pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** Waits for the end of a process; resolves with whether it came in time. */
export async function untilEnded(target: HostProcess, timeoutMs: number): Promise<boolean> {
  const endMs = performance.now() + timeoutMs;
  while (isAlive(target)) {
    if (performance.now() >= endMs) return false;
    await sleep(STEP_MS);
  }
  return true;
}
