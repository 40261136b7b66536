import { AT_FDCWD, O_CLOEXEC, O_RDWR } from '@tsv/abi';
import { LaunchError, close, openat2, startProcess } from '@tsv/host';
import { toByteString } from '../byte-string.js';
import { SandboxError } from '../sandbox-error.js';

/** Among the descriptors of a companion: /dev/null. */
export const NO_FD = -1;

/** What a companion is started with; `fds` are its descriptors from 0 on, closed by nobody here. */
export interface CompanionOptions {
  readonly file: string;
  readonly argv: readonly string[];
  readonly envp: readonly string[];
  readonly fds: readonly number[];
}

/**
 * Starts a process of the host that outlives this one to do what then is left to do. Returns its ID. Throws
 * {@link SandboxError}.
 */
export function startCompanion({ file, argv, envp, fds }: CompanionOptions): number {
  const nothing = openat2(AT_FDCWD, '/dev/null', O_RDWR | O_CLOEXEC, 0, 0);
  const result = new Int32Array(2);
  const error = startProcess(
    {
      file: toByteString(file),
      argv: argv.map(toByteString),
      envp: [...envp],
      fds: fds.map((fd) => (fd === NO_FD ? nothing : fd)),
      namespaces: 0,
      uidMap: '',
      gidMap: '',
      parentDeathSignal: 0,
      landlock: -1,
    },
    result,
  );
  if (nothing >= 0) close(nothing);
  if (error < 0) throw new SandboxError(new LaunchError(file, result[0]!, error).message);
  close(result[1]!);
  return result[0]!;
}
