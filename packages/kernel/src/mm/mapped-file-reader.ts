import { EFAULT } from '@tsv/abi';
import type { Caller, FsCredentials, UserMemory, VfsPath } from '@tsv/vfs';

/**
 * As whom the kernel reads and writes mapped files: the rights were checked when they were opened and mapped, and the
 * task that did it may be gone.
 */
export class MappedFileReader implements Caller {
  readonly creds: FsCredentials;
  readonly umask = 0;
  readonly root: VfsPath;
  readonly cwd: VfsPath;
  readonly memory: UserMemory = NO_MEMORY;

  constructor(caller: Caller) {
    this.creds = caller.creds;
    this.root = caller.root;
    this.cwd = caller.cwd;
  }
}

const NO_MEMORY: UserMemory = {
  copyIn: () => -EFAULT,
  copyOut: () => -EFAULT,
};
