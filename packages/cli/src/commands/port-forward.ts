import { PortForwarder } from '@tsv/boot/client';
import { containerManager } from '../container-manager.js';
import { CommandError, wordOf, type CommandRun } from '../command.js';

const PORT_MAX = 65_535;
const ENDING: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM'];

/** `tsv port-forward`: forwards connections until it is interrupted or terminated. */
export const run: CommandRun = async (args) => {
  const id = wordOf(args, 'id');
  const { local, remote } = parsePorts(wordOf(args, 'ports'));
  const manager = containerManager(args);
  await manager.ask(id, 'containerManager.ContainerRuntimeState', { id });
  const forwarder = new PortForwarder(
    local,
    (fd) => manager.ask(id, 'containerManager.PortForward', { id, port: remote }, [fd]),
    (error) => process.stderr.write(`tsv: warning: ${error.message}\n`),
  );
  process.stdout.write(`Forwarding 127.0.0.1:${forwarder.port} to port ${remote} of container "${id}"\n`);
  await new Promise((resolve) => {
    for (const signal of ENDING) process.once(signal, resolve);
  });
  forwarder.close();
  return 0;
};

function parsePorts(text: string): { local: number; remote: number } {
  const words = text.split(':');
  const [local, remote = local] = words.map(Number);
  const isPort = (port: number | undefined): port is number => port !== undefined && port >= 0 && port <= PORT_MAX;
  if (/^\d+(:\d+)?$/.test(text) && isPort(local) && isPort(remote) && remote > 0) return { local, remote };
  throw new CommandError(`Cannot forward ports "${text}": use LOCAL:REMOTE or one port`);
}
