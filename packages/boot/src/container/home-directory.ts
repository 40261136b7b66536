import { O_RDONLY } from '@tsv/abi';
import type { Kernel } from '@tsv/kernel';
import { MemoryIo } from '@tsv/vfs';
import type { ContainerFiles } from '../container-mounter.js';

/** Bytes of /etc/passwd that are looked at. */
const PASSWD_BYTES_MAX = 1024 * 1024;

/** The home directory of a user by the container's /etc/passwd, passwd(5); `/` when it does not say. */
export function homeDirectory(kernel: Kernel, files: ContainerFiles, uid: number): string {
  for (const line of readText(kernel, files, '/etc/passwd').split('\n')) {
    const fields = line.split(':');
    if (fields.length >= 7 && fields[2] === String(uid) && fields[5] !== '') return fields[5]!;
  }
  return '/';
}

/** A file of the container as a byte string; empty when it cannot be read. */
function readText(kernel: Kernel, files: ContainerFiles, path: string): string {
  const found = kernel.vfs.resolve(files.caller, files.root, path);
  if (typeof found === 'number') return '';
  const isRegular = found.inode.isRegular; // Opening something else could wait for ever.
  found.decRef();
  if (!isRegular) return '';
  const file = kernel.vfs.openAt(files.caller, files.root, path, O_RDONLY, 0);
  if (typeof file === 'number') return '';
  const bytes = Buffer.alloc(PASSWD_BYTES_MAX);
  let len = 0;
  for (;;) {
    const n = file.read(new MemoryIo(bytes, len, bytes.length - len), files.caller);
    if (n <= 0) break;
    len += n;
  }
  file.decRef();
  return bytes.toString('latin1', 0, len);
}
