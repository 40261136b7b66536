import { close, fcntl, lseek, memfdCreate, pipe2, read, write } from '@tsv/host';
import { EAGAIN, F_DUPFD_CLOEXEC, F_SETFL, O_CLOEXEC, O_NONBLOCK, POLLIN, errnoText } from '@tsv/abi';
import type { HostFdListener, HostFdWatcher } from '@tsv/gofer';
import type { Process } from '@tsv/oci';
import { TIMED_OUT, type HookExecutor, type HookOutcome } from '../oci/hooks.js';
import { SandboxError } from '../sandbox-error.js';
import type { GuestProcess } from './guest-process.js';
import type { ProcessIo } from './process-starter.js';

const MFD_CLOEXEC = 1;
const SEEK_SET = 0;
const SIGNAL_MASK = 0x7f;
/** What is kept of a hook's output, for messages. */
const OUTPUT_BYTES_MAX = 4096;
const PIECE_BYTES = 4096;

/** Where hooks of a container run: `start` runs a process of its, `kill` ends all of them. */
export interface GuestHookPlace {
  readonly watcher: HostFdWatcher;
  readonly base: Process;
  start(process: Process, io: ProcessIo): GuestProcess;
  kill(): void;
}

/**
 * Runs hooks as processes of a container, config.md "StartContainer Hooks": as root, with the capabilities of the
 * container's process, in its root directory.
 */
export function guestHookExecutor(place: GuestHookPlace): HookExecutor {
  return async (hook, stdin, timeoutMs) => {
    const { capabilities } = place.base;
    const process: Process = {
      cwd: '/',
      args: [hook.path, ...(hook.args ?? []).slice(1)],
      env: [...(hook.env ?? [])],
      user: { uid: 0, gid: 0 },
      ...(capabilities !== undefined && { capabilities }),
    };
    const output = new HookOutput(place.watcher);
    const fds = [fileOf(stdin), ...output.writeFds];
    try {
      const guest = place.start(process, { terminal: null, stdio: fds, passed: [], standIn: null });
      return await outcomeOf(guest, output, place, timeoutMs);
    } catch (error) {
      for (const fd of fds) close(fd);
      output.close();
      throw error;
    }
  };
}

async function outcomeOf(
  guest: GuestProcess,
  output: HookOutput,
  place: GuestHookPlace,
  timeoutMs: number,
): Promise<HookOutcome> {
  const deadline = { hasPassed: false };
  const timer =
    timeoutMs === Infinity
      ? undefined
      : setTimeout(() => {
          deadline.hasPassed = true;
          place.kill();
        }, timeoutMs);
  const waitStatus = await guest.exited;
  clearTimeout(timer);
  const stderr = output.close();
  const signo = waitStatus & SIGNAL_MASK;
  if (deadline.hasPassed) return { status: null, signal: TIMED_OUT, stderr };
  if (signo !== 0) return { status: null, signal: `signal ${signo}`, stderr };
  return { status: (waitStatus >> 8) & 0xff, signal: null, stderr };
}

/** A file without a name that has `text`, to be read from its beginning. */
function fileOf(text: string): number {
  const fd = memfdCreate('state', MFD_CLOEXEC);
  if (fd < 0) throw new SandboxError(`Cannot make the standard input of a hook: ${errnoText(-fd)}`);
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) {
    const n = write(fd, bytes, at, bytes.length - at);
    if (n < 0) throw new SandboxError(`Cannot write the standard input of a hook: ${errnoText(-n)}`);
    at += n;
  }
  lseek(fd, 0, SEEK_SET);
  return fd;
}

/** What a hook says: the first bytes are kept. */
class HookOutput implements HostFdListener {
  readonly #watcher: HostFdWatcher;
  readonly #readFd: number;
  /** Two descriptors to write to, which are the caller's. */
  readonly writeFds: readonly number[];
  readonly #piece = new Uint8Array(PIECE_BYTES);
  #kept = Buffer.alloc(0);

  constructor(watcher: HostFdWatcher) {
    this.#watcher = watcher;
    const pair = new Int32Array(2);
    const error = pipe2(pair, O_CLOEXEC);
    if (error < 0) throw new SandboxError(`Cannot make the output of a hook: ${errnoText(-error)}`);
    this.#readFd = pair[0]!;
    fcntl(this.#readFd, F_SETFL, O_NONBLOCK);
    this.writeFds = [pair[1]!, fcntl(pair[1]!, F_DUPFD_CLOEXEC, 0)];
    watcher.add(this.#readFd, this);
    watcher.watchOnce(this.#readFd, POLLIN);
  }

  hostFdReady(): void {
    if (this.#drain() === -EAGAIN) this.#watcher.watchOnce(this.#readFd, POLLIN);
  }

  /** Ends it. Returns what was said. */
  close(): string {
    this.#drain();
    this.#watcher.remove(this.#readFd);
    close(this.#readFd);
    return this.#kept.toString();
  }

  /** Reads what is there. Returns 0 at its end, or a negated errno. */
  #drain(): number {
    for (;;) {
      const n = read(this.#readFd, this.#piece, 0, PIECE_BYTES);
      if (n <= 0) return n;
      if (this.#kept.length < OUTPUT_BYTES_MAX) {
        this.#kept = Buffer.concat([this.#kept, this.#piece.subarray(0, n)]).subarray(0, OUTPUT_BYTES_MAX);
      }
    }
  }
}
