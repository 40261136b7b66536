import {
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

const ALL_SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_EXEC;
const EXECUTE_BITS = 0o111;
/** What sealing an executable file against execution changes also seals, fcntl(2) F_SEAL_EXEC. */
const IMPLIED_BY_EXEC = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;

/** fcntl(2) F_GET_SEALS. Errors: EINVAL for files that cannot be sealed. */
export function sealsOf(file: OpenFile): number {
  return file.inode instanceof TmpfsFile ? file.inode.seals : -EINVAL;
}

/** fcntl(2) F_ADD_SEALS. Errors: EBUSY, EINVAL, EPERM. */
export function addSeals(file: OpenFile, seals: number): 0 | Errno {
  const { inode } = file;
  if (!(inode instanceof TmpfsFile)) return -EINVAL;
  if (!file.isWritable) return -EPERM;
  if ((seals & ~ALL_SEALS) !== 0) return -EINVAL;
  const isExecutable = (inode.mode & EXECUTE_BITS) !== 0;
  return inode.addSeals((seals & F_SEAL_EXEC) !== 0 && isExecutable ? seals | IMPLIED_BY_EXEC : seals);
}
