import { O_CLOEXEC, errnoText } from '@tsv/abi';
import { close, pipe2, write } from '@tsv/host';
import { SandboxError } from '../sandbox-error.js';
import { NO_FD, startCompanion } from './companion-process.js';

const SHELL = '/bin/sh';
/** Nobody but the sentry has the other end: when that ends without a word, they are removed. */
const SCRIPT = 'trap "" HUP INT QUIT TERM; read -r word || exec rm -rf -- "$@"';
const STDERR = 2;

/** A process that removes directories when this one, which alone knows of them, is killed before it has done so. */
export class StoreRemover {
  readonly #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** Throws {@link SandboxError}. */
  static start(paths: readonly string[]): StoreRemover {
    const pair = new Int32Array(2);
    const failed = pipe2(pair, O_CLOEXEC);
    if (failed < 0) throw new SandboxError(`Cannot make a pipe: ${errnoText(-failed)}`);
    const [theirs, ours] = [pair[0]!, pair[1]!];
    try {
      const argv = ['sh', '-c', SCRIPT, 'tsv-remover', ...paths];
      startCompanion({ file: SHELL, argv, envp: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'], fds: [theirs, NO_FD, STDERR] });
    } catch (error) {
      close(ours);
      throw error;
    } finally {
      close(theirs);
    }
    return new StoreRemover(ours);
  }

  /** They are gone: the process ends. */
  close(): void {
    write(this.#fd, Uint8Array.of(10), 0, 1);
    close(this.#fd);
  }
}
