import { ENOSYS, type Errno } from '@tsv/abi';
import type { Credentials } from '../cred/credentials.js';
import type { FdTable } from '../fd/fd-table.js';
import type { Kernel } from '../kernel.js';
import type { NsProxy } from '../namespace/ns-proxy.js';
import type { FsContext } from './fs-context.js';
import type { ResourceLimits } from './resource-limits.js';
import type { ThreadGroup } from './thread-group.js';

/** What a program is started with. References (`fds`, `fs`) are taken over, on success and on failure. */
export interface CreateProcessArgs {
  /** Byte strings. */
  readonly path: string;
  readonly argv: readonly string[];
  readonly envp: readonly string[];
  readonly creds: Credentials;
  readonly fds: FdTable;
  readonly fs: FsContext;
  /** Linux's defaults when absent. */
  readonly limits?: ResourceLimits;
  /** The kernel's first namespaces when absent. */
  readonly ns?: NsProxy;
  /** prctl(2) PR_SET_NO_NEW_PRIVS from the start. */
  readonly hasNoNewPrivs?: boolean;
}

export function createProcess(_kernel: Kernel, _args: CreateProcessArgs): ThreadGroup | Errno {
  return -ENOSYS;
}
