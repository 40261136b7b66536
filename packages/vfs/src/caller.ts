import type { Errno } from '@tsv/abi';
import type { WaitQueue } from '@tsv/waiter';
import type { VfsPath } from './path/vfs-path.js';

/** Whose rights a file operation is checked against, credentials(7) and capabilities(7). */
export interface FsCredentials {
  readonly fsuid: number;
  readonly fsgid: number;
  /** Whether `gid` is the filesystem group or a supplementary one. */
  inGroup(gid: number): boolean;
  /** Whether capability `cap` (`CAP_*`) is effective. */
  hasCap(cap: number): boolean;
  /** As `hasCap`, but in the initial user namespace: for limits of the whole kernel. Without it there is no other. */
  hasInitialCap?(cap: number): boolean;
  /**
   * Whether both IDs exist in the caller's user namespace: capabilities count only for files whose owners do,
   * user_namespaces(7). Without it all do.
   */
  mapsIds?(uid: number, gid: number): boolean;
}

/** Memory of the calling process. Both return 0, or -EFAULT with an unknown part moved. */
export interface UserMemory {
  copyIn(dst: Uint8Array, at: number, addr: number, len: number): number;
  copyOut(addr: number, src: Uint8Array, at: number, len: number): number;
}

/** Who makes a file system call. In the kernel this is the task. */
export interface Caller {
  readonly creds: FsCredentials;
  /** Mode bits that created files do not get, umask(2). */
  readonly umask: number;
  readonly root: VfsPath;
  readonly cwd: VfsPath;
  readonly memory: UserMemory;
  /**
   * Has the caller begin its call anew: when `waiters` are told POLLIN, or when others had their turn if that is null.
   * Returns what the operation returns meanwhile, or null when the caller cannot wait now. Absent where it never can.
   */
  comeAgain?(waiters: WaitQueue | null): Errno | null;
}
