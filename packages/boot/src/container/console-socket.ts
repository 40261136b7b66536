import { close, connect, openPtyMaster, openPtyPeer, sendFds, socket, tcsetwinsize } from '@tsv/host';
import { AF_UNIX, MSG_NOSIGNAL, O_CLOEXEC, O_NOCTTY, O_RDWR, SOCK_CLOEXEC, SOCK_STREAM, errnoText } from '@tsv/abi';
import { withShortPath } from '../control/control-client.js';
import { SandboxError } from '../sandbox-error.js';

/** Size of a terminal, as config.json's process.consoleSize. */
export interface ConsoleSize {
  readonly height: number;
  readonly width: number;
}

/**
 * Makes a pty of the host and sends its user's end to whoever listens at `path`, as runc does with `--console-socket`.
 * Returns the program's end. Throws {@link SandboxError}.
 */
export function openConsole(path: string, size: ConsoleSize | undefined): number {
  const master = openPtyMaster(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0) throw new SandboxError(`Cannot open a pty: ${errnoText(-master)}`);
  try {
    const slave = openPtyPeer(master, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0) throw new SandboxError(`Cannot open a pty: ${errnoText(-slave)}`);
    const { height, width } = size ?? { height: 0, width: 0 };
    if (height > 0 && width > 0) tcsetwinsize(slave, Uint16Array.of(height, width, 0, 0));
    try {
      sendMaster(path, master);
    } catch (error) {
      close(slave);
      throw error;
    }
    return slave;
  } finally {
    close(master);
  }
}

function sendMaster(path: string, master: number): void {
  const fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new SandboxError(`Cannot make a socket: ${errnoText(-fd)}`);
  try {
    let error = withShortPath(path, (address) => connect(fd, address));
    if (error === 0) {
      const name = Buffer.from('/dev/ptmx');
      error = sendFds(fd, name, 0, name.length, Int32Array.of(master), MSG_NOSIGNAL);
    }
    if (error < 0) throw new SandboxError(`Cannot send the terminal to console socket "${path}": ${errnoText(-error)}`);
  } finally {
    close(fd);
  }
}
