import { AT_FDCWD, O_CLOEXEC, O_RDWR, errnoText } from '@tsv/abi';
import { LaunchError, close, openat2, pipe2, startProcess, write } from '@tsv/host';
import { toByteString } from '../byte-string.js';
import { SandboxError } from '../sandbox-error.js';

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
    const nothing = openat2(AT_FDCWD, '/dev/null', O_RDWR | O_CLOEXEC, 0, 0);
    const result = new Int32Array(2);
    const error = startProcess(
      {
        file: SHELL,
        argv: ['sh', '-c', SCRIPT, 'tsv-remover', ...paths.map(toByteString)],
        envp: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'],
        fds: [theirs, nothing, STDERR],
        namespaces: 0,
        uidMap: '',
        gidMap: '',
        parentDeathSignal: 0,
        landlock: -1,
      },
      result,
    );
    close(theirs);
    if (nothing >= 0) close(nothing);
    if (error < 0) {
      close(ours);
      throw new SandboxError(new LaunchError(SHELL, result[0]!, error).message);
    }
    close(result[1]!);
    return new StoreRemover(ours);
  }

  /** They are gone: the process ends. */
  close(): void {
    write(this.#fd, Uint8Array.of(10), 0, 1);
    close(this.#fd);
  }
}
