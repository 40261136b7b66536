import { join } from 'node:path';
import { runContainer, type RunOptions } from '../run-container.js';
import type { CreateOptions, ManagerContext } from './container-creator.js';
import { firstState, writePidFile } from './container-creator.js';
import { DIRECTORY_FILES, SOCKET_FILE } from './container-directory.js';
import { identifyProcess } from './host-process.js';
import { AT_REMOVEDIR, Leftovers } from './leftovers.js';
import { bindControlSocket } from './launch-sentry.js';
import { StateStore } from './state-store.js';

/**
 * Runs a container in this process, which is its sandbox, and lets other commands find it meanwhile. Resolves with its
 * exit status; nothing is left behind. Throws {@link SandboxError}.
 */
export async function runForeground(
  config: ManagerContext['config'],
  options: Omit<CreateOptions, 'configText' | 'consoleSocket'>,
): Promise<number> {
  const { id, spec, bundleDir, pidFile, preservedCount } = options;
  const store = new StateStore(config.rootDir);
  const self = identifyProcess(process.pid);
  const directory = store.create(id);
  let listenFd: number;
  try {
    directory.save({ ...firstState(options, id), phase: 'running', process: self, sentry: self });
    listenFd = bindControlSocket(join(directory.path, SOCKET_FILE));
    if (pidFile !== undefined) writePidFile(pidFile, process.pid);
  } catch (error) {
    directory.remove();
    throw error;
  }
  const leftovers = new Leftovers();
  for (const name of DIRECTORY_FILES) leftovers.add(join(directory.path, name), 0);
  leftovers.add(directory.path, AT_REMOVEDIR);
  if (pidFile !== undefined) leftovers.add(pidFile, 0);
  directory.unlock(); // Others may do with it what they want while it runs.
  try {
    return await runContainer({ id, spec, bundleDir, config, preservedCount, listenFd });
  } finally {
    leftovers.remove();
  }
}

/**
 * Runs a container in this process that no other command can find. Resolves with its exit status; nothing is left behind.
 * Throws {@link SandboxError}.
 */
export async function runUnlisted(options: RunOptions, pidFile: string | undefined): Promise<number> {
  if (pidFile === undefined) return runContainer(options);
  const leftovers = new Leftovers();
  leftovers.add(pidFile, 0);
  writePidFile(pidFile, process.pid);
  try {
    return await runContainer(options);
  } finally {
    leftovers.remove();
  }
}
