import { NSIG, SIGCHLD, SIGCONT, SIGKILL, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH } from '@tsv/abi';
import { kernelSignal, sendSignal, type Kernel, type ThreadGroup } from '@tsv/kernel';
import { SandboxError } from '../sandbox-error.js';
import type { Container } from './container.js';
import type { DeliveryMode } from './delivery-mode.js';

/**
 * Sends a signal from outside to processes of a container. `pid` is an ID in the root PID namespace: of the process, of
 * its group, or of the process whose terminal's foreground is meant; 0 for the first process. Throws {@link SandboxError}.
 */
export function signalContainer(
  kernel: Kernel,
  container: Container,
  pid: number,
  signo: number,
  mode: DeliveryMode,
): void {
  if (signo < 0 || signo > NSIG) throw new SandboxError(`Cannot send signal ${signo}: there is none`);
  if (!container.isRunning) throw new SandboxError(`Cannot signal container "${container.id}": container not running`);
  for (const group of targets(kernel, container, pid, mode)) signalProcess(kernel, container, group, signo);
}

/** Sends a signal from outside to one process of a container; 0 does nothing. */
export function signalProcess(kernel: Kernel, container: Container, group: ThreadGroup, signo: number): void {
  if (signo !== 0) sendSignal(group, kernelSignal(signo));
  // What is paused cannot die: as with runc, the last signal ends the pause.
  if (signo === SIGKILL && container.isPaused) container.resume();
  kernel.platform.wake();
}

/** Signals that do not end a process by default, signal(7): SIGCHLD, SIGCONT, the stops, SIGURG, SIGWINCH. */
const NOT_FATAL = new Set([0, SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH]);

/** Whether a signal ends a process that did not ask for anything else. */
export function isDefaultFatal(signo: number): boolean {
  return signo > 0 && signo <= NSIG && !NOT_FATAL.has(signo);
}

/** Kills every process of a container, whether its first one runs or not. */
export function killContainer(kernel: Kernel, container: Container): void {
  for (const group of container.threadGroups) sendSignal(group, kernelSignal(SIGKILL));
  if (container.isPaused) container.resume();
  kernel.platform.wake();
}

function targets(kernel: Kernel, container: Container, pid: number, mode: DeliveryMode): ThreadGroup[] {
  if (mode === 'all') {
    if (pid !== 0) throw new SandboxError(`Cannot signal all processes: process ${pid} was named too`);
    // Nothing of the guest runs meanwhile: no process can be missed by forking.
    return container.threadGroups.filter((group) => !group.isZombie);
  }
  if (mode === 'process-group') {
    const groups = container.threadGroups.filter((group) => group.processGroup.pgid === pid);
    if (groups.length === 0) throw new SandboxError(`Cannot signal process group ${pid}: no such process`);
    return groups;
  }
  const target = pid === 0 ? container.init!.threadGroup : kernel.tasks.threadGroupOf(pid);
  if (target === undefined || target.isZombie) throw new SandboxError(`Cannot signal process ${pid}: no such process`);
  if (target.containerId !== container.id) {
    throw new SandboxError(`Cannot signal process ${pid}: it belongs to container "${target.containerId}"`);
  }
  if (mode === 'process') return [target];
  const group = target.session.foregroundGroup;
  return group === null ? [target] : [...group.members];
}
