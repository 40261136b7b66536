import {
  EBUSY,
  EINVAL,
  EPERM,
  F_SEAL_EXEC,
  F_SEAL_FUTURE_WRITE,
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
  type Errno,
} from '@tsv/abi';
import { TmpfsFile, type OpenFile } from '@tsv/vfs';
import type { Kernel } from '../kernel.js';
import { VM_NOWRITE } from '../mm/vma.js';

const ALL_SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_EXEC;
const EXECUTE_BITS = 0o111;
/** What sealing an executable file against execution changes also seals, fcntl(2) F_SEAL_EXEC. */
const IMPLIED_BY_EXEC = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;

/** fcntl(2) F_GET_SEALS. Errors: EINVAL for files that cannot be sealed. */
export function sealsOf(file: OpenFile): number {
  return file.inode instanceof TmpfsFile ? file.inode.seals : -EINVAL;
}

/** fcntl(2) F_ADD_SEALS. Errors: EBUSY (it is mapped where it may be written), EINVAL, EPERM. */
export function addSeals(kernel: Kernel, file: OpenFile, seals: number): 0 | Errno {
  const { inode } = file;
  if (!(inode instanceof TmpfsFile)) return -EINVAL;
  if (!file.isWritable) return -EPERM;
  if ((seals & ~ALL_SEALS) !== 0) return -EINVAL;
  if ((inode.seals & F_SEAL_SEAL) !== 0) return -EPERM;
  if ((seals & ~inode.seals & F_SEAL_WRITE) !== 0 && hasWritableMapping(kernel, inode)) return -EBUSY;
  const isExecutable = (inode.mode & EXECUTE_BITS) !== 0;
  inode.seals |= (seals & F_SEAL_EXEC) !== 0 && isExecutable ? seals | IMPLIED_BY_EXEC : seals;
  return 0;
}

/** Whether a process maps a file so that it may write to it, or may make it so by mprotect(2). Sealing is rare: all are asked. */
function hasWritableMapping(kernel: Kernel, inode: TmpfsFile): boolean {
  for (const { tasks } of kernel.tasks.threadGroups()) {
    for (const vma of tasks[0]?.mm.vmas() ?? []) {
      if (vma.file?.inode === inode && vma.isShared && (vma.flags & VM_NOWRITE) === 0) return true;
    }
  }
  return false;
}
