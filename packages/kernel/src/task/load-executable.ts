import type { Errno } from '@tsv/abi';
import { MemoryIo, type Caller, type OpenFile } from '@tsv/vfs';
import type { Credentials } from '../cred/credentials.js';
import { credentialsForExec } from '../cred/exec-credentials.js';
import type { Kernel } from '../kernel.js';
import { loadProgram } from '../mm/elf/load.js';
import type { Mm } from '../mm/mm.js';
import type { ResourceLimits } from './resource-limits.js';

/** A program in memory, ready to start. */
export interface LoadedExecutable {
  readonly mm: Mm;
  readonly entry: number;
  readonly stackPointer: number;
  readonly creds: Credentials;
}

/** Whose program it becomes. */
export interface ExecIdentity {
  readonly creds: Credentials;
  readonly hasNoNewPrivs: boolean;
  readonly limits: ResourceLimits;
  /** personality(2). */
  readonly personality: number;
}

/** Loads the program in `file` and says with whose rights it runs. Errors: what execve(2) returns. */
export function loadExecutable(
  kernel: Kernel,
  caller: Caller,
  identity: ExecIdentity,
  file: OpenFile,
  path: string,
  argv: readonly string[],
  envp: readonly string[],
): LoadedExecutable | Errno {
  const creds = credentialsForExec(identity.creds, file.inode, mayGainPrivileges(identity, file, caller));
  if (typeof creds === 'number') return creds;
  const loaded = loadProgram(kernel, caller, file, path, argv, envp, creds, identity.limits, identity.personality);
  return typeof loaded === 'number' ? loaded : { ...loaded, creds };
}

/** Set-user-ID bits count: not with no_new_privs, on a nosuid mount, or on a script. */
function mayGainPrivileges(identity: ExecIdentity, file: OpenFile, caller: Caller): boolean {
  if (identity.hasNoNewPrivs || file.path === null || file.path.mount.isNoSuid) return false;
  const head = new Uint8Array(2);
  return file.readAt(new MemoryIo(head), 0, caller) === 2 && !(head[0] === 0x23 && head[1] === 0x21);
}
